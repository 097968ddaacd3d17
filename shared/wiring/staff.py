"""People as the incentives see them in a period: where each worked as what, day by day."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from shared.incentives.calculate import Assignment
from shared.incentives.context import Staff
from shared.kernel.clock import business_day, day_bounds
from shared.kernel.identities import Identities, identities_of
from shared.kernel.pay_period import PayPeriod
from shared.workforce.facts import Facts, fact_at, first_known
from shared.workforce.person import Employee, Person, Status

_DAY = timedelta(days=1)


def staff_from(person: Person, period: PayPeriod, now: datetime, zone: ZoneInfo) -> Staff:
    """Return a person as the incentives see him in a period.

    Assignments say where he worked as what; one whose store or role changed counts as what it was on each day. One of
    whom no assignment is known counts with his own role and store, from his first to his last day. What is known to
    take effect within the period counts already.
    """
    employee = person.at(max(now, day_bounds(period.last_day, zone)[1] - timedelta(microseconds=1)))
    assignments = tuple(_assignments(person, employee, period, zone))
    return Staff(person.employee_id, assignments, _identities(person))


def _identities(person: Person) -> Identities:
    """Return everything that a person ever was called: one may still sign in under what HR has replaced since."""

    def all_of(name: str) -> list[object]:
        return [fact.value for fact in person.facts.get(name, ())]

    return identities_of(
        addresses=all_of("email"),
        numbers=[person.employee_id, *all_of("employeeNumber")],
        names=all_of("userId"),
    )


def _assignments(person: Person, employee: Employee, period: PayPeriod, zone: ZoneInfo) -> Iterator[Assignment]:
    gone = _last_day(person, employee, zone)
    stretches = [(person.assignments[one.assignment_id], one.first_day, one.last_day) for one in employee.assignments]
    if not stretches and employee.status is not Status.UNCONFIRMED:
        stretches = [(person.facts, _day(employee.hire_date) or period.first_day, None)]
    for facts, begins, ends in stretches:
        first = max(begins, period.first_day)
        last = min(day for day in (ends, gone, period.last_day) if day)
        if first <= last:
            yield from _day_by_day(facts, first, last, zone)


def _day_by_day(facts: Facts, first: date, last: date, zone: ZoneInfo) -> Iterator[Assignment]:
    """Yield a stretch of days, cut where role or store change; a change counts from the day on which it was made."""
    changes = {business_day(fact.since, zone) for name in ("role", "storeId") for fact in facts.get(name, ())}
    starts: list[tuple[date, tuple[str, str]]] = []
    for day in sorted({first, *(day for day in changes if first < day <= last)}):
        place = _place(facts, day_bounds(day, zone)[1] - timedelta(microseconds=1))
        if not starts or place != starts[-1][1]:
            starts.append((day, place))
    ends = [*(day - _DAY for day, _ in starts[1:]), last]
    for (start, (store, role)), end in zip(starts, ends, strict=True):
        yield Assignment(store, role, start, end)


def _place(facts: Facts, instant: datetime) -> tuple[str, str]:
    """Return store and role at an instant."""
    store, role = (first_known(facts.get(name, ()), instant) for name in ("storeId", "role"))
    return str(store or ""), str(role or "")


def _last_day(person: Person, employee: Employee, zone: ZoneInfo) -> date | None:
    """Return the last day of one who has left; where HR gave none, the day on which it was seen that he is gone."""
    if employee.status is not Status.TERMINATED:
        return None
    if employee.termination_date:
        return _day(employee.termination_date)
    facts = person.facts.get("status", ())
    seen = fact_at(facts, max(fact.since for fact in facts))
    return business_day(seen.since, zone) if seen else None


def _day(text: str) -> date | None:
    return date.fromisoformat(text) if text else None
