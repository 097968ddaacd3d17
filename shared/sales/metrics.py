"""SalesMetrics: what each employee sold in a pay period, by day and store; the aggregate that plans read (INC-05).

Table SalesMetrics, partition tenant|period:
  `employee|employee ID`  the sums of the period, and in `days` the sums of each day and store that they consist of
  `day|day`               how often the day was claimed, and until when it is held: the lease and the fence

A day is replaced, never added to. It has one writer at a time, who holds the day's row for a while: others are
turned away before they have read anything. Behind that lease is the fence: a writer first claims the row, only then
looks at what counts, and carries the claim in every transaction. So a writer who outlived the lease and was overtaken,
however late it wakes up, changes nothing. Writers of different days meet on the rows' ETags and take turns.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date, timedelta

from shared.kernel.clock import Clock, from_iso, to_iso
from shared.kernel.contention import Contention, spread
from shared.kernel.errors import Busy, StorageUnavailable
from shared.kernel.keys import end_of_prefix, join_key, split_key
from shared.kernel.long_cells import long_cells, read_long_cells
from shared.kernel.table import (
    MAX_OPERATIONS,
    Delete,
    Insert,
    Operation,
    Replace,
    Row,
    RowChanged,
    RowExists,
    Table,
    Value,
)
from shared.sales.models import SalesByEmployee, Tally

_COME_BACK_AFTER = 2.0
"""Seconds at least, for whoever finds the day held."""

Cells = dict[str, dict[str, list[int]]]
"""day -> store -> [amount in minor units, units, transactions]"""


@dataclass(frozen=True)
class DayOfSales:
    """What a day is to hold: the sums by (hub employee, store), and for which stores this says all there is."""

    sales: SalesByEmployee
    governs: Callable[[str], bool]


@dataclass(frozen=True)
class EmployeeMetrics:
    """What one employee sold in a period."""

    employee_id: str
    total: Tally
    days: Cells
    etag: str = ""


class MetricsStore:
    """The metrics of one tenant."""

    def __init__(self, table: Table, tenant: str, currency: str) -> None:
        """Keep the table; amounts are in minor units of the currency."""
        self._table = table
        self._tenant = tenant
        self._currency = currency

    @contextmanager
    def hold_day(self, period: str, day: date, clock: Clock, lease: float) -> Iterator["HeldDay"]:
        """Have a day to oneself, for `lease` seconds after each write. Busy while somebody else has it.

        What is to count may be looked at once the day is held, not before.
        """
        fence = self._claim(join_key(self._tenant, period), day, clock, lease)
        try:
            yield HeldDay(self, fence, day)
        except Exception:  # kept, it would hold off the very message that is to try again
            self._release(fence)
            raise
        self._release(fence)

    def refuse_held(self, period: str, day: date, clock: Clock) -> None:
        """Busy while somebody has the day. Costs a read: for those who would do much before they claim it."""
        self._free(join_key(self._tenant, period), day, clock)

    def replace(self, fence: "Fence", day: date, decided: DayOfSales) -> Tally:
        """See `HeldDay.replace`."""
        self._write(fence, day, decided)
        return self._read_back(fence, day, decided)

    def of_period(self, period: str) -> Iterator[EmployeeMetrics]:
        """Yield the metrics of all employees in a period, a page at a time, in the order of their IDs in storage."""
        prefix = join_key("employee", "")
        partition = join_key(self._tenant, period)
        rows = self._table.query(partition, key_from=prefix, key_before=end_of_prefix(prefix))
        return map(_metrics, rows)

    def of_employee(self, period: str, employee_id: str) -> EmployeeMetrics | None:
        """Return the metrics of one employee in a period, None when he sold nothing."""
        row = self._table.get(join_key(self._tenant, period), join_key("employee", employee_id))
        return _metrics(row) if row else None

    def _read(self, partition: str) -> dict[str, Row]:
        return {row.key: row for row in self._table.query(partition)}

    def _claim(self, partition: str, day: date, clock: Clock, lease: float) -> "Fence":
        found = self._free(partition, day, clock)
        key = _key_of(day)
        fence = Fence(partition, key, 1 + int(str(found.values["claims"])) if found else 1, "", clock, lease)
        try:
            if found:
                fence.etag = self._table.replace(found, fence.values())
            else:
                fence.etag = self._table.insert(partition, key, fence.values())
        except (RowChanged, RowExists):
            raise _busy(day) from None
        return fence

    def _free(self, partition: str, day: date, clock: Clock) -> Row | None:
        """Return the row of a day that nobody has, None where it was never claimed."""
        found = self._table.get(partition, _key_of(day))
        until = found.values.get("heldUntil") if found else None
        if isinstance(until, str) and from_iso(until) > clock():
            raise _busy(day)
        return found

    def _release(self, fence: "Fence") -> None:
        """Let others have the day at once. Where somebody has it already, or storage is away, the lease runs out."""
        with suppress(RowChanged, StorageUnavailable):
            self._table.replace(Row(fence.partition, fence.key, {}, fence.etag), {"claims": fence.claims})

    def _write(self, fence: "Fence", day: date, decided: DayOfSales) -> None:
        contention = Contention(f"the sales metrics of {day.isoformat()}")
        while True:
            rows = self._read(fence.partition)
            if rows[fence.key].etag != fence.etag:
                raise _busy(day)
            operations = self._changes(rows, day, decided)
            try:
                for start in range(0, len(operations), MAX_OPERATIONS - 1):
                    batch = operations[start : start + MAX_OPERATIONS - 1]
                    renewed = Replace(fence.key, fence.values(), fence.etag)
                    fence.etag = self._table.transact(fence.partition, [renewed, *batch])[0]
            except (RowChanged, RowExists):
                contention.pause()
                continue
            return

    def _changes(self, rows: Mapping[str, Row], day: date, decided: DayOfSales) -> list[Operation]:
        wanted: dict[str, dict[str, list[int]]] = {}
        for (employee, store), tally in decided.sales.items():
            if decided.governs(store):
                cell = [tally.amount_minor, tally.units_sold, tally.transactions]
                wanted.setdefault(join_key("employee", employee), {})[store] = cell
        changes: list[Operation] = []
        for key in sorted({*wanted, *(key for key in rows if key.startswith("employee|"))}):
            row = rows.get(key)
            before = _metrics(row).days if row else {}
            after = _with_day(before, day, wanted.get(key, {}), decided.governs)
            if after == before:
                continue
            if not after:
                assert row is not None
                changes.append(Delete(key, row.etag))
            elif row:
                changes.append(Replace(key, self._values(key, after), row.etag))
            else:
                changes.append(Insert(key, self._values(key, after)))
        return changes

    def _values(self, key: str, days: Cells) -> dict[str, Value]:
        total = _total(days)
        return {
            "employeeId": split_key(key)[1],
            "amountMinor": total.amount_minor,
            "currency": self._currency,
            "unitsSold": total.units_sold,
            "transactions": total.transactions,
            **long_cells("days", dict(sorted(days.items()))),
        }

    def _read_back(self, fence: "Fence", day: date, decided: DayOfSales) -> Tally:
        found = Tally()
        rows = self._read(fence.partition)
        if rows[fence.key].etag != fence.etag:
            raise _busy(day)
        for key, row in rows.items():
            if key.startswith("employee|"):
                for store, cell in _metrics(row).days.get(day.isoformat(), {}).items():
                    if decided.governs(store):
                        found.add(*cell)
        return found


@dataclass(frozen=True)
class HeldDay:
    """A day that nobody else writes."""

    store: MetricsStore
    fence: "Fence"
    day: date

    def replace(self, decided: DayOfSales) -> Tally:
        """Replace the sales of the stores that are decided on; return what they hold then, read back from the table.

        Busy when the day was held for too long and somebody else took it over.
        """
        return self.store.replace(self.fence, self.day, decided)


@dataclass
class Fence:
    """A day that is ours: the row that is carried in every transaction, and each time held anew."""

    partition: str
    key: str
    claims: int
    etag: str
    clock: Clock
    lease: float

    def values(self) -> dict[str, Value]:
        """Return the row, held from now on."""
        until = self.clock() + timedelta(seconds=self.lease)
        return {"claims": self.claims, "heldUntil": to_iso(until)}


def _key_of(day: date) -> str:
    return join_key("day", day.isoformat())


def _busy(day: date) -> Busy:
    return Busy(f"the sales of {day.isoformat()} are being published by others", retry_after=spread(_COME_BACK_AFTER))


def _with_day(before: Cells, day: date, cells: dict[str, list[int]], governs: Callable[[str], bool]) -> Cells:
    kept = {store: cell for store, cell in before.get(day.isoformat(), {}).items() if not governs(store)}
    after = {name: stores for name, stores in before.items() if name != day.isoformat()}
    if kept or cells:
        after[day.isoformat()] = kept | cells
    return after


def _total(days: Cells) -> Tally:
    total = Tally()
    for stores in days.values():
        for cell in stores.values():
            total.add(*cell)
    return total


def _metrics(row: Row) -> EmployeeMetrics:
    values = row.values
    total = Tally(*(int(str(values[name])) for name in ("amountMinor", "unitsSold", "transactions")))
    return EmployeeMetrics(str(values["employeeId"]), total, read_long_cells("days", values), row.etag)
