"""People as the incentives see them in a period: where each worked as what, day by day."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from shared.incentives.calculate import Assignment
from shared.incentives.context import Staff
from shared.kernel.clock import business_day, day_bounds
from shared.kernel.identities import Identities, identities_of
from shared.kernel.pay_period import PayPeriod
from shared.workforce.employment import Spell, spells
from shared.workforce.facts import Facts, first_known
from shared.workforce.holders import Holder
from shared.workforce.person import Employee, Person

_DAY, _MOMENT = timedelta(days=1), timedelta(microseconds=1)


def staff_from(person: Person, period: PayPeriod, now: datetime, zone: ZoneInfo) -> Staff:
    """Return a person as the incentives see them in a period.

    Assignments say where they worked as what; one whose store or role changed counts as what it was on each day. Where
    none is known they count with their own role and store. Only days count on which they were employed, whatever became
    of them since. What is known to take effect within the period counts already.
    """
    held = holders_in(person, period, zone)
    assignments = tuple(assignment for holder in held for assignment in _assignments(person, holder, period, now, zone))
    return Staff(person.employee_id, assignments, _identities(person.employee_id, held))


def holders_in(person: Person, period: PayPeriod, zone: ZoneInfo) -> list[Holder]:
    """Return everybody who was employed under an employee ID in a period; where nobody was, whose ID it then was."""
    end = day_bounds(period.last_day, zone)[1] - _MOMENT
    employed = [one for one in person.holders if any(_within(spell, period) for spell in spells(one.facts, zone))]
    return employed or [person.holder_at(end)]


def payee_of(person: Person, period: PayPeriod, now: datetime, zone: ZoneInfo) -> Employee | None:
    """Return whose pay of a period it is, as they were last; None where two people had the employee ID in it."""
    held = holders_in(person, period, zone)
    return person.at(_last_instant(person, held[0], now)) if len(held) == 1 else None


def _identities(employee_id: str, held: Sequence[Holder]) -> Identities:
    """Return everything that people ever were called: one may still sign in under what HR has replaced since."""

    def all_of(name: str) -> list[object]:
        return [fact.value for holder in held for fact in holder.facts.get(name, ())]

    return identities_of(
        addresses=all_of("email"),
        numbers=[employee_id, *all_of("employeeNumber")],
        names=all_of("userId"),
    )


def _assignments(
    person: Person, holder: Holder, period: PayPeriod, now: datetime, zone: ZoneInfo
) -> Iterator[Assignment]:
    end = day_bounds(period.last_day, zone)[1] - _MOMENT
    employee = person.at(_last_instant(person, holder, max(now, end)))
    assigned = [(holder.assignments[one.assignment_id], one.first_day, one.last_day) for one in employee.assignments]
    employed = spells(holder.facts, zone)
    for spell in employed or [Spell(None, None)]:
        stretches = [one for one in assigned if _overlap(spell, one[1], one[2])]
        if not stretches and employed:
            stretches = [(holder.facts, spell.first_day or period.first_day, None)]
        for facts, begins, ends in stretches:
            first = max(day for day in (begins, spell.first_day, period.first_day) if day)
            last = min(day for day in (ends, spell.last_day, period.last_day) if day)
            if first <= last:
                yield from _day_by_day(facts, first, last, zone)


def _last_instant(person: Person, holder: Holder, instant: datetime) -> datetime:
    """Return an instant, or the last one at which the employee ID was a holder's."""
    later = [one.since for one in person.holders[person.holders.index(holder) + 1 :] if one.since]
    return min([instant, *(since - _MOMENT for since in later)])


def _within(spell: Spell, period: PayPeriod) -> bool:
    return _overlap(spell, period.first_day, period.last_day)


def _overlap(spell: Spell, first: date, last: date | None) -> bool:
    begins_in_time = spell.first_day is None or last is None or spell.first_day <= last
    return begins_in_time and (spell.last_day is None or spell.last_day >= first)


def _day_by_day(facts: Facts, first: date, last: date, zone: ZoneInfo) -> Iterator[Assignment]:
    """Yield a stretch of days, cut where role or store change; a change counts from the day on which it was made."""
    changes = {business_day(fact.since, zone) for name in ("role", "storeId") for fact in facts.get(name, ())}
    starts: list[tuple[date, tuple[str, str]]] = []
    for day in sorted({first, *(day for day in changes if first < day <= last)}):
        place = _place(facts, day_bounds(day, zone)[1] - _MOMENT)
        if not starts or place != starts[-1][1]:
            starts.append((day, place))
    ends = [*(day - _DAY for day, _ in starts[1:]), last]
    for (start, (store, role)), end in zip(starts, ends, strict=True):
        yield Assignment(store, role, start, end)


def _place(facts: Facts, instant: datetime) -> tuple[str, str]:
    """Return store and role at an instant."""
    store, role = (first_known(facts.get(name, ()), instant) for name in ("storeId", "role"))
    return str(store or ""), str(role or "")
