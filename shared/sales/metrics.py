"""SalesMetrics: what each employee sold in a pay period, by day and store; the aggregate that plans read (INC-05).

Table SalesMetrics, partition tenant|period:
  `employee|employee ID`  the sums of the period, and in `days` the sums of each day and store that they consist of
  `day|day`               who last wrote cells of a day: the fence

A day is replaced, never added to. Writers of the same day are fenced: each first claims the day's row, only then
looks at what counts, and carries the claim in every transaction. So a writer that was overtaken, however late it
wakes up, changes nothing. Writers of different days meet on the rows' ETags and take turns.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date

from shared.kernel.errors import Busy
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

_MAX_TRIES = 30
"""At overtaking or being overtaken, before the work is put off."""

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

    def replace_day(self, period: str, day: date, decide: Callable[[], DayOfSales | None]) -> Tally | None:
        """Replace the sales of a day. `decide` is asked after the day is claimed, and again when it was overtaken.

        Returns what the day holds afterwards for the stores that were decided on, read back from the table; None
        when `decide` says that there is nothing to replace. Busy when others do not let us through.
        """
        partition = join_key(self._tenant, period)
        for _ in range(_MAX_TRIES):
            try:
                fence, rows = self._claim(partition, day)
                decided = decide()
                if decided is None:
                    return None
                fence = self._write(partition, day, fence, rows, decided)
                return self._read_back(partition, day, fence, decided)
            except (RowChanged, RowExists):
                continue
        raise Busy(f"the sales metrics of {day.isoformat()} are being written by others", retry_after=5)

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

    def _claim(self, partition: str, day: date) -> tuple[Row, dict[str, Row]]:
        rows = self._read(partition)
        key = join_key("day", day.isoformat())
        found = rows.get(key)
        claims = int(str(found.values["claims"])) + 1 if found else 1
        values: dict[str, Value] = {"claims": claims}
        etag = self._table.replace(found, values) if found else self._table.insert(partition, key, values)
        return Row(partition, key, values, etag), rows

    def _write(self, partition: str, day: date, fence: Row, rows: Mapping[str, Row], decided: DayOfSales) -> Row:
        for _ in range(_MAX_TRIES):
            operations = self._changes(rows, day, decided)
            try:
                for start in range(0, len(operations), MAX_OPERATIONS - 1):
                    batch = operations[start : start + MAX_OPERATIONS - 1]
                    etags = self._table.transact(partition, [Replace(fence.key, fence.values, fence.etag), *batch])
                    fence = replace(fence, etag=etags[0])
            except (RowChanged, RowExists):
                rows = self._read(partition)
                if rows[fence.key].etag != fence.etag:
                    raise
                continue
            return fence
        raise Busy(f"the sales metrics of {day.isoformat()} are being written by others", retry_after=5)

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

    def _read_back(self, partition: str, day: date, fence: Row, decided: DayOfSales) -> Tally:
        found = Tally()
        rows = self._read(partition)
        if rows[fence.key].etag != fence.etag:
            raise RowChanged(f"{day.isoformat()} was taken over")
        for key, row in rows.items():
            if key.startswith("employee|"):
                for store, cell in _metrics(row).days.get(day.isoformat(), {}).items():
                    if decided.governs(store):
                        found.add(*cell)
        return found


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
