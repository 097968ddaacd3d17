"""Payroll's context: calculations from the incentives, people from the workforce."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import time, timedelta
from typing import TYPE_CHECKING

from shared.incentives.calculation import State
from shared.incentives.context import IncentiveContext
from shared.incentives.settle import settle
from shared.kernel.pay_period import parse_period
from shared.payroll.context import PayrollContext, PayrollRules, Settlement
from shared.payroll.export_store import ExportStore
from shared.payroll.records import Payable, Payee
from shared.wiring.staff import payee_of
from shared.workforce.employment import Status

if TYPE_CHECKING:
    from shared.hub import Hub


def build(hub: "Hub") -> PayrollContext:
    """Return what payroll works with."""
    given, imports, tables, tenant = hub.settings.payroll, hub.settings.imports, hub.tables, hub.tenant
    days, _, at = given.approval_deadline.partition(" ")
    rules = PayrollRules(
        currency=given.currency,
        earnings_code=given.earnings_code,
        pay_calendar=imports.pay_calendar,
        time_zone=imports.time_zone,
        deadline_days=timedelta(days=int(days)),
        deadline_time=time.fromisoformat(at),
    )

    def payees(period: str) -> Mapping[str, Payee | None]:
        now, paid = hub.clock(), parse_period(period)
        people = hub.workforce.employees.all()
        everybody = ((person, payee_of(person, paid, now, imports.time_zone)) for person in people)
        return {
            person.employee_id: Payee(one.employee_number, one.first_name, one.last_name) if one else None
            for person, one in everybody
            if one is None or one.status is not Status.UNCONFIRMED
        }

    return PayrollContext(
        tenant=tenant,
        rules=rules,
        clock=hub.clock,
        new_id=hub.new_id,
        queues=hub.queues,
        exports=ExportStore(tables.table("Exports"), tenant),
        archive=hub.blobs.container("exports"),
        audit=tables.table("AuditTrail"),
        payables=CalculationPayables(hub.incentives),
        payees=payees,
        payroll=lambda: hub.payroll_client,
        transfer=lambda: hub.file_transfer,
        hold=lambda export_id: hub.leases.hold_on(f"payroll-export-{export_id}", given.export_lease),
    )


class CalculationPayables:
    """Implements `Payables` over the calculations."""

    def __init__(self, incentives: IncentiveContext) -> None:
        """Keep where the calculations are."""
        self._incentives = incentives

    def approved(self, period: str) -> Iterator[Payable]:
        """Yield what is approved and not exported, in the order of the IDs."""
        for one in self._incentives.calculations.of_period(period, state=State.APPROVED):
            yield Payable(one.calculation_id, one.employee_id, one.net_minor, one.currency)

    def undecided(self, period: str) -> Sequence[str]:
        """Return the IDs of what waits for a decision."""
        found = self._incentives.calculations.of_period(period, state=State.PENDING)
        return [one.calculation_id for one in found]

    def unsubmitted(self, period: str) -> int:
        """Return how many drafts have an amount."""
        found = self._incentives.calculations.of_period(period, state=State.DRAFT)
        return sum(1 for one in found if one.net_minor)

    def settle(self, period: str, settlements: Sequence[Settlement], export_id: str) -> int:
        """Mark calculations as exported or keep payroll's reason."""
        reasons = {one.calculation_id: one.reason for one in settlements}
        return settle(self._incentives, period, reasons, export_id)
