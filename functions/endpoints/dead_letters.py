"""Dead letters over HTTP (INC-71)."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from functions.answering import ApiRequest, ApiResult
from shared.hub import Hub
from shared.kernel.clock import from_iso
from shared.kernel.errors import FieldProblem, HubError, InvalidRequest

_FILTERS = ("queue", "status", "reason", "kind", "messageType", "correlationId")


class ResubmitBody(BaseModel):
    """`{"data": {...}}` replaces the message's payload; without it, the message is sent as it was."""

    model_config = ConfigDict(extra="forbid")
    data: dict[str, Any] | None = None


class DiscardBody(BaseModel):
    """`{"reason": "..."}`."""

    model_config = ConfigDict(extra="forbid")
    reason: str = Field(min_length=1, max_length=1000)


class ManyBody(BaseModel):
    """`{"ids": [...]}`, 100 at most."""

    model_config = ConfigDict(extra="forbid")
    ids: list[str] = Field(min_length=1, max_length=100)
    reason: str = Field(default="", max_length=1000)


def list_all(hub: Hub, request: ApiRequest) -> ApiResult:
    """List dead letters, newest first; filters by name, `from` and `to` of the message's time."""
    equal = {name: value for name in _FILTERS if (value := request.query(name))}
    since, until = _instant(request, "from"), _instant(request, "to")
    query = f"dead-letters|{sorted(equal.items())}|{since}|{until}"
    position = hub.page_tokens.read(query, request.query("pageToken"))
    items, following = hub.dead_letters.page(
        size=request.page_size(), position=position, equal=equal, since=since, until=until
    )
    return ApiResult(items, metadata={"nextPageToken": hub.page_tokens.write(query, following)})


def show(hub: Hub, request: ApiRequest) -> ApiResult:
    """Show a dead letter with its message."""
    return ApiResult(hub.dead_letters.show(request.path("id")))


def resubmit(hub: Hub, request: ApiRequest) -> ApiResult:
    """Send the message again."""
    data = request.body(ResubmitBody).data
    message_id = hub.dead_letters.resubmit(request.path("id"), request.principal.subject, data)
    return ApiResult({"messageId": message_id}, 202)


def discard(hub: Hub, request: ApiRequest) -> ApiResult:
    """Give the message up for good."""
    hub.dead_letters.discard(request.path("id"), request.principal.subject, request.body(DiscardBody).reason)
    return ApiResult({"status": "Discarded"})


def resubmit_many(hub: Hub, request: ApiRequest) -> ApiResult:
    """Send many again; tells of each what became of it."""
    by = request.principal.subject
    outcomes = [
        _outcome(letter_id, lambda one: {"messageId": hub.dead_letters.resubmit(one, by)})
        for letter_id in request.body(ManyBody).ids
    ]
    return ApiResult(outcomes, 202)


def discard_many(hub: Hub, request: ApiRequest) -> ApiResult:
    """Give many up for good; tells of each what became of it."""
    body = request.body(ManyBody)
    by = request.principal.subject

    def give_up(one: str) -> dict[str, str]:
        hub.dead_letters.discard(one, by, body.reason)
        return {"status": "Discarded"}

    return ApiResult([_outcome(letter_id, give_up) for letter_id in body.ids])


def _outcome(letter_id: str, act: Any) -> dict[str, Any]:  # noqa: ANN401 - one of the two acts above
    """One that cannot be done never stops the others."""
    try:
        return {"id": letter_id, **act(letter_id)}
    except HubError as error:
        return {"id": letter_id, "error": {"code": error.code, "message": error.message}}


def _instant(request: ApiRequest, name: str) -> Any:  # noqa: ANN401 - datetime or None
    text = request.query(name)
    try:
        return from_iso(text) if text else None
    except ValueError:
        problem = FieldProblem(name, "must be ISO 8601 with an offset, such as 2025-01-15T00:00:00Z")
        raise InvalidRequest(f"{name} is not valid", (problem,)) from None
