"""Submitting, approving and rejecting calculations over HTTP: what was seen is what is decided (INC-42)."""

from collections.abc import Callable, Collection
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from functions.answering import ApiRequest, ApiResult
from functions.endpoints.calculations import Period
from shared.hub import Hub
from shared.incentives.approvers import Actor
from shared.incentives.calculation import Action
from shared.incentives.decide import Outcome, SeenOf
from shared.incentives.decide import approve as do_approve
from shared.incentives.decide import reject as do_reject
from shared.incentives.decide import submit as do_submit
from shared.incentives.post import Amount
from shared.incentives.seen import Seen, etag_of
from shared.incentives.untold_decisions import Decision
from shared.incentives.whole_period import Total, choose
from shared.kernel.errors import FieldProblem, InvalidRequest, PreconditionRequired
from shared.kernel.money import amount_text
from shared.kernel.pay_period import own_period

Id = Annotated[str, Field(min_length=1, max_length=64)]


class SeenBody(BaseModel):
    """`{"expectedNet": "12.34"}`: what the caller saw, where If-Match does not say it."""

    model_config = ConfigDict(extra="forbid")
    expectedNet: Amount | None = None  # noqa: N815 - JSON is camelCase

    def seen(self, etags: frozenset[str]) -> Seen:
        """Return what the caller saw of a calculation."""
        return Seen(etags, self.expectedNet)


class NoteBody(SeenBody):
    """`{"note": "...", "expectedNet": "12.34"}`."""

    note: str = Field(default="", max_length=500)


class ReasonBody(SeenBody):
    """`{"reason": "...", "expectedNet": "12.34"}`."""

    reason: str = Field(min_length=1, max_length=500)


class Item(SeenBody):
    """`{"id": "...", "etag": "..."}`, or `expectedNet` in its place."""

    id: Id
    etag: str = Field(default="", max_length=100)


class ItemsBody(BaseModel):
    """`{"calculations": [{"id", "etag" or "expectedNet"}]}`. `ids` alone say nothing of what was seen: 428."""

    model_config = ConfigDict(extra="forbid")
    calculations: list[Item] = Field(default_factory=list, max_length=1000)
    ids: list[Id] = Field(default_factory=list, max_length=1000)

    def named(self) -> list[str]:
        """Return the IDs that are named. InvalidRequest when there are none, or both lists."""
        if bool(self.calculations) == bool(self.ids):
            raise _invalid("calculations", "give what is to be decided on: [{id, etag}]")
        return self.ids or [one.id for one in self.calculations]

    def seen(self) -> dict[str, Seen]:
        """Return what the caller saw of each calculation."""
        return {one.id: one.seen(frozenset({one.etag.strip('"')} - {""})) for one in self.calculations}


class ManyBody(ItemsBody):
    """Calculations, or `{"period", "count", "totalNet"}` for all of a period that are in the state for it."""

    period: Period | None = None
    count: int | None = Field(default=None, ge=0)
    totalNet: Amount | None = None  # noqa: N815 - JSON is camelCase
    note: str = Field(default="", max_length=500)


class RejectManyBody(ItemsBody):
    """`{"calculations": [{"id", "etag"}], "reason": "..."}`."""

    reason: str = Field(min_length=1, max_length=500)


def submit(hub: Hub, request: ApiRequest) -> ApiResult:
    """Submit a calculation for approval."""
    one, body = request.path("id"), request.body(SeenBody)
    seen = {one: body.seen(request.if_match())}
    return _one(do_submit(hub.incentives, [one], actor_of(request), seen=seen))


def approve(hub: Hub, request: ApiRequest) -> ApiResult:
    """Approve a calculation."""
    one, body = request.path("id"), request.body(NoteBody)
    seen = {one: body.seen(request.if_match())}
    return _one(do_approve(hub.incentives, [one], actor_of(request), body.note, seen=seen))


def reject(hub: Hub, request: ApiRequest) -> ApiResult:
    """Reject a calculation with a reason."""
    one, body = request.path("id"), request.body(ReasonBody)
    seen = {one: body.seen(request.if_match())}
    return _one(do_reject(hub.incentives, [one], actor_of(request), body.reason, seen=seen))


def submit_many(hub: Hub, request: ApiRequest) -> ApiResult:
    """Submit many: by ID, or all drafts of a period."""
    actor = actor_of(request)

    def act(ids: Collection[str], seen: SeenOf) -> list[Outcome]:
        return do_submit(hub.incentives, ids, actor, seen=seen)

    return _many(hub, request.body(ManyBody), Decision(Action.SUBMIT, actor.subject), act)


def approve_many(hub: Hub, request: ApiRequest) -> ApiResult:
    """Approve many: by ID, or all of a period that are pending."""
    actor, body = actor_of(request), request.body(ManyBody)

    def act(ids: Collection[str], seen: SeenOf) -> list[Outcome]:
        return do_approve(hub.incentives, ids, actor, body.note, seen=seen)

    return _many(hub, body, Decision(Action.APPROVE, actor.subject, body.note), act)


def reject_many(hub: Hub, request: ApiRequest) -> ApiResult:
    """Reject many by ID, with one reason."""
    actor, body = actor_of(request), request.body(RejectManyBody)

    def act(ids: Collection[str], seen: SeenOf) -> list[Outcome]:
        return do_reject(hub.incentives, ids, actor, body.reason, seen=seen)

    return _named(body, act)


def actor_of(request: ApiRequest) -> Actor:
    """Return who acts."""
    principal = request.principal
    return Actor(principal.subject, principal.identities, principal.address)


_MOST = 1000
"""Calculations that one request decides on."""
_NAMED = 50
"""Calculations that a refusal names."""


Act = Callable[[Collection[str], SeenOf], list[Outcome]]


def _many(hub: Hub, body: ManyBody, decision: Decision, act: Act) -> ApiResult:
    """Decide on the calculations that are named, or on those of a period."""
    if body.period is None:
        return _named(body, act)
    if body.calculations or body.ids:
        raise _invalid("calculations", "give either calculations or a period")
    expected = Total(body.count, body.totalNet)
    period = own_period(body.period, hub.incentives.pay_calendar).name
    chosen = choose(hub.incentives, period, decision, expected, _MOST)
    outcomes = [*act(chosen.seen, chosen.seen), *chosen.done]
    return _answered(outcomes, chosen.remaining(outcomes), more=len(chosen.waiting) > len(chosen.seen))


def _named(body: ItemsBody, act: Act) -> ApiResult:
    """Decide on the calculations that are named. PreconditionRequired, before anything is done."""
    ids, seen = body.named(), body.seen()
    if unseen := [one for one in ids if seen.get(one, Seen()) == Seen()]:
        details = tuple(FieldProblem("calculations", f"{one} lacks etag or expectedNet") for one in unseen[:_NAMED])
        raise PreconditionRequired("say what you saw of each calculation: its etag or its net (expectedNet)", details)
    return _answered(act(ids, seen), None, more=False)


def _answered(outcomes: list[Outcome], remaining: Total | None, *, more: bool) -> ApiResult:
    refused = sum(bool(one.code) for one in outcomes)
    metadata: dict[str, object] = {"done": len(outcomes) - refused, "refused": refused, "more": more}
    if remaining:
        left = {"count": remaining.count, "totalNet": amount_text(remaining.net_minor or 0)}
        metadata["remaining"] = left
    return ApiResult([_shown(one) for one in outcomes], 207 if refused else 200, metadata)


def _one(outcomes: list[Outcome]) -> ApiResult:
    outcome = outcomes[0]
    if outcome.refusal:
        raise outcome.refusal
    return ApiResult(_shown(outcome), etag=etag_of(outcome.now) if outcome.now else "")


def _shown(outcome: Outcome) -> dict[str, Any]:
    return {
        "id": outcome.calculation_id,
        "status": outcome.state or None,
        "net": amount_text(outcome.now.net_minor) if outcome.now else None,
        "etag": etag_of(outcome.now) if outcome.now else None,
        "code": outcome.code or None,
        "reason": outcome.reason or None,
    }


def _invalid(name: str, message: str) -> InvalidRequest:
    return InvalidRequest(f"{name} is not valid", (FieldProblem(name, message),))
