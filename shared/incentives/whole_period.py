"""Deciding on all calculations of a period that wait for it, where their count and total are what the caller saw."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.incentives.calculation import Action, Calculation, State
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
    everything = list(context.calculations.of_period(period))
    waiting = [one for one in everything if one.state is _STATES[decision.action]]
    here = Total(len(waiting), _sum(waiting))
    if expected.count is None or expected.net_minor is None:
        raise PreconditionRequired(
            f"say what you saw of {period}: how many calculations (count), and what they come to (totalNet)",
            _as_it_is(here),
        )
    done = [] if here == expected else _done_before(everything, waiting, decision, expected)
    if done is None:
        raise PreconditionFailed(
            f"{here.count} calculations of {period} wait to be {_PARTICIPLES[decision.action]}, over "
            f"{amount_text(_sum(waiting))}: that is not what you saw. Look at them again",
            _as_it_is(here) + _latest_changes(everything),
        )
    return Chosen(
        {one.calculation_id: Seen(frozenset({etag_of(one)})) for one in waiting[:most]},
        [Outcome(one.calculation_id, one.state.value, now=one) for one in done[: most - len(waiting[:most])]],
        {one.calculation_id: one.net_minor for one in waiting},
    )


_PARTICIPLES = {Action.SUBMIT: "submitted", Action.APPROVE: "approved"}


def _done_before(
    everything: Iterable[Calculation], waiting: Sequence[Calculation], decision: Decision, expected: Total
) -> list[Calculation] | None:
    """Return what the decision changed before, if that makes what waits complete; None when it does not.

    One request changes everything at one time: its parts are added, the newest first.
    """
    parts: dict[datetime, list[Calculation]] = defaultdict(list)
    for one in everything:
        if at := _decided_at(one, decision):
            parts[at].append(one)
    newest_that_waits = max((one.history[-1].at for one in waiting), default=None)
    done: list[Calculation] = []
    for at in sorted(parts, reverse=True):
        if newest_that_waits and newest_that_waits > at:
            return None
        done += parts[at]
        if Total(len(waiting) + len(done), _sum(waiting) + _sum(done)) == expected:
            return done
    return None


def _decided_at(calculation: Calculation, decision: Decision) -> datetime | None:
    """Return when a decision was last made on a calculation; None when it never was, or its amount changed since."""
    for number in reversed(range(len(calculation.history))):
        if calculation.history[number].action == Action.RECALCULATE.value:
            return None
        if decision.is_entry(calculation, number):
            return calculation.history[number].at
    return None


def _latest_changes(everything: Iterable[Calculation]) -> tuple[FieldProblem, ...]:
    changed = sorted(everything, key=lambda one: one.history[-1].at, reverse=True)[:_MOST_CHANGES]
    return tuple(
        FieldProblem("change", f"calculation {one.calculation_id}: {last.action} by {last.by} at {to_iso(last.at)}")
        for one in changed
        for last in one.history[-1:]
    )


def _as_it_is(total: Total) -> tuple[FieldProblem, ...]:
    return FieldProblem("count", str(total.count)), FieldProblem("totalNet", amount_text(total.net_minor or 0))


def _sum(calculations: Iterable[Calculation]) -> int:
    return sum(one.net_minor for one in calculations)
