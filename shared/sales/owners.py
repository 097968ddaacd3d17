"""Who an ERP employee ID stands for, and from which business day on (INC-05, INC-23).

An ERP ID changes hands, and news of it comes late, twice, or in the wrong order. So what is kept of an ID is not its
owner but the claims to it. They can be added in any order and any number of times: the owners are the same.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from itertools import groupby

MOST_CLAIMS = 1000
"""Of an ERP ID; the earliest are forgotten first: a row must not grow for ever, however often an ID changes hands."""

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Claim:
    """From a business day on an ERP ID stands for an employee, as a source stated at an instant.

    Of two claims the one from the later day counts, then the one stated later, then the greater source. One that does
    not hold says that from this day on the ID is not the employee's: it ends what he claimed from an earlier day, and
    takes back what he claimed from the same one. None: whatever was said of the employee for this day never was.
    """

    since: date
    stated: datetime
    source: str
    employee_id: str
    holds: bool | None = True
    revision: int = 0
    """How much was known of the employee: what was claimed when more was known replaces what was claimed before."""
    vacates: bool = False
    """From this day on the employee ID is another person's: without another owner, the ERP ID has none."""

    @property
    def order(self) -> tuple[date, datetime, str, str]:
        """Decides which of two claims counts."""
        return self.since, self.stated, self.source, self.employee_id


@dataclass(frozen=True)
class Days:
    """Business days, both inclusive."""

    first: date
    last: date


@dataclass(frozen=True)
class Owners:
    """Everything that is known of the owners of one ERP ID."""

    claims: tuple[Claim, ...] = ()

    @cached_property
    def turns(self) -> Mapping[date, str]:
        """The day from which on, the owner; the earliest first.

        Who has given an ID up keeps it until somebody else has it: sales are better theirs than nobody's. Only whoever
        got the employee ID of somebody who left does not get their sales.
        """
        turns: dict[date, str] = {}
        latest: dict[str, Claim] = {}
        owner = ""
        for since, claims in groupby(self.claims, key=lambda claim: claim.since):
            latest |= _of_one_day(claims, latest)
            holding = [claim for claim in latest.values() if claim.holds]
            if holding:
                now = max(holding, key=lambda claim: claim.order).employee_id
            else:
                now = "" if owner in latest and latest[owner].vacates else owner
            if now != owner:
                turns[since] = owner = now
        return turns

    def on(self, day: date) -> str | None:
        """Return the owner on a business day, None when there never was one.

        The first owner also owns the days before: sales come before the hub knows of the employee who made them.
        """
        owner = None
        for since, employee_id in self.turns.items():
            if owner is not None and since > day:
                break
            owner = employee_id
        return owner or None

    def with_claims(self, claims: Iterable[Claim]) -> "Owners":
        """Return what is known afterwards, without claims that can never count again."""
        known = sorted({*self.claims, *claims}, key=lambda claim: (claim.revision, claim.order, str(claim.holds)))
        latest = {(claim.since, claim.employee_id, claim.revision > 0): claim for claim in known}
        return Owners(tuple(sorted(latest.values(), key=lambda claim: claim.order)[-MOST_CLAIMS:]))


def _of_one_day(claims: Iterable[Claim], before: Mapping[str, Claim]) -> dict[str, Claim]:
    """Return what each employee claims from a day on. `before`: what they had claimed from earlier days."""
    found: dict[str, Claim] = {}
    for claim in claims:
        if claim.holds is not None:
            found[claim.employee_id] = claim
        elif claim.employee_id in before:
            found[claim.employee_id] = before[claim.employee_id]
        else:
            found.pop(claim.employee_id, None)
    return found


def days_that_changed(before: Owners, after: Owners) -> Days | None:
    """Return the days from the first to the last that have another owner than before; None when no day has."""
    starts = sorted({date.min, *before.turns, *after.turns})
    ends = [*(start - _DAY for start in starts[1:]), date.max]
    changed = [
        Days(first, last) for first, last in zip(starts, ends, strict=True) if before.on(first) != after.on(first)
    ]
    return Days(changed[0].first, changed[-1].last) if changed else None


def together(*given: Days | None) -> Days | None:
    """Return the days from the first to the last of all that are given."""
    days = [one for one in given if one]
    return Days(min(one.first for one in days), max(one.last for one in days)) if days else None
