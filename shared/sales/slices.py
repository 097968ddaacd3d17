"""Slices of a run: what one function execution works through, each claimed by one worker at a time (INC-08).

Table ImportSlices: partition tenant|run, row key generation|number. A slice goes Waiting -> Claimed -> Done under
its ETag. A claim expires, so that a killed worker's slice is done again from its start, as a new attempt.
The sums of a finished slice are one blob in container `import-slices`.
"""

import json
from array import array
from base64 import b64decode, b64encode
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from shared.kernel.blob import BlobContainer
from shared.kernel.clock import from_iso, to_iso
from shared.kernel.errors import Busy, DataRefused
from shared.kernel.keys import end_of_prefix, join_key
from shared.kernel.table import Row, RowChanged, RowExists, Table, Value
from shared.sales.models import SalesByEmployee, Tally
from shared.sales.runs import ImportRun


@dataclass(frozen=True)
class SliceResult:
    """What one attempt at a slice found. Sums are those of its staged sales, by ERP employee and store."""

    pages: int
    records_read: int
    rejected_by_reason: dict[str, int]
    duplicates: int
    staged: Tally
    sales: SalesByEmployee
    transactions: "list[array[int]]"
    """For each page the digests of its staged transaction IDs (see `digests`), sorted."""
    page_digests: list[int]
    """For each page that is not empty a digest of what it is: two pages that share it are the same page."""
    repeated: int
    """Records of a transaction that came before, on another page of the slice."""
    repeated_pages: list[int]
    """The pages that these stand on, and those that they came on before."""
    refused: list[list[int]]
    """For each page the digests of what breaks a rule: a record that is refused twice may hide a sale, too."""
    total_records: int | None
    total_pages: int | None
    next_cursor: str | None
    data_as_of: str
    seconds: float

    def to_json(self) -> bytes:
        """Return the result as the blob's content."""
        plain = {
            **{name: getattr(self, name) for name in _PLAIN},
            "staged": _tally(self.staged),
            "sales": [[employee, store, *_tally(tally)] for (employee, store), tally in self.sales.items()],
            "transactions": [b64encode(page.tobytes()).decode() for page in self.transactions],
        }
        return json.dumps(plain).encode()


_ADDED: dict[str, Any] = {"repeated": 0, "repeated_pages": [], "refused": []}
"""What results of the version before lack."""
_PLAIN = (
    *_ADDED,
    "pages",
    "records_read",
    "rejected_by_reason",
    "duplicates",
    "page_digests",
    "total_records",
    "total_pages",
    "next_cursor",
    "data_as_of",
    "seconds",
)


def read_result(content: bytes) -> SliceResult:
    """Read a stored slice result."""
    plain = _ADDED | json.loads(content)
    return SliceResult(
        **{name: plain[name] for name in _PLAIN},
        staged=Tally(*plain["staged"]),
        sales={(employee, store): Tally(*tally) for employee, store, *tally in plain["sales"]},
        transactions=[array("Q", b64decode(page)) for page in plain["transactions"]],
    )


def _tally(tally: Tally) -> tuple[int, int, int]:
    return tally.amount_minor, tally.units_sold, tally.transactions


@dataclass(frozen=True)
class Slice:
    """A part of a run. `cursor` is where its first page begins in the source."""

    generation: int
    number: int
    cursor: str
    first_page: int
    pages: int = 0
    """How many pages it turned out to have, once it is done."""
    attempt: int = 0
    claimed_until: datetime | None = None
    done: bool = False
    next_cursor: str | None = None
    """Where the source goes on after a slice that is done; None at its end."""
    row: Row | None = field(default=None, compare=False)

    @property
    def key(self) -> str:
        """The row key."""
        return join_key(f"{self.generation:03d}", f"{self.number:05d}")

    def values(self) -> dict[str, Value]:
        """Return the slice as a table row."""
        values: dict[str, Value] = {
            "cursor": self.cursor,
            "firstPage": self.first_page,
            "pages": self.pages,
            "attempt": self.attempt,
            "done": self.done,
        }
        if self.claimed_until:
            values["claimedUntil"] = to_iso(self.claimed_until)
        if self.next_cursor is not None:
            values["nextCursor"] = self.next_cursor
        return values


class SliceStore:
    """The slices of a tenant's runs and their results."""

    def __init__(self, table: Table, results: BlobContainer) -> None:
        """Keep table and container."""
        self._table = table
        self._results = results

    def add(self, run: ImportRun, slices: list[Slice]) -> None:
        """Store new slices; those that are there already stay as they are."""
        for item in slices:
            try:
                self._table.insert(_partition(run), item.key, item.values())
            except RowExists:
                continue

    def all(self, run: ImportRun) -> list[Slice]:
        """Return the slices of the run's present generation, in order."""
        prefix = f"{run.generation:03d}|"
        rows = self._table.query(_partition(run), key_from=prefix, key_before=end_of_prefix(prefix))
        return [_slice(row) for row in rows]

    def claim(self, run: ImportRun, fresh: Slice, now: datetime, lease: float) -> Slice:
        """Return the slice as ours for `lease` seconds, or as done. Busy while another worker has it.

        A slice that is not stored yet is stored as claimed.
        """
        number, until = fresh.number, now + timedelta(seconds=lease)
        row = self._table.get(_partition(run), fresh.key)
        if row is None:
            claimed = replace(fresh, attempt=1, claimed_until=until)
            try:
                etag = self._table.insert(_partition(run), claimed.key, claimed.values())
            except RowExists:
                raise _taken(run, number, lease) from None
            return replace(claimed, row=Row(_partition(run), claimed.key, {}, etag))
        found = _slice(row)
        if found.done:
            return found
        if found.claimed_until and found.claimed_until > now:
            raise _taken(run, number, (found.claimed_until - now).total_seconds())
        return self._update(run, replace(found, attempt=found.attempt + 1, claimed_until=until))

    def renew(self, run: ImportRun, item: Slice, now: datetime, lease: float) -> Slice:
        """Prolong our claim. Busy when another worker took the slice over."""
        return self._update(run, replace(item, claimed_until=now + timedelta(seconds=lease)))

    def release(self, run: ImportRun, item: Slice) -> None:
        """Give up our claim, if it still is ours: another worker may have the slice at once."""
        row = self._table.get(_partition(run), item.key)
        if row is None or _slice(row).attempt != item.attempt or _slice(row).done:
            return
        try:
            self._update(run, replace(_slice(row), claimed_until=None))
        except Busy:
            return

    def finish(self, run: ImportRun, item: Slice, result: SliceResult) -> Slice:
        """Store the result, then mark the slice done. Busy when another worker took the slice over."""
        self._results.write(_result_name(run, item), result.to_json(), content_type="application/json")
        return self._update(
            run, replace(item, done=True, claimed_until=None, pages=result.pages, next_cursor=result.next_cursor)
        )

    def result(self, run: ImportRun, item: Slice) -> SliceResult:
        """Return what a slice that is done found."""
        if not item.done:
            raise DataRefused(f"slice {item.number} of run {run.run_id} is not done")
        return read_result(self._results.read(_result_name(run, item)))

    def _update(self, run: ImportRun, item: Slice) -> Slice:
        assert item.row is not None
        try:
            etag = self._table.replace(item.row, item.values())
        except RowChanged:
            raise _taken(run, item.number, 1.0) from None
        return replace(item, row=replace(item.row, etag=etag))


def _partition(run: ImportRun) -> str:
    return join_key(run.tenant, run.run_id)


def _result_name(run: ImportRun, item: Slice) -> str:
    return f"{run.tenant}/{run.run_id}/{item.generation}/{item.number}-{item.attempt}.json"


def _slice(row: Row) -> Slice:
    generation, number = row.key.split("|")
    values = row.values
    until = values.get("claimedUntil")
    following = values.get("nextCursor")
    return Slice(
        int(generation),
        int(number),
        str(values["cursor"]),
        int(str(values["firstPage"])),
        int(str(values["pages"])),
        attempt=int(str(values["attempt"])),
        claimed_until=from_iso(until) if isinstance(until, str) else None,
        done=bool(values["done"]),
        next_cursor=following if isinstance(following, str) else None,
        row=row,
    )


def _taken(run: ImportRun, number: int, seconds: float) -> Busy:
    text = f"slice {number} of import run {run.run_id} is being worked on"
    return Busy(text, retry_after=max(seconds, 0.1))
