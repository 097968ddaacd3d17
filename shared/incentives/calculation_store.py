"""The calculations of a tenant. Table Calculations: partition tenant|period, row key calculation ID.

An export reads one partition; all calculations of an employee in a period are one range of it; an ID alone says in
which partition it lies.
"""

from collections.abc import Callable, Collection, Iterator, Mapping

from shared.incentives.calculation import Calculation, Change, Kind, State, history_json
from shared.incentives.calculation_id import ids_of_employee, period_of_id
from shared.kernel.clock import from_iso, to_iso
from shared.kernel.errors import NotFound
from shared.kernel.keys import end_of_prefix, join_key, span_of
from shared.kernel.long_cells import long_cells, read_long_cells
from shared.kernel.row_changes import change_rows
from shared.kernel.table import Page, Table, Value

Decide = Callable[[str, Calculation | None], Calculation | None]
"""(ID, what stands there) -> what is to stand there, None to leave it."""


class CalculationStore:
    """The calculations of one tenant."""

    def __init__(self, table: Table, tenant: str) -> None:
        """Keep the table."""
        self._table = table
        self._tenant = tenant

    def find(self, calculation_id: str) -> Calculation | None:
        """Return a calculation, or None."""
        try:
            period = period_of_id(calculation_id).name
        except ValueError:
            return None
        row = self._table.get(self._partition(period), calculation_id)
        return _calculation(row.key, row.values) if row else None

    def get(self, calculation_id: str) -> Calculation:
        """Return a calculation. NotFound."""
        if calculation := self.find(calculation_id):
            return calculation
        raise NotFound(f"there is no calculation {calculation_id!r}")

    def of_period(self, period: str, *, state: State | None = None, after: str = "") -> Iterator[Calculation]:
        """Yield the calculations of a period in the order of their IDs, those of an employee side by side.

        `after`: the range (`calculation_id.range_of`) after which to begin.
        """
        equal = {"state": state.value} if state else None
        first = end_of_prefix(after) if after else None
        rows = self._table.query(self._partition(period), key_from=first, equal=equal)
        return (_calculation(row.key, row.values) for row in rows)

    def of_employee(self, period: str, employee_id: str) -> list[Calculation]:
        """Return the calculations of an employee in a period."""
        first, before = span_of(ids_of_employee(period, employee_id))
        rows = self._table.query(self._partition(period), key_from=first, key_before=before)
        found = (_calculation(row.key, row.values) for row in rows)
        return [one for one in found if one.employee_id == employee_id]

    def page(self, period: str, *, size: int, position: str | None, equal: Mapping[str, str | int | bool]) -> Page:
        """Return a page of rows; `calculations_of` reads them."""
        return self._table.page(self._partition(period), size=size, position=position, equal=equal)

    def change(
        self, period: str, ids: Collection[str], decide: Decide, announce: Callable[[], None] | None = None
    ) -> dict[str, Calculation]:
        """Change calculations of a period over what others change meanwhile; return those that were changed.

        `announce` is called when it is decided which, before the first is written.
        """

        def on_rows(key: str, values: Mapping[str, Value] | None) -> Mapping[str, Value] | None:
            after = decide(key, _calculation(key, values) if values else None)
            return _values(after) if after else None

        tell = (lambda _rows: announce()) if announce else None
        changed = change_rows(self._table, self._partition(period), ids, on_rows, tell)
        return {key: _calculation(key, values) for key, values in changed.items()}

    def _partition(self, period: str) -> str:
        return join_key(self._tenant, period)


def calculations_of(page: Page) -> list[Calculation]:
    """Return the calculations on a page."""
    return [_calculation(row.key, row.values) for row in page.rows]


def _values(calculation: Calculation) -> dict[str, Value]:
    values: dict[str, Value] = {
        "employeeId": calculation.employee_id,
        "period": calculation.period,
        "kind": calculation.kind.value,
        "source": calculation.source,
        "grossMinor": calculation.gross_minor,
        "netMinor": calculation.net_minor,
        "currency": calculation.currency,
        "state": calculation.state.value,
        "planVersion": calculation.plan_version,
        "amends": calculation.amends,
        "createdBy": calculation.created_by,
        "calculatedBy": calculation.calculated_by,
        "asOf": to_iso(calculation.as_of) if calculation.as_of else "",
        "submittedBy": calculation.submitted_by,
        "submitterAddress": calculation.submitter_address,
        "exportId": calculation.export_id,
        "payrollReason": calculation.payroll_reason,
        "presentNet": calculation.present_net,
        "presentRun": calculation.present_run,
        "amountVersion": calculation.amount_version,
        **long_cells("history", history_json(calculation.history)),
        **long_cells("breakdown", calculation.breakdown),
    }
    return {name: value for name, value in values.items() if value != ""}


def _calculation(key: str, values: Mapping[str, Value]) -> Calculation:
    def text(name: str) -> str:
        return str(values.get(name, ""))

    return Calculation(
        calculation_id=key,
        employee_id=text("employeeId"),
        period=text("period"),
        kind=Kind(text("kind")),
        source=text("source"),
        gross_minor=int(text("grossMinor")),
        net_minor=int(text("netMinor")),
        currency=text("currency"),
        state=State(text("state")),
        plan_version=text("planVersion"),
        breakdown=read_long_cells("breakdown", values),
        amends=text("amends"),
        created_by=text("createdBy"),
        calculated_by=text("calculatedBy"),
        as_of=from_iso(text("asOf")) if "asOf" in values else None,
        submitted_by=text("submittedBy"),
        submitter_address=text("submitterAddress"),
        export_id=text("exportId"),
        payroll_reason=text("payrollReason"),
        present_net=text("presentNet"),
        present_run=text("presentRun"),
        amount_version=int(text("amountVersion") or 1),
        history=tuple(
            Change(from_iso(one["at"]), one["by"], one["action"], State(one["state"]), one["note"])
            for one in read_long_cells("history", values)
        ),
    )
