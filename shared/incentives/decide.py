"""Submitting, approving and rejecting calculations, one or many (INC-42)."""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from shared.incentives.calculation import Action, Calculation, Kind
from shared.incentives.calculation_id import period_of_id
from shared.incentives.context import NOTIFICATION_QUEUE, IncentiveContext
from shared.kernel.errors import CallerError, Forbidden, NotFound
from shared.kernel.message import new_message
from shared.kernel.money import amount_text


@dataclass(frozen=True)
class Actor:
    """Who acts: the subject that is kept in the audit trail, and everything that he may be known as."""

    subject: str
    identities: frozenset[str] = field(default=frozenset(), repr=False)
    address: str = field(default="", repr=False)


@dataclass(frozen=True)
class Outcome:
    """What became of one calculation: its state afterwards, or why it was left as it was."""

    calculation_id: str
    state: str = ""
    code: str = ""
    reason: str = ""


def submit(context: IncentiveContext, ids: Collection[str], actor: Actor) -> list[Outcome]:
    """Submit calculations for approval. Idempotent."""

    def change(calculation: Calculation) -> Calculation:
        after = calculation.after(Action.SUBMIT, at=context.clock(), by=actor.subject)
        return replace(after, submitted_by=actor.subject, submitter_address=actor.address)

    return _decide(context, ids, Action.SUBMIT, actor, change)


def approve(context: IncentiveContext, ids: Collection[str], actor: Actor, note: str = "") -> list[Outcome]:
    """Approve calculations. Nobody approves what he himself is paid, or an amount that he himself brought in."""

    def change(calculation: Calculation) -> Calculation:
        _refuse_own(context, calculation, actor)
        return calculation.after(Action.APPROVE, at=context.clock(), by=actor.subject, note=note)

    return _decide(context, ids, Action.APPROVE, actor, change)


def reject(context: IncentiveContext, ids: Collection[str], actor: Actor, reason: str) -> list[Outcome]:
    """Reject calculations, with the reason that their employees are told."""

    def change(calculation: Calculation) -> Calculation:
        return calculation.after(Action.REJECT, at=context.clock(), by=actor.subject, note=reason)

    return _decide(context, ids, Action.REJECT, actor, change)


def _refuse_own(context: IncentiveContext, calculation: Calculation, actor: Actor) -> None:
    identities = {one.lower() for one in (actor.subject, *actor.identities) if one}
    member = context.staff_member(calculation.employee_id, period_of_id(calculation.calculation_id))
    own = {calculation.employee_id.lower(), *(member.identities if member else ())}
    if identities & own:
        raise Forbidden(f"calculation {calculation.calculation_id} is your own: somebody else must approve it")
    if calculation.kind is not Kind.PLAN and calculation.created_by == actor.subject:
        raise Forbidden(f"you brought in calculation {calculation.calculation_id}: somebody else must approve it")


def _decide(
    context: IncentiveContext,
    ids: Collection[str],
    action: Action,
    actor: Actor,
    change: Callable[[Calculation], Calculation],
) -> list[Outcome]:
    """Change each calculation by itself; one that cannot be changed does not stop the others."""
    outcomes: dict[str, Outcome] = {}
    changed: list[Calculation] = []
    for period, group in _by_period(ids, outcomes).items():

        def decide(key: str, standing: Calculation | None) -> Calculation | None:
            try:
                if standing is None:
                    raise _missing(key)
                after = change(standing)
            except CallerError as error:
                outcomes[key] = Outcome(key, standing.state.value if standing else "", error.code, error.message)
                return None
            outcomes[key] = Outcome(key, after.state.value)
            return after

        changed += context.calculations.change(period, group, decide).values()
    if changed:
        _tell(context, action, actor, changed)
    return [outcomes[key] for key in dict.fromkeys(ids)]


def _by_period(ids: Collection[str], outcomes: dict[str, Outcome]) -> Mapping[str, Sequence[str]]:
    groups: dict[str, list[str]] = defaultdict(list)
    for key in dict.fromkeys(ids):
        try:
            groups[period_of_id(key).name].append(key)
        except ValueError:
            error = _missing(key)
            outcomes[key] = Outcome(key, "", error.code, error.message)
    return groups


def _missing(calculation_id: str) -> NotFound:
    return NotFound(f"there is no calculation {calculation_id[:60]!r}")


_EVENTS = {
    Action.SUBMIT: "approval.required",
    Action.APPROVE: "approval.approved",
    Action.REJECT: "approval.rejected",
}


def _tell(context: IncentiveContext, action: Action, actor: Actor, changed: Sequence[Calculation]) -> None:
    """Send one message for all: who tells it on looks the calculations up."""
    by_period: dict[str, list[Calculation]] = defaultdict(list)
    for calculation in changed:
        by_period[calculation.period].append(calculation)
    for period, group in by_period.items():
        data: dict[str, Any] = {
            "period": period,
            "ids": [one.calculation_id for one in group],
            "count": len(group),
            "total": amount_text(sum(one.net_minor for one in group)),
            "currency": group[0].currency,
            "by": actor.subject,
        }
        message_id = context.new_id()
        message = new_message(
            message_id=f"{message_id}-{_EVENTS[action]}",
            message_type=_EVENTS[action],
            tenant=context.tenant,
            now=context.clock(),
            subject=period,
            correlation_id=message_id,
            data=data,
        )
        context.queues.send(NOTIFICATION_QUEUE, message)
