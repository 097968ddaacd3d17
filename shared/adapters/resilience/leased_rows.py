"""Rows that one holder at a time may write, for a while: the one mechanism under leases and idempotency (RES-02).

The cells `leaseToken` (grows with each holder) and `leaseUntil` belong to the lease. A row is never deleted, so its
token never falls back; a holder writes by the ETag of its own claim, so one that was taken over cannot write.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from shared.kernel.clock import Clock
from shared.kernel.contention import Contention
from shared.kernel.errors import Busy
from shared.kernel.table import Row, RowChanged, RowExists, Table, Value


class LeaseLost(Busy):
    """The lease ran out and somebody else took it; nothing was written."""

    code = "LeaseLost"


@dataclass(frozen=True)
class Claim:
    """A row that is ours until `until`, under fencing token `token`."""

    row: Row = field(repr=False)
    token: int
    until: datetime


class LeasedRows:
    """Claims and writes leased rows of one table."""

    def __init__(self, table: Table, clock: Clock) -> None:
        """Keep table and clock; who holds a row is decided by this clock, who may write by the ETag."""
        self._table = table
        self._clock = clock

    def read(self, partition: str, key: str) -> Row | None:
        """Return a row as it is."""
        return self._table.get(partition, key)

    def claim(
        self,
        partition: str,
        key: str,
        values: Mapping[str, Value],
        duration: float,
        *,
        is_new: bool,
        refuse: Callable[[Row], None] = lambda _: None,
    ) -> Claim | Row:
        """Claim a row for `duration` seconds, or return it as the present holder wrote it.

        `is_new` guesses that there is no such row: it saves a read where that is true. `refuse` sees the row before
        it is claimed and raises when it must not be. Busy when others are always faster.
        """
        contention = Contention("a lease")
        found = None if is_new else self._table.get(partition, key)
        while True:
            if found:
                refuse(found)
                if lease_end(found) > self._clock():
                    return found
            claimed = self._write(found, partition, key, values, duration)
            if claimed:
                return claimed
            contention.pause()
            found = self._table.get(partition, key)

    def write(self, claim: Claim, values: Mapping[str, Value], until: datetime) -> Claim:
        """Write the cells of a row that is ours and set the lease's end. LeaseLost when it is not ours any more."""
        cells = {**values, "leaseToken": claim.token, "leaseUntil": until}
        row = claim.row
        try:
            etag = self._table.replace(row, cells)
        except RowChanged:
            raise LeaseLost("the lease ran out and somebody else has it", retry_after=1.0) from None
        return Claim(Row(row.partition, row.key, cells, etag), claim.token, until)

    def _write(
        self, found: Row | None, partition: str, key: str, values: Mapping[str, Value], duration: float
    ) -> Claim | None:
        token, until = lease_token(found) + 1, self._clock() + timedelta(seconds=duration)
        cells = {**values, "leaseToken": token, "leaseUntil": until}
        try:
            etag = self._table.replace(found, cells) if found else self._table.insert(partition, key, cells)
        except (RowChanged, RowExists):
            return None
        return Claim(Row(partition, key, cells, etag), token, until)


def lease_token(row: Row | None) -> int:
    """Return the token of the last holder, 0 when there was none."""
    value = row.values.get("leaseToken") if row else None
    return value if isinstance(value, int) else 0


def lease_end(row: Row) -> datetime:
    """Return until when the row belongs to its last holder."""
    value = row.values["leaseUntil"]
    assert isinstance(value, datetime)
    return value
