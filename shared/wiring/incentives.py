"""The incentives' context: sales from the metrics, people from the workforce."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from shared.incentives.calculate import Assignment, SalesDay
from shared.incentives.calculation_runs import CalculationRunStore
from shared.incentives.calculation_store import CalculationStore
from shared.incentives.context import IncentiveContext, Staff
from shared.incentives.plan_file import Plans, load_plans
from shared.kernel.pay_period import PayPeriod
from shared.workforce.person import Employee, Person, Status

if TYPE_CHECKING:
    from shared.hub import Hub

_ROOT = Path(__file__).resolve().parents[2]


def build(hub: "Hub") -> IncentiveContext:
    """Return what the incentives work with."""
    tables, blobs, tenant = hub.tables, hub.blobs, hub.tenant

    @cache
    def plans() -> Plans:
        return load_plans(_ROOT / hub.settings.incentives.plans, hub.settings.imports.currency)

    def staff_of(period: PayPeriod) -> Mapping[str, Staff]:
        now = hub.clock()
        people = hub.workforce.employees.all()
        return {person.employee_id: staff_from(person, period, now) for person in people}

    def staff_member(employee_id: str, period: PayPeriod) -> Staff | None:
        person = hub.workforce.employees.find(employee_id)
        return staff_from(person, period, hub.clock()) if person else None

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
        plans=plans,
        sales_of=sales_of,
        staff_of=staff_of,
        staff_member=staff_member,
        calculations=CalculationStore(tables.table("Calculations"), tenant),
        runs=CalculationRunStore(tables.table("CalculationRuns"), tenant),
        inbox=blobs.container("calculations-inbox"),
        quarantine=blobs.container("calculations-quarantine"),
    )


def staff_from(person: Person, period: PayPeriod, now: datetime) -> Staff:
    """Return a person as the incentives see him in a period.

    Assignments say where he worked as what. One of whom no assignment is known counts with the role and store that
    he had at the end of the period, from his first to his last day.
    """
    employee = person.at(now)
    identities = {employee.employee_id, employee.user_id, employee.email} - {""}
    return Staff(
        employee.employee_id,
        tuple(_assignments(person, employee, period, now)),
        frozenset(one.lower() for one in identities),
    )


def _assignments(person: Person, employee: Employee, period: PayPeriod, now: datetime) -> Iterator[Assignment]:
    last_day = _day(employee.termination_date) if employee.status is Status.TERMINATED else None
    for one in employee.assignments:
        yield Assignment(one.store_id, one.role, one.first_day, _earlier(one.last_day, last_day))
    if not employee.assignments and employee.status is not Status.UNCONFIRMED:
        end = datetime.combine(period.last_day + timedelta(days=1), time.min, UTC)
        then = person.at(min(now, end))
        role, store = (then.role, then.store_id) if then.role else (employee.role, employee.store_id)
        yield Assignment(store, role, _day(employee.hire_date) or period.first_day, last_day)


def _earlier(one: date | None, other: date | None) -> date | None:
    return min(one, other) if one and other else one or other


def _day(text: str) -> date | None:
    return date.fromisoformat(text) if text else None
