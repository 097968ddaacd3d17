"""Deciding on all calculations of a period that wait for it, where their count and total are what the caller saw."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from shared.incentives.calculation import Action, Calculation, Change, State
from shared.incentives.context import IncentiveContext
from shared.incentives.decide import Outcome
from shared.incentives.seen import Seen, etag_of
from shared.incentives.untold_decisions import Decision
from shared.kernel.clock import to_iso
from shared.kernel.errors import FieldProblem, PreconditionFailed, PreconditionRequired
from shared.kernel.money import amount_text

_STATES: Mapping[Action, State] = {Action.SUBMIT: State.DRAFT, Action.APPROVE: State.PENDING}
"""What a whole period is decided on: what was rejected is submitted one by one."""
_MOST_CHANGES = 10
"""Changes that a refusal names."""


@dataclass(frozen=True)
class Total:
    """How many calculations, and what they come to in minor units. None: the caller did not say."""

    count: int | None = None
    net_minor: int | None = None


@dataclass(frozen=True)
class Chosen:
    """What a request for a whole period is about."""

    seen: Mapping[str, Seen]
    """To be decided on now, as it stands: calculation ID -> what it is."""
    done: Sequence[Outcome]
    """Decided by the same request before, whose answer was lost."""
    waiting: Mapping[str, int]
    """Everything that waits for the decision, those to be decided on now among it: calculation ID -> net."""

    def remaining(self, outcomes: Iterable[Outcome]) -> Total:
        """Return what still waits after these outcomes: what the next request for the period has to say."""
        decided = {one.calculation_id for one in outcomes if not one.code}
        left = [net for key, net in self.waiting.items() if key not in decided]
        return Total(len(left), sum(left))


def choose(context: IncentiveContext, period: str, decision: Decision, expected: Total, most: int) -> Chosen:
    """Return what to decide on, `most` calculations at once. PreconditionRequired, PreconditionFailed.

    A repeat is known by what the same decision of the same actor changed: together with what has waited since before,
    it is what was expected. So a request can be repeated until nothing remains, whether its answer was lost, it died in
    the middle, or the period has more than `most`.
    """
    found = _look(context, period, decision, most)
    here = Total(len(found.waiting), sum(found.waiting.values()))
    if expected.count is None or expected.net_minor is None:
        raise PreconditionRequired(
            f"say what you saw of {period}: how many calculations (count), and what they come to (totalNet)",
            _as_it_is(here),
        )
    done = [] if here == expected else _done_before(found, here, expected)
    if done is None:
        raise PreconditionFailed(
            f"{here.count} calculations of {period} wait to be {_PARTICIPLES[decision.action]}, over "
            f"{amount_text(here.net_minor or 0)}: that is not what you saw. Look at them again",
            _as_it_is(here) + _shown_changes(found.latest),
        )
    return Chosen(found.seen, _outcomes(context, period, done[: most - len(found.seen)]), found.waiting)


_PARTICIPLES = {Action.SUBMIT: "submitted", Action.APPROVE: "approved"}


@dataclass
class _Found:
    """What is kept of a period while it is read: a calculation with its breakdown is much larger than this."""

    waiting: dict[str, int] = field(default_factory=dict)
    """Calculation ID -> net."""
    seen: dict[str, Seen] = field(default_factory=dict)
    """Of the first ones that wait."""
    newest_that_waits: datetime | None = None
    decided: dict[datetime, dict[str, int]] = field(default_factory=lambda: defaultdict(dict))
    """When the decision was made before -> calculation ID -> net."""
    latest: Sequence[tuple[str, Change]] = ()
    """The last changes, the newest first, with the IDs of their calculations."""


def _look(context: IncentiveContext, period: str, decision: Decision, most: int) -> _Found:
    """Read a period once, one calculation at a time."""
    found = _Found()
    for one in context.calculations.of_period(period):
        last = one.history[-1]
        found.latest = sorted((*found.latest, (one.calculation_id, last)), key=_time_of, reverse=True)[:_MOST_CHANGES]
        if at := _decided_at(one, decision):
            found.decided[at][one.calculation_id] = one.net_minor
        if one.state is not _STATES[decision.action]:
            continue
        found.waiting[one.calculation_id] = one.net_minor
        found.newest_that_waits = max(last.at, found.newest_that_waits or last.at)
        if len(found.seen) < most:
            found.seen[one.calculation_id] = Seen(frozenset({etag_of(one)}))
    return found


def _time_of(change: tuple[str, Change]) -> datetime:
    return change[1].at


def _done_before(found: _Found, here: Total, expected: Total) -> list[str] | None:
    """Return what the decision changed before, if that makes what waits complete; None when it does not.

    One request changes everything at one time: its parts are added, the newest first.
    """
    done: list[str] = []
    count, net = here.count or 0, here.net_minor or 0
    for at in sorted(found.decided, reverse=True):
        if found.newest_that_waits and found.newest_that_waits > at:
            return None
        done += found.decided[at]
        count, net = count + len(found.decided[at]), net + sum(found.decided[at].values())
        if Total(count, net) == expected:
            return done
    return None


def _outcomes(context: IncentiveContext, period: str, ids: Collection[str]) -> list[Outcome]:
    """Return what became of some calculations, as they stand now."""
    if not ids:
        return []
    wanted = frozenset(ids)
    everything = context.calculations.of_period(period)
    found = {one.calculation_id: one for one in everything if one.calculation_id in wanted}
    return [Outcome(key, found[key].state.value, now=found[key]) for key in ids]


def _decided_at(calculation: Calculation, decision: Decision) -> datetime | None:
    """Return when a decision was last made on a calculation; None when it never was, or its amount changed since."""
    for number in reversed(range(len(calculation.history))):
        if calculation.history[number].action == Action.RECALCULATE.value:
            return None
        if decision.is_entry(calculation, number):
            return calculation.history[number].at
    return None


def _shown_changes(latest: Iterable[tuple[str, Change]]) -> tuple[FieldProblem, ...]:
    return tuple(
        FieldProblem("change", f"calculation {key}: {one.action} by {one.by} at {to_iso(one.at)}")
        for key, one in latest
    )


def _as_it_is(total: Total) -> tuple[FieldProblem, ...]:
    return FieldProblem("count", str(total.count)), FieldProblem("totalNet", amount_text(total.net_minor or 0))
