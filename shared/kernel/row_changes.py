"""Changing rows over what others change meanwhile: read, decide, write by ETag, again when somebody was faster."""

from collections.abc import Callable, Collection, Mapping, Sequence

from shared.kernel.contention import Contention
from shared.kernel.keys import span_of
from shared.kernel.table import (
    MAX_OPERATIONS,
    Insert,
    LimitExceeded,
    Operation,
    Replace,
    Row,
    RowChanged,
    RowExists,
    Table,
    Value,
)

Values = Mapping[str, Value]
Decide = Callable[[str, Values | None], Values | None]
"""(row key, its cells or None where there is no row) -> the new cells, or None to leave it as it is."""
Announce = Callable[[Mapping[str, Values]], None]
"""Told the new cells of the rows that are about to be written, by their keys."""


def change_row(table: Table, partition: str, key: str, decide: Decide) -> Values | None:
    """Change one row; return its new cells, None when it was left as it is. Busy when others are always faster."""
    contention = Contention(f"row {key!r}")
    while True:
        row = table.get(partition, key)
        after = decide(key, row.values if row else None)
        if after is None:
            return None
        try:
            if row:
                table.replace(row, after)
            else:
                table.insert(partition, key, after)
        except (RowChanged, RowExists):
            contention.pause()
            continue
        return after


def change_rows(
    table: Table, partition: str, keys: Collection[str], decide: Decide, announce: Announce | None = None
) -> dict[str, Values]:
    """Change rows of one partition, a hundred in a transaction; return the new cells of those that were changed.

    Rows so large that a hundred do not fit go in halves; LimitExceeded for one that does not fit alone.

    One range query reads them: keys that lie close together are cheap. Each row is decided on alone; where somebody
    was faster, its hundred is done one by one. What `announce` does, somebody who is killed before the rows are written
    does again: they are decided on again.
    """
    if not keys:
        return {}
    first, before = span_of(keys)
    rows = {row.key: row for row in table.query(partition, key_from=first, key_before=before)}
    pending: list[tuple[str, Row | None, Values]] = []
    for key in keys:
        row = rows.get(key)
        after = decide(key, row.values if row else None)
        if after is not None:
            pending.append((key, row, after))
    if announce and pending:
        announce({key: after for key, _, after in pending})
    changed: dict[str, Values] = {}
    for start in range(0, len(pending), MAX_OPERATIONS):
        changed |= _write(table, partition, pending[start : start + MAX_OPERATIONS], decide)
    return changed


def _write(
    table: Table, partition: str, pending: Sequence[tuple[str, Row | None, Values]], decide: Decide
) -> dict[str, Values]:
    operations: list[Operation] = [
        Replace(key, after, row.etag) if row else Insert(key, after) for key, row, after in pending
    ]
    try:
        table.transact(partition, operations)
    except LimitExceeded:
        if len(pending) == 1:
            raise
        half = len(pending) // 2
        return _write(table, partition, pending[:half], decide) | _write(table, partition, pending[half:], decide)
    except (RowChanged, RowExists):
        one_by_one = {key: change_row(table, partition, key, decide) for key, _, _ in pending}
        return {key: after for key, after in one_by_one.items() if after is not None}
    return {key: after for key, _, after in pending}
