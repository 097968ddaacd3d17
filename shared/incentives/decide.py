"""Submitting, approving and rejecting calculations, one or many (INC-42)."""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from shared.incentives.calculation import Action, Calculation, Kind, State
from shared.incentives.calculation_id import period_of_id
from shared.incentives.context import IncentiveContext, Staff
from shared.incentives.tell_decisions import tell_decision
from shared.incentives.untold_decisions import Decision
from shared.kernel.errors import CallerError, Conflict, Forbidden, NotFound
from shared.kernel.money import amount_text
from shared.kernel.pay_period import parse_period


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
    """Submit calculations for approval. An amendment that was rejected is not submitted again: another one is made."""

    def change(calculation: Calculation) -> Calculation:
        if calculation.kind is Kind.AMENDMENT and calculation.state is State.REJECTED:
            raise Conflict(
                f"amendment {calculation.calculation_id} was rejected: amend calculation {calculation.amends} again"
            )
        _refuse_outdated(calculation)
        after = calculation.after(Action.SUBMIT, at=context.clock(), by=actor.subject)
        return replace(after, submitted_by=actor.subject, submitter_address=actor.address)

    return _decide(context, ids, Decision(Action.SUBMIT, actor.subject), change)


def approve(context: IncentiveContext, ids: Collection[str], actor: Actor, note: str = "") -> list[Outcome]:
    """Approve calculations. Nobody approves what he himself is paid, or an amount that he himself brought in."""
    people = _People(context, many=len(ids) > _FEW)

    def change(calculation: Calculation) -> Calculation:
        _refuse_own(people, calculation, actor)
        _refuse_outdated(calculation)
        return calculation.after(Action.APPROVE, at=context.clock(), by=actor.subject, note=note)

    return _decide(context, ids, Decision(Action.APPROVE, actor.subject, note), change)


def reject(context: IncentiveContext, ids: Collection[str], actor: Actor, reason: str) -> list[Outcome]:
    """Reject calculations, with the reason that their employees are told."""

    def change(calculation: Calculation) -> Calculation:
        return calculation.after(Action.REJECT, at=context.clock(), by=actor.subject, note=reason)

    return _decide(context, ids, Decision(Action.REJECT, actor.subject, reason), change)


_FEW = 20
"""Employees who are looked up one by one; of more, everybody is read at once."""


class _People:
    """Who employees may sign in as."""

    def __init__(self, context: IncentiveContext, *, many: bool) -> None:
        self._context, self._many = context, many
        self._by_period: dict[str, Mapping[str, Staff]] = {}

    def identities(self, calculation: Calculation) -> frozenset[str]:
        """Return everything that the employee of a calculation may be known as."""
        period = parse_period(calculation.period)
        if not self._many:
            member = self._context.staff_member(calculation.employee_id, period)
        else:
            if period.name not in self._by_period:
                self._by_period[period.name] = self._context.staff_of(period)
            member = self._by_period[period.name].get(calculation.employee_id)
        return frozenset({calculation.employee_id.lower()}) | (member.identities if member else frozenset())


def _refuse_outdated(calculation: Calculation) -> None:
    if calculation.present_net:
        here, net, now = calculation.calculation_id, amount_text(calculation.net_minor), calculation.present_net
        raise Conflict(
            f"calculation {here} comes to {net}, and by the present sales it would come to {now}: "
            "reject it if it waits, and calculate the period again"
        )


def _refuse_own(people: _People, calculation: Calculation, actor: Actor) -> None:
    identities = {one.lower() for one in (actor.subject, actor.address, *actor.identities) if one}
    if identities & people.identities(calculation):
        raise Forbidden(f"calculation {calculation.calculation_id} is your own: somebody else must approve it")
    if calculation.kind is not Kind.PLAN and calculation.created_by == actor.subject:
        raise Forbidden(f"you brought in calculation {calculation.calculation_id}: somebody else must approve it")


def _decide(
    context: IncentiveContext,
    ids: Collection[str],
    decision: Decision,
    change: Callable[[Calculation], Calculation],
) -> list[Outcome]:
    """Change each calculation by itself; one that cannot be changed does not stop the others.

    Idempotent by calculation, actor and note: what was decided so already is left as it is, and told again under the
    same message ID, for the process may have died before it was told; `tell_what_was_decided` tells where nobody
    repeats it.
    """
    outcomes: dict[str, Outcome] = {}
    since = context.clock()
    for period, group in _by_period(ids, outcomes).items():
        decided: dict[str, Calculation] = {}
        untold: list[str] = []

        def decide(key: str, standing: Calculation | None) -> Calculation | None:
            decided.pop(key, None)  # noqa: B023 - called inside this turn of the loop alone
            try:
                if standing is None:
                    raise _missing(key)
                after = standing if decision.made(standing) else change(standing)
            except CallerError as error:
                outcomes[key] = Outcome(key, standing.state.value if standing else "", error.code, error.message)
                return None
            decided[key] = after  # noqa: B023
            outcomes[key] = Outcome(key, after.state.value)
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
            error = _missing(key)
            outcomes[key] = Outcome(key, "", error.code, error.message)
    return groups


def _missing(calculation_id: str) -> NotFound:
    return NotFound(f"there is no calculation {calculation_id[:60]!r}")
