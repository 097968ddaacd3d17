"""What is known of a record, field by field, so that the order in which it became known does not matter (INC-23).

A fact says: from `since` on this field has this value; stated at `stated` by `source`. The value of a field at an
instant is the fact with the latest `since` that is not after it; of two with the same `since` the later stated one
counts, then the greater source. Facts can be added in any order and any number of times: the result is the same.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.kernel.clock import from_iso

FieldValue = str | int | bool | None


@dataclass(frozen=True)
class Fact:
    """One statement about one field."""

    since: datetime
    stated: datetime
    source: str
    value: FieldValue

    @property
    def order(self) -> tuple[datetime, datetime, str, str]:
        """Decides which of two facts counts; the value itself comes last, so that no two facts are equal in rank."""
        return self.since, self.stated, self.source, json.dumps(self.value)


WITH_HISTORY = frozenset({"role", "storeId", "erpEmployeeId"})
"""Fields whose past values are kept: what somebody is paid for a period depends on what they were in it."""
_KEPT_FOR = timedelta(days=400)
_MOST_KEPT = 50
"""Past facts of a field, whatever their age: a row must stay small."""

Facts = Mapping[str, tuple[Fact, ...]]
"""Field -> its facts, the earliest first."""


def add_facts(known: Facts, added: Mapping[str, Fact], now: datetime) -> dict[str, tuple[Fact, ...]]:
    """Return what is known afterwards, without facts that can never count again after `now`.

    Of fields with a history those are kept that counted within the last 400 days, fifty at most.
    """
    result = dict(known)
    for field, fact in added.items():
        result[field] = _pruned({*result.get(field, ()), fact}, now, history=field in WITH_HISTORY)
    return result


def value_at(facts: Iterable[Fact], instant: datetime) -> FieldValue:
    """Return the value of a field at an instant, None when nothing is known of it."""
    fact = fact_at(facts, instant)
    return fact.value if fact else None


def fact_at(facts: Iterable[Fact], instant: datetime) -> Fact | None:
    """Return the fact that counts at an instant."""
    return max((fact for fact in facts if fact.since <= instant), key=lambda fact: fact.order, default=None)


def first_known(facts: Iterable[Fact], instant: datetime) -> FieldValue:
    """Return the value of a field at an instant; before anything counts, the one that counts first."""
    known = sorted(facts, key=lambda fact: fact.order)
    fact = fact_at(known, instant) or (known[0] if known else None)
    return fact.value if fact else None


def values_at(known: Facts, instant: datetime) -> dict[str, FieldValue]:
    """Return every field's value at an instant."""
    return {field: fact.value for field, facts in known.items() if (fact := fact_at(facts, instant))}


def to_json(known: Facts) -> dict[str, Any]:
    """Return facts as JSON."""
    return {
        field: [[_text(one.since), _text(one.stated), one.source, one.value] for one in facts]
        for field, facts in sorted(known.items())
    }


def from_json(content: Mapping[str, Any]) -> dict[str, tuple[Fact, ...]]:
    """Read what `to_json` wrote."""
    return {
        field: tuple(Fact(from_iso(since), from_iso(stated), source, value) for since, stated, source, value in facts)
        for field, facts in content.items()
    }


def _pruned(facts: Iterable[Fact], now: datetime, *, history: bool) -> tuple[Fact, ...]:
    ordered = sorted(facts, key=lambda fact: fact.order)
    counting = _place(ordered, now)
    if history:
        counting = max(_place(ordered, now - _KEPT_FOR), counting - _MOST_KEPT)
    return tuple(ordered[counting:])


def _place(ordered: Sequence[Fact], instant: datetime) -> int:
    """Return the place of the fact that counts at an instant, 0 when none does."""
    counting = fact_at(ordered, instant)
    return ordered.index(counting) if counting else 0


def _text(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat(timespec="microseconds")
