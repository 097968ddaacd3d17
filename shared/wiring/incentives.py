"""The incentives' context: sales from the metrics, people from the workforce."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from shared.incentives.calculate import SalesDay
from shared.incentives.calculation_runs import CalculationRunStore
from shared.incentives.calculation_store import CalculationStore
from shared.incentives.context import IncentiveContext, Staff
from shared.incentives.plan_file import Plans, load_plans
from shared.incentives.plan_versions import PlanVersionStore
from shared.incentives.untold_decisions import UntoldDecisions
from shared.kernel.pay_period import PayPeriod
from shared.wiring.identities import ProvisionedUsers
from shared.wiring.staff import staff_from

if TYPE_CHECKING:
    from shared.hub import Hub

_ROOT = Path(__file__).resolve().parents[2]


def build(hub: "Hub") -> IncentiveContext:
    """Return what the incentives work with."""
    tables, blobs, tenant = hub.tables, hub.blobs, hub.tenant
    zone = hub.settings.imports.time_zone

    @cache
    def plans() -> Plans:
        return load_plans(_ROOT / hub.settings.incentives.plans, hub.settings.imports.currency)

    def staff_of(period: PayPeriod) -> Mapping[str, Staff]:
        now = hub.clock()
        people = hub.workforce.employees.all()
        return {person.employee_id: staff_from(person, period, now, zone) for person in people}

    def staff_member(employee_id: str, period: PayPeriod) -> Staff | None:
        person = hub.workforce.employees.find(employee_id)
        return staff_from(person, period, hub.clock(), zone) if person else None

    def sales_of(period: str) -> Iterator[tuple[str, Sequence[SalesDay]]]:
        for metrics in hub.sales.metrics.of_period(period):
            yield (
                metrics.employee_id,
                [
                    SalesDay(date.fromisoformat(day), store, cell[0], cell[1])
                    for day, stores in sorted(metrics.days.items())
                    for store, cell in sorted(stores.items())
                ],
            )

    return IncentiveContext(
        tenant=tenant,
        clock=hub.clock,
        new_id=hub.new_id,
        queues=hub.queues,
        currency=hub.settings.imports.currency,
        pay_calendar=hub.settings.imports.pay_calendar,
        plans=plans,
        sales_of=sales_of,
        staff_of=staff_of,
        staff_member=staff_member,
        provisioned=ProvisionedUsers(hub),
        four_eyes=hub.settings.incentives.four_eyes,
        calculations=CalculationStore(tables.table("Calculations"), tenant),
        runs=CalculationRunStore(tables.table("CalculationRuns"), tenant),
        plan_versions=PlanVersionStore(tables.table("PlanVersions"), tenant),
        untold=UntoldDecisions(tables.table("UntoldDecisions"), tenant),
        inbox=blobs.container("calculations-inbox"),
        quarantine=blobs.container("calculations-quarantine"),
    )
