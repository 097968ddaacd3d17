"""The incentives' context: sales from the metrics, people from the workforce."""

from collections.abc import Iterable, Iterator
from datetime import date
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from shared.incentives.calculate import SalesDay
from shared.incentives.calculation_runs import CalculationRunStore
from shared.incentives.calculation_store import CalculationStore
from shared.incentives.context import IncentiveContext, Seller, Staff
from shared.incentives.plan_file import Plans, load_plans, warn_of_unknown_stores
from shared.incentives.plan_versions import PlanVersionStore
from shared.incentives.untold_decisions import UntoldDecisions
from shared.kernel.keys import join_key, storage_order
from shared.kernel.pay_period import PayPeriod
from shared.sales.metrics import EmployeeMetrics
from shared.wiring.identities import ProvisionedUsers
from shared.wiring.staff import staff_from
from shared.workforce.person import Person

if TYPE_CHECKING:
    from shared.hub import Hub

_ROOT = Path(__file__).resolve().parents[2]


def build(hub: "Hub") -> IncentiveContext:
    """Return what the incentives work with."""
    tables, blobs, tenant = hub.tables, hub.blobs, hub.tenant
    zone = hub.settings.imports.time_zone

    @cache
    def plans() -> Plans:
        loaded = load_plans(_ROOT / hub.settings.incentives.plans, hub.settings.imports.currency)
        warn_of_unknown_stores(loaded, frozenset(hub.settings.imports.known_stores))
        return loaded

    def staff(period: PayPeriod) -> Iterator[Staff]:
        now = hub.clock()
        return (staff_from(person, period, now, zone) for person in hub.workforce.employees.all())

    def staff_member(employee_id: str, period: PayPeriod) -> Staff | None:
        person = hub.workforce.employees.find(employee_id)
        return staff_from(person, period, hub.clock(), zone) if person else None

    def sellers(period: PayPeriod) -> Iterator[Seller]:
        now = hub.clock()
        sold = hub.sales.metrics.of_period(period.name)
        for metrics, person in side_by_side(sold, hub.workforce.employees.all()):
            assignments = staff_from(person, period, now, zone).assignments if person else None
            yield Seller(metrics.employee_id, _sales_days(metrics), assignments)

    return IncentiveContext(
        tenant=tenant,
        clock=hub.clock,
        new_id=hub.new_id,
        queues=hub.queues,
        currency=hub.settings.imports.currency,
        pay_calendar=hub.settings.imports.pay_calendar,
        plans=plans,
        sellers=sellers,
        staff=staff,
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


def side_by_side(
    sold: Iterable[EmployeeMetrics], people: Iterable[Person]
) -> Iterator[tuple[EmployeeMetrics, Person | None]]:
    """Yield what was sold with who sold it, None for somebody unknown. Both come in the order of storage."""
    rest = iter(people)
    person = next(rest, None)
    for metrics in sold:
        place = _place(metrics.employee_id)
        while person and _place(person.employee_id) < place:
            person = next(rest, None)
        yield metrics, person if person and person.employee_id == metrics.employee_id else None


def _place(employee_id: str) -> bytes:
    return storage_order(join_key(employee_id))


def _sales_days(metrics: EmployeeMetrics) -> list[SalesDay]:
    return [
        SalesDay(date.fromisoformat(day), store, cell[0], cell[1])
        for day, stores in sorted(metrics.days.items())
        for store, cell in sorted(stores.items())
    ]
