"""Refused records, kept for the operator with the reason and as they came (INC-04).

Table ImportRejects: partition tenant|run, row key generation|page|line: a page of them is a range scan.
"""

import json
from decimal import Decimal

from shared.kernel.keys import end_of_prefix, join_key
from shared.kernel.table import MAX_OPERATIONS, Operation, Page, Put, Table, Value, delete_all
from shared.sales.models import RawRecord, Rejection
from shared.sales.runs import ImportRun

MAX_RAW_CHARACTERS = 8000
"""Of a refused record that are kept; a longer one is cut and says so."""


class RejectWriter:
    """Writes the rejects of a run in full transactions."""

    def __init__(self, table: Table, run: ImportRun) -> None:
        """Write into the run's partition."""
        self._table = table
        self._run = run
        self._batch: list[Operation] = []

    def add(self, raw: RawRecord, page: int, rejection: Rejection) -> None:
        """Take a refused record."""
        transaction_id = raw.fields.get("transactionId") if raw.fields else None
        values: dict[str, Value] = {
            "page": page,
            "line": raw.line,
            "reason": rejection.reason.value,
            "field": rejection.field,
            "message": _storable(rejection.message[:1000]),
            "transactionId": _storable(str(transaction_id)[:200]) if transaction_id is not None else "",
            "raw": _storable(raw_text(raw)),
        }
        self._batch.append(Put(_key(self._run, page, raw.line), values))
        if len(self._batch) == MAX_OPERATIONS:
            self.flush()

    def flush(self) -> None:
        """Write what is left."""
        if self._batch:
            self._table.transact(_partition(self._run), self._batch)
        self._batch = []


def clear_rejects(table: Table, run: ImportRun, first_page: int, last_page: int) -> None:
    """Remove the rejects of some pages (inclusive), which an earlier attempt left."""
    rows = table.query(
        _partition(run),
        key_from=_key(run, first_page, 0),
        key_before=_key(run, last_page + 1, 0),
        select=["page"],
    )
    delete_all(table, _partition(run), [row.key for row in rows])


def page_of_rejects(table: Table, run: ImportRun, size: int, position: str | None) -> Page:
    """Return some rejects of the run's present generation, in the order of the source."""
    prefix = f"{run.generation:03d}|"
    return table.page(_partition(run), size=size, position=position, key_from=prefix, key_before=end_of_prefix(prefix))


def raw_text(raw: RawRecord) -> str:
    """Return a record as JSON text, numbers exactly as they came; a long one is cut."""
    text = raw.text if raw.fields is None else json.dumps(raw.fields, default=_plain, ensure_ascii=False)
    return text if len(text) <= MAX_RAW_CHARACTERS else text[: MAX_RAW_CHARACTERS - 6] + " (cut)"


def _storable(text: str) -> str:
    """Return a text with `?` for the half characters (lone surrogates) that JSON can express and UTF-8 cannot."""
    return text.encode(errors="replace").decode()


def _plain(value: object) -> str:
    return f"{value:f}" if isinstance(value, Decimal) and value.is_finite() else str(value)


def _partition(run: ImportRun) -> str:
    return join_key(run.tenant, run.run_id)


def _key(run: ImportRun, page: int, line: int) -> str:
    return f"{run.generation:03d}|{page:07d}|{line:06d}"
