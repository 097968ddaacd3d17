"""What is known of a record, field by field, so that the order in which it became known does not matter (INC-23).

A fact says: from the day of `since` on this field has this value; stated at `stated` by `source`. Facts can be added in
any order and any number of times: the result is the same, because it is worked out by going through them as they were
stated (`timeline`).
"""

import json
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.kernel.clock import from_iso

FieldValue = str | int | bool | None

SHOWN = "~sync"
"""The source of what a full sync saw. Sorts after every event ID: a page made in the same microsecond as an event
has it in it."""
ABSENT = "~sync-absent"
"""The source of what a full sync concludes about somebody who is on no page."""


@dataclass(frozen=True)
class Fact:
    """One statement about one field. `since` is the beginning of a business day."""

    since: datetime
    stated: datetime
    source: str
    value: FieldValue
    from_another: bool = False
    """HR named the value that it replaces, which is another one."""

    @property
    def order(self) -> tuple[datetime, str, datetime, str]:
        """The order of statements; the value itself comes last, so that no two facts are equal in rank."""
        return self.stated, self.source, self.since, json.dumps(self.value)


KEPT_FOR = timedelta(days=400)
MOST_KEPT = 50
"""Past facts of a field, beside the one that counts, and as many to come: a row must stay small."""
_SHORTEST_DAY, _A_DAY, _LONGEST_DAY = timedelta(hours=23), timedelta(hours=24), timedelta(hours=25)

Facts = Mapping[str, tuple[Fact, ...]]
"""Field -> its facts, the earliest first."""


def timeline(facts: Iterable[Fact]) -> list[Fact]:
    """Return the facts that count, each from its day until that of the next one; the earliest first.

    Statements are taken one after another, as they were made. One that names another value than the one that holds on
    its day changes the field from that day until the next day for which something was stated, and replaces what was
    stated for the same day. One that repeats what holds changes nothing; where it speaks of today or later, it takes
    back what had been announced for later days. But where what holds on its day is still to come, and the value that is
    replaced is named, the change has been put off to that day. What a full sync shows takes nothing back: it does not
    see what is to come. The first statement of all holds for the days before, too, unless it names a day.
    """
    known = tuple(facts)
    if len(known) == 1:
        return [one for one in known if one.value is not None]
    rows: list[Fact] = []
    for fact in sorted(known, key=lambda one: one.order):
        earlier = [row for row in rows if row.since <= fact.since or _same_day(row, fact)]
        later = rows[len(earlier) :]
        if later and not earlier and (_is_undated(later[0]) or later[0] not in known):
            earlier.append(replace(later.pop(0), since=fact.since - _A_DAY))
        holds = earlier[-1].value if earlier else None
        if holds != fact.value or type(holds) is not type(fact.value):
            first = earlier[0] if earlier else None
            if first and _same_day(first, fact) and (_is_undated(first) or first not in known):
                earlier[0] = replace(first, since=fact.since - _A_DAY)
            rows = [*(row for row in earlier if not _same_day(row, fact)), fact, *later]
        elif fact.from_another and fact.stated < earlier[-1].since < fact.since:
            rows = [*earlier[:-1], fact, *later]
        elif fact.source not in (SHOWN, ABSENT) and _is_of_today_or_later(fact):
            rows = earlier
    return rows


def _is_undated(fact: Fact) -> bool:
    return timedelta() <= fact.stated - fact.since < _LONGEST_DAY


def _is_of_today_or_later(fact: Fact) -> bool:
    return fact.stated - fact.since < _LONGEST_DAY


def _same_day(row: Fact, fact: Fact) -> bool:
    if row.since == fact.since:
        return True
    # Rows of earlier versions hold the instant of the statement where no date was given.
    return fact.since != fact.stated and timedelta() <= row.since - fact.since < _SHORTEST_DAY


def add_facts(known: Facts, added: Mapping[str, Fact], now: datetime) -> dict[str, tuple[Fact, ...]]:
    """Return what is known afterwards, without facts that have not counted within the last 400 days.

    Of each field fifty past ones at most are kept, and fifty to come.
    """
    result = dict(known)
    for field, fact in added.items():
        result[field] = _pruned({*result.get(field, ()), fact}, now)
    return result


def thinned(known: Facts, most: int) -> dict[str, tuple[Fact, ...]]:
    """Return what is known with fewer past facts and fewer to come, each of every field."""
    latest = max((fact.stated for facts in known.values() for fact in facts), default=datetime.min.replace(tzinfo=UTC))
    return {field: _pruned(facts, latest, most) for field, facts in known.items()}


def value_at(facts: Iterable[Fact], instant: datetime) -> FieldValue:
    """Return the value of a field at an instant, None when nothing is known of it."""
    fact = fact_at(facts, instant)
    return fact.value if fact else None


def fact_at(facts: Iterable[Fact], instant: datetime) -> Fact | None:
    """Return the fact that counts at an instant."""
    return _row_at(timeline(facts), instant)


def first_known(facts: Iterable[Fact], instant: datetime) -> FieldValue:
    """Return the value of a field at an instant; before anything counts, the one that counts first."""
    rows = timeline(facts)
    fact = _row_at(rows, instant) or (rows[0] if rows else None)
    return fact.value if fact else None


def values_at(known: Facts, instant: datetime) -> dict[str, FieldValue]:
    """Return every field's value at an instant."""
    return {field: fact.value for field, facts in known.items() if (fact := fact_at(facts, instant))}


def to_json(known: Facts) -> dict[str, Any]:
    """Return facts as JSON."""
    return {
        field: [
            [_text(one.since), _text(one.stated), one.source, one.value, *([True] if one.from_another else [])]
            for one in facts
        ]
        for field, facts in sorted(known.items())
    }


def from_json(content: Mapping[str, Any]) -> dict[str, tuple[Fact, ...]]:
    """Read what `to_json` wrote."""
    return {
        field: tuple(
            Fact(from_iso(since), from_iso(stated), source, value, *more)
            for since, stated, source, value, *more in facts
        )
        for field, facts in content.items()
    }


def _pruned(facts: Iterable[Fact], now: datetime, most: int = MOST_KEPT) -> tuple[Fact, ...]:
    """Forget what is too old, then what is too much. What was replaced or taken back is kept as long as what counts.

    Otherwise it would count again when it comes again.
    """
    ordered = sorted(facts, key=lambda fact: (fact.since, fact.order))
    rows, oldest = timeline(ordered), now - KEPT_FOR
    first = _row_at(rows, oldest)
    if first:
        ordered = [fact for fact in ordered if fact.since >= first.since or fact.stated >= oldest]
    counting = _row_at(rows, now)
    to_come = bisect_right(ordered, now, key=lambda fact: fact.since)
    past = [fact for fact in ordered[:to_come] if fact is not counting][-most:]
    kept = {*past, *([counting] if counting else []), *ordered[to_come:][:most]}
    return tuple(fact for fact in ordered if fact in kept)


def _row_at(rows: Sequence[Fact], instant: datetime) -> Fact | None:
    place = bisect_right(rows, instant, key=lambda row: row.since)
    return rows[place - 1] if place else None


def _text(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat(timespec="microseconds")
