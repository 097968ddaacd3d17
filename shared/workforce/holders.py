"""Who an employee ID stands for, and since when: HR systems give the ID of somebody who left to somebody else.

The new person takes over nothing: facts of the former one do not count for them, and theirs do not count for the
former one, whose past periods are still calculated and paid.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise

from shared.workforce.employment import Status, is_employed, status_of, status_rows
from shared.workforce.facts import SHOWN, Fact, Facts, FieldValue, value_at

_NAMES = ("firstName", "lastName")
_PROOFS = ("email", "userId")
_A_DAY = timedelta(days=1)
_LEFT = Status.TERMINATED.value


@dataclass(frozen=True)
class Holder:
    """A person whose employee ID it was `since` an instant; from the beginning without one."""

    since: datetime | None
    facts: Facts
    assignments: Mapping[str, Facts]


def holders(facts: Facts, assignments: Mapping[str, Facts]) -> list[Holder]:
    """Return everybody whose an employee ID was, the first one first; at least one.

    Whoever had left and is employed again under another name is another person, where HR created them or shows another
    hire date; unless their address, user ID or hire date is said to be the former one's. So is, although nobody said
    that the former one left, whoever has another first name, another last name and a later hire date at once.
    """
    found = _handed_on(facts)
    if found is None:
        return [Holder(None, facts, assignments)]
    left, back = found
    former, later = _parted(facts, left, back)
    by_assignment = {name: _assignment_parted(one, left, back) for name, one in assignments.items()}
    theirs = {name: before for name, (before, _) in by_assignment.items() if before}
    others = {name: after for name, (_, after) in by_assignment.items() if after}
    next_one, *rest = holders(later, others)
    return [Holder(None, former, theirs), replace(next_one, since=back.since), *rest]


def _handed_on(facts: Facts) -> tuple[Fact, Fact] | None:
    """Return the statement by which the first person left, and the one by which the next one is employed."""
    rows = pairwise(status_rows(facts))
    gone = ((left, back) for left, back in rows if status_of(left.value) is Status.TERMINATED)
    after_leaving = (one for one in gone if is_employed(one[1].value) and _is_another(facts, one[1]))
    found = [one for one in (next(after_leaving, None), next(_successors(facts), None)) if one]
    return min(found, key=lambda one: one[1].stated, default=None)


def _successors(facts: Facts) -> Iterator[tuple[Fact, Fact]]:
    """Yield who came although nobody said that the one before them left, who then did so the day before."""
    for hired in sorted(facts.get("hireDate", ()), key=lambda fact: fact.order):
        said, former = _said_with(facts, hired), _known_before(facts, hired)
        names = [(_text(former.get(name)), _text(said.get(name))) for name in _NAMES]
        renamed = all(before and after and before != after for before, after in names)
        introduced = hired.source == SHOWN or "status" in said
        if renamed and introduced and _is_later(hired, former) and not _is_proved(facts, former, hired):
            seen, first = _day_of(hired.since), date.fromisoformat(str(hired.value))
            at_once = hired.source == SHOWN or first <= seen
            back = replace(hired, since=hired.since if at_once else _noon(first), value=Status.ACTIVE.value)
            yield replace(back, since=_noon(min(first, seen) if at_once else first) - _A_DAY, value=_LEFT), back


def _noon(day: date) -> datetime:
    """Return an instant that is of a day in every time zone in which the hub may be."""
    return datetime.combine(day, time(12), UTC)


def _is_later(hired: Fact, former: Mapping[str, FieldValue]) -> bool:
    before = former.get("hireDate")
    return isinstance(before, str) and isinstance(hired.value, str) and hired.value > before


def _day_of(since: datetime) -> date:
    """Return the business day that begins at an instant, whatever the time zone."""
    return (since + _A_DAY / 2).date()


def _said_with(facts: Facts, back: Fact) -> dict[str, FieldValue]:
    return {
        name: one.value
        for name, known in facts.items()
        for one in known
        if (one.stated, one.source) == (back.stated, back.source)
    }


def _known_before(facts: Facts, back: Fact) -> dict[str, FieldValue]:
    return {
        name: value_at((one for one in known if one.stated < back.stated), back.since) for name, known in facts.items()
    }


def _is_another(facts: Facts, back: Fact) -> bool:
    """Tell whether the statement by which somebody is employed again is about another person than the former one."""
    said, former = _said_with(facts, back), _known_before(facts, back)
    renamed = any(_text(said[name]) != _text(former.get(name)) for name in _NAMES if name in said)
    if not renamed or not any(former.get(name) for name in _NAMES):
        return False
    same_hire_date = bool(said.get("hireDate")) and said.get("hireDate") == former.get("hireDate")
    # A full sync states what differs, and nothing else: neither half of the name, nor a hire date that stays.
    whole = "hireDate" in said if back.source == SHOWN else all(name in said for name in _NAMES)
    return whole and not same_hire_date and not _is_proved(facts, former, back)


def _is_proved(facts: Facts, former: Mapping[str, FieldValue], back: Fact) -> bool:
    """Tell whether HR stated since then that address or user ID is the former one's."""
    return any(
        _text(one.value) and _text(one.value) == _text(former.get(name))
        for name in _PROOFS
        for one in facts.get(name, ())
        if one.stated >= back.stated
    )


def _parted(facts: Facts, left: Fact, back: Fact) -> tuple[Facts, Facts]:
    """Return what was said of the former person, and what is said of the later one."""
    former: dict[str, tuple[Fact, ...]] = {}
    later: dict[str, tuple[Fact, ...]] = {}
    for name, known in facts.items():
        theirs = tuple(one for one in known if _is_of_the_former(name, one, left, back))
        others = tuple(one for one in known if one not in theirs)
        former |= {name: theirs} if theirs else {}
        later |= {name: others} if others else {}
    if "status" in facts and left not in facts["status"]:
        former["status"] = (*former.get("status", ()), left)
        later = {"status": (back,)} | later
    return former, later


def _is_of_the_former(name: str, fact: Fact, left: Fact, back: Fact) -> bool:
    """Tell of whom a statement is: a field that is a day itself holds at once, and says so by that day."""
    if fact.stated < back.stated or (fact.stated, fact.source) == (back.stated, back.source):
        return fact.stated < back.stated
    if name in ("hireDate", "terminationDate") and isinstance(fact.value, str):
        return date.fromisoformat(fact.value) < _day_of(back.since)
    return fact.since <= left.since


def _assignment_parted(assignment: Facts, left: Fact, back: Fact) -> tuple[Facts, Facts]:
    former, later = _parted(assignment, left, back)
    start = value_at(former.get("startDate", ()), back.since)
    # The events of a new person may come in any order; an assignment says itself when it begins.
    if isinstance(start, str) and date.fromisoformat(start) > left.since.date() + _A_DAY:
        return {}, assignment
    return former, later


def _text(value: FieldValue) -> str:
    return "" if value is None else str(value).strip().casefold()
