"""Submitting, approving and rejecting calculations, one or many (INC-42)."""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType

from shared.incentives.amend import refuse_outdated as refuse_outdated_amendment
from shared.incentives.approvers import FEW, Actor, Approver
from shared.incentives.calculation import Action, Calculation, Kind, State
from shared.incentives.calculation_id import period_of_id
from shared.incentives.context import IncentiveContext
from shared.incentives.seen import Seen
from shared.incentives.tell_decisions import tell_decision
from shared.incentives.untold_decisions import Decision
from shared.kernel.errors import CallerError, Conflict, NotFound
from shared.kernel.money import amount_text

SeenOf = Mapping[str, Seen]
"""Calculation ID -> what the caller saw of it."""
_NOTHING: SeenOf = MappingProxyType({})


@dataclass(frozen=True)
class Outcome:
    """What became of one calculation: its state afterwards, or why it was left as it was."""

    calculation_id: str
    state: str = ""
    code: str = ""
    reason: str = ""
    now: Calculation | None = field(default=None, compare=False, repr=False)
    """The calculation as it stands afterwards, where there is one."""
    refusal: CallerError | None = field(default=None, compare=False, repr=False)


def submit(context: IncentiveContext, ids: Collection[str], actor: Actor, *, seen: SeenOf = _NOTHING) -> list[Outcome]:
    """Submit calculations for approval. An amendment that was rejected is not submitted again: another one is made."""

    def change(calculation: Calculation, at: datetime) -> Calculation:
        if calculation.kind is Kind.AMENDMENT and calculation.state is State.REJECTED:
            raise Conflict(
                f"amendment {calculation.calculation_id} was rejected: amend calculation {calculation.amends} again"
            )
        _seen(seen, calculation).refuse_another(calculation)
        after = calculation.after(Action.SUBMIT, at=at, by=actor.subject)
        _refuse_outdated(calculation)
        return replace(after, submitted_by=actor.subject, submitter_address=actor.address)

    return _decide(context, ids, seen, Decision(Action.SUBMIT, actor.subject), change)


def approve(
    context: IncentiveContext, ids: Collection[str], actor: Actor, note: str = "", *, seen: SeenOf = _NOTHING
) -> list[Outcome]:
    """Approve calculations, where the actor may (`approvers`)."""
    approver = Approver(context, actor, many=len(ids) > FEW)

    def change(calculation: Calculation, at: datetime) -> Calculation:
        approver.refuse_unfit(calculation)
        _seen(seen, calculation).refuse_another(calculation)
        after = calculation.after(Action.APPROVE, at=at, by=actor.subject, note=note)
        _refuse_outdated(calculation)
        # One that waits can be rejected; so it may be submitted.
        refuse_outdated_amendment(context, calculation)
        return after

    return _decide(context, ids, seen, Decision(Action.APPROVE, actor.subject, note), change)


def reject(
    context: IncentiveContext, ids: Collection[str], actor: Actor, reason: str, *, seen: SeenOf = _NOTHING
) -> list[Outcome]:
    """Reject calculations, with the reason that their employees are told."""

    def change(calculation: Calculation, at: datetime) -> Calculation:
        _seen(seen, calculation).refuse_another(calculation)
        return calculation.after(Action.REJECT, at=at, by=actor.subject, note=reason)

    return _decide(context, ids, seen, Decision(Action.REJECT, actor.subject, reason), change)


def _seen(seen: SeenOf, calculation: Calculation) -> Seen:
    return seen.get(calculation.calculation_id, Seen())


def _refuse_outdated(calculation: Calculation) -> None:
    if calculation.present_net:
        here, net, now = calculation.calculation_id, amount_text(calculation.net_minor), calculation.present_net
        raise Conflict(
            f"calculation {here} comes to {net}, and by the present sales it would come to {now}: "
            "reject it if it waits, and calculate the period again"
        )


def _decide(
    context: IncentiveContext,
    ids: Collection[str],
    seen: SeenOf,
    decision: Decision,
    change: Callable[[Calculation, datetime], Calculation],
) -> list[Outcome]:
    """Change each calculation by itself; one that cannot be changed does not stop the others.

    Idempotent by calculation, actor, note and what was seen: what was decided so already is left as it is. Where that
    is the last thing that happened to it, it is told again under the same message ID, for the process may have died
    before it was told; `tell_what_was_decided` tells where nobody repeats it. All that one request decides on carries
    the same time.
    """
    outcomes: dict[str, Outcome] = {}
    since = context.clock()
    for period, group in _by_period(ids, outcomes).items():
        decided: dict[str, Calculation] = {}
        untold: list[str] = []

        def decide(key: str, standing: Calculation | None) -> Calculation | None:
            decided.pop(key, None)  # noqa: B023 - called inside this turn of the loop alone
            if standing is None:
                outcomes[key] = _refused(key, None, _missing(key))
                return None
            repeated = _seen(seen, standing).is_repeated(decision, standing)
            try:
                after = standing if repeated else change(standing, since)
            except CallerError as error:
                outcomes[key] = _refused(key, standing, error)
                return None
            if decision.made(after):
                decided[key] = after  # noqa: B023
            outcomes[key] = Outcome(key, after.state.value, now=after)
            return None if after is standing else after

        def announce() -> None:
            untold.append(context.new_id())  # noqa: B023
            context.untold.add(untold[0], period, decision, decided, since)  # noqa: B023

        context.calculations.change(period, group, decide, announce)
        if decided:
            tell_decision(context, period, decision, decided)
        for key in untold:
            context.untold.settle(key)
    return [outcomes[key] for key in dict.fromkeys(ids)]


def _by_period(ids: Collection[str], outcomes: dict[str, Outcome]) -> Mapping[str, Sequence[str]]:
    groups: dict[str, list[str]] = defaultdict(list)
    for key in dict.fromkeys(ids):
        try:
            groups[period_of_id(key).name].append(key)
        except ValueError:
            outcomes[key] = _refused(key, None, _missing(key))
    return groups


def _refused(key: str, standing: Calculation | None, error: CallerError) -> Outcome:
    return Outcome(key, standing.state.value if standing else "", error.code, error.message, standing, error)


def _missing(calculation_id: str) -> NotFound:
    return NotFound(f"there is no calculation {calculation_id[:60]!r}")
