"""Who an employee ID stands for, and since when: HR systems give the ID of somebody who left to somebody else.

The new person takes over nothing: facts of the former one do not count for them, and theirs do not count for the
former one, whose past periods are still calculated and paid.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import pairwise

from shared.workforce.employment import Status, is_employed, status_of, status_rows
from shared.workforce.facts import SHOWN, Fact, Facts, FieldValue, value_at

_NAMES = ("firstName", "lastName")
_PROOFS = ("email", "userId")
_A_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Holder:
    """A person whose employee ID it was `since` an instant; from the beginning without one."""

    since: datetime | None
    facts: Facts
    assignments: Mapping[str, Facts]


def holders(facts: Facts, assignments: Mapping[str, Facts]) -> list[Holder]:
    """Return everybody whose an employee ID was, the first one first; at least one.

    Whoever had left and is employed again under another name is another person, where HR created them or shows another
    hire date; unless their address, user ID or hire date is said to be the former one's.
    """
    for left, back in pairwise(status_rows(facts)):
        if status_of(left.value) is Status.TERMINATED and is_employed(back.value) and _is_another(facts, back):
            former, later = _parted(facts, left, back)
            by_assignment = {name: _assignment_parted(one, left, back) for name, one in assignments.items()}
            theirs = {name: before for name, (before, _) in by_assignment.items() if before}
            others = {name: after for name, (_, after) in by_assignment.items() if after}
            next_one, *rest = holders(later, others)
            return [Holder(None, former, theirs), replace(next_one, since=back.since), *rest]
    return [Holder(None, facts, assignments)]


def _is_another(facts: Facts, back: Fact) -> bool:
    """Tell whether the statement by which somebody is employed again is about another person than the former one."""
    said = {
        name: one.value
        for name, known in facts.items()
        for one in known
        if (one.stated, one.source) == (back.stated, back.source)
    }
    former = {
        name: value_at((one for one in known if one.stated < back.stated), back.since) for name, known in facts.items()
    }
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
        theirs = tuple(one for one in known if one.stated < back.stated or one.since <= left.since)
        others = tuple(one for one in known if one not in theirs)
        former |= {name: theirs} if theirs else {}
        later |= {name: others} if others else {}
    return former, later


def _assignment_parted(assignment: Facts, left: Fact, back: Fact) -> tuple[Facts, Facts]:
    former, later = _parted(assignment, left, back)
    start = value_at(former.get("startDate", ()), back.since)
    # The events of a new person may come in any order; an assignment says itself when it begins.
    if isinstance(start, str) and date.fromisoformat(start) > left.since.date() + _A_DAY:
        return {}, assignment
    return former, later


def _text(value: FieldValue) -> str:
    return "" if value is None else str(value).strip().casefold()
