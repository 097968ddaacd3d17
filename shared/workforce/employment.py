"""When somebody was employed, from everything that HR ever said of it (INC-23, INC-40).

People leave and are hired again, are on leave, and vanish from the HR system. What they are paid for a period must not
depend on what became of them since; so the days are worked out from all statements, and not from the last one.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from zoneinfo import ZoneInfo

from shared.kernel.clock import business_day
from shared.workforce.facts import ABSENT, SHOWN, Fact, Facts, FieldValue, timeline

_CARRIED_OUT_WITHIN = timedelta(days=7)
"""Of an announced last day, HR or a full sync says that somebody has left; otherwise nothing came of it."""
_A_DAY = timedelta(days=1)
_CORRECTED_BY = timedelta(days=31)
"""At most, a hire date moves ahead because it was wrong; by more, because somebody was hired again."""


class Status(StrEnum):
    """Of an employee."""

    ACTIVE = "Active"
    ON_LEAVE = "OnLeave"
    """Employed: assignments say which days count."""
    TERMINATED = "Terminated"
    UNKNOWN = "Unknown"
    """HR gives a status that the hub does not know. Employed: nobody goes unpaid for a word."""
    UNCONFIRMED = "Unconfirmed"
    """Something was told of the person, their creation not yet."""


_KNOWN = {"active": Status.ACTIVE, "onleave": Status.ON_LEAVE, "terminated": Status.TERMINATED}


def status_of(value: FieldValue) -> Status:
    """Return what HR's word for a status means; how it is written does not matter."""
    text = "" if value is None else str(value)
    letters = "".join(filter(str.isalnum, text)).casefold()
    return _KNOWN.get(letters, Status.UNKNOWN) if letters else Status.UNCONFIRMED


def is_employed(value: FieldValue) -> bool:
    """Tell whether HR's word for a status is that of somebody who is employed."""
    return status_of(value) in (Status.ACTIVE, Status.ON_LEAVE, Status.UNKNOWN)


@dataclass(frozen=True)
class Spell:
    """Days on which somebody was employed, both inclusive. No first day: none is known; no last day: still is."""

    first_day: date | None
    last_day: date | None


def status_rows(facts: Facts) -> list[Fact]:
    """Return the statuses that count, each from its day until that of the next one.

    Whoever is told to have left on a day was not there afterwards, whatever had been said of the days until then. Whose
    announced last day was taken back before it was over has not left.
    """
    rows: list[Fact] = []
    for row in timeline(one for one in facts.get("status", ()) if not _is_taken_back(facts, one)):
        left = rows[-1] if rows and status_of(rows[-1].value) is Status.TERMINATED else None
        if left and row.stated < left.stated and row.since <= left.stated:
            continue
        rows.append(row)
    return rows


def _is_taken_back(facts: Facts, left: Fact) -> bool:
    """Tell whether an event said last, before an announced last day was over, that there is none."""
    if status_of(left.value) is not Status.TERMINATED:
        return False
    said = [one for one in _last_days_said(facts) if left.stated <= one.stated < left.since + _A_DAY]
    announced = any((one.stated, one.source) == (left.stated, left.source) for one in said)
    return announced and _takes_back(facts, said[-1])


def _takes_back(facts: Facts, said: Fact) -> bool:
    """Tell whether a statement takes a last day back, and nothing else.

    A full sync that shows none takes none back: some HR systems never show it. Of an event that gives a status, too,
    that says what is meant: somebody is hired again, or stays.
    """
    if said.value is not None or said.source == SHOWN:
        return False
    return not any((one.stated, one.source) == (said.stated, said.source) for one in facts.get("status", ()))


def status_at(facts: Facts, instant: datetime) -> Status:
    """Return the status at an instant."""
    rows = [row for row in status_rows(facts) if row.since <= instant]
    return status_of(rows[-1].value) if rows else Status.UNCONFIRMED


def spells(facts: Facts, zone: ZoneInfo) -> list[Spell]:
    """Return when somebody was employed, the earliest first; nothing where no status is known.

    A spell begins on its hire date, without one on the day from which on HR says that they are employed. It ends on the
    termination date, without one on the day on which it was seen that they are gone. Somebody who was on no page for a
    while, or whose last day was moved or taken back, and who is listed again with the same hire date, was never gone.
    """
    hired = _days(facts.get("hireDate", ()))
    found: list[Spell] = []
    before: date | None = None
    stretches = _stretches(facts, zone, hired)
    for (back, left), (again, _) in zip(stretches, [*stretches, (None, None)][1:], strict=True):
        until = business_day(again.since, zone) if again else None
        last = _last_day(facts, zone, left, before, until) if left else None
        # What was stated first says since when it is known, not since when it is so.
        known = business_day(back.since, zone) if back and before else None
        first = _hire_date(hired, before, last) or known
        if not (first and last and last < first):
            found.append(Spell(first, last))
        before = last
    return found


def _stretches(facts: Facts, zone: ZoneInfo, hired: list[date]) -> list[tuple[Fact | None, Fact | None]]:
    """Return of each spell the first statement that they are employed, and the one that they left."""
    rows = status_rows(facts)
    never_gone = {
        left
        for left, back in pairwise(rows)
        if is_employed(back.value)
        and (left.source == ABSENT or _is_put_off(facts, zone, left, back))
        and not any(business_day(left.since, zone) < day for day in hired)
    }
    found: list[tuple[Fact | None, Fact | None]] = []
    for row in rows:
        going_on = bool(found) and found[-1][1] is None
        if is_employed(row.value) and not going_on:
            found.append((row, None))
        elif status_of(row.value) is Status.TERMINATED and row not in never_gone and (going_on or not found):
            found[-1:] = [(found[-1][0] if found else None, row)]
    return found


def _is_put_off(facts: Facts, zone: ZoneInfo, left: Fact, back: Fact) -> bool:
    """Tell whether HR moved or took back a last day after it was stated, and a full sync shows that nobody left."""
    if back.source != SHOWN:
        return False
    since = business_day(back.since, zone)
    for row in reversed(_last_days_said(facts)):
        if left.stated < row.stated <= back.stated and (isinstance(row.value, str) or _takes_back(facts, row)):
            return row.value is None or date.fromisoformat(str(row.value)) >= since
    return False


def _last_day(facts: Facts, zone: ZoneInfo, left: Fact, before: date | None, until: date | None) -> date:
    """Return the last day of a spell: the termination date that was stated last.

    Not one of a spell `before` or `until` which this one lasts at most, and not one that was announced and taken back,
    or passed without anybody leaving.
    """
    seen = business_day(left.since, zone)
    found: date | None = None
    for row in _last_days_said(facts):
        if not isinstance(row.value, str):
            found = None if row.stated < left.stated and row.source != SHOWN else found
            continue
        day = date.fromisoformat(row.value)
        carried_out = seen <= day + _CARRIED_OUT_WITHIN or business_day(row.stated, zone) > day
        if carried_out and not (before and day <= before) and not (until and day >= until):
            found = day
    return found or seen


def _last_days_said(facts: Facts) -> list[Fact]:
    """Return what was stated of the last day, one after the other: who repeats a day says that it was carried out."""
    return sorted(facts.get("terminationDate", ()), key=lambda fact: fact.order)


def _hire_date(hired: list[date], after: date | None, until: date | None) -> date | None:
    """Return the hire date of a spell: the one stated last of those that lie after the spell before it."""
    found: date | None = None
    for day in hired:
        if (after and day <= after) or (until and day > until):
            continue
        if found is None or day - found <= _CORRECTED_BY:
            found = day
    return found


def _days(facts: Iterable[Fact]) -> list[date]:
    """Return the days that were stated, in the order of the statements."""
    return [date.fromisoformat(str(row.value)) for row in _dated(facts)]


def _dated(facts: Iterable[Fact]) -> list[Fact]:
    return sorted((row for row in timeline(facts) if isinstance(row.value, str)), key=lambda row: row.order)
