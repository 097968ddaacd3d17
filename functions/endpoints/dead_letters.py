"""Dead letters over HTTP (INC-71)."""

from datetime import datetime

from functions.answering import ApiRequest, ApiResult
from functions.dropped_files import INBOXES, POISON_QUEUE
from shared.hub import Hub
from shared.kernel.errors import FieldProblem, InvalidRequest
from shared.messaging.dead_letter import Kind, Status
from shared.messaging.dead_letter_requests import FILTERS, DiscardBody, DiscardManyBody, ManyBody, ResubmitBody
from shared.messaging.queue_names import QUEUES


def list_all(hub: Hub, request: ApiRequest) -> ApiResult:
    """List dead letters, newest first; filters by name, `from` and `to` of the message's time."""
    allowed = {"queue": _queues(), "status": list(Status), "kind": list(Kind)}
    values = {name: request.choice(name, allowed[name]) if name in allowed else request.query(name) for name in FILTERS}
    equal = {name: value for name, value in values.items() if value}
    since, until = request.instant("from"), request.instant("to")
    _check_order(since, until, "to")
    query = f"dead-letters|{sorted(equal.items())}|{since}|{until}"
    position = hub.page_tokens.read(query, request.query("pageToken"))
    items, following = hub.dead_letters.page(
        size=request.page_size(), position=position, equal=equal, since=since, until=until
    )
    return ApiResult(items, metadata={"nextPageToken": hub.page_tokens.write(query, following)})


def _chosen(hub: Hub, body: ManyBody) -> tuple[list[str], bool]:
    """Return what a request is about. InvalidRequest for a filter that nothing can fit."""
    if body.filter is not None:
        if body.filter.queue not in (None, *_queues()):
            problem = FieldProblem("filter.queue", f"must be one of {', '.join(_queues())}")
            raise InvalidRequest("the filter is not valid", (problem,))
        _check_order(body.filter.since, body.filter.until, "filter.to")
    return body.chosen(hub.dead_letters)


def _check_order(since: datetime | None, until: datetime | None, name: str) -> None:
    if since and until and since > until:
        raise InvalidRequest(f"{name} is not valid", (FieldProblem(name, "must not lie before from"),))


def _queues() -> tuple[str, ...]:
    """Return what dead letters may be of: the queues, the inboxes for files, and what is of no inbox."""
    return (*QUEUES, *(inbox.container for inbox in INBOXES), POISON_QUEUE)


def show(hub: Hub, request: ApiRequest) -> ApiResult:
    """Show a dead letter with its message."""
    return ApiResult(hub.dead_letters.show(request.path("id")))


def resubmit(hub: Hub, request: ApiRequest) -> ApiResult:
    """Send the message again, with other data if given. Idempotent by the dead letter."""
    data = request.body(ResubmitBody).data
    message_id = hub.dead_letters.resubmit(request.path("id"), request.principal.subject, data)
    return ApiResult({"messageId": message_id}, 202)


def discard(hub: Hub, request: ApiRequest) -> ApiResult:
    """Give the message up for good. Idempotent by the dead letter."""
    hub.dead_letters.discard(request.path("id"), request.principal.subject, request.body(DiscardBody).reason)
    return ApiResult({"status": "Discarded"})


def resubmit_many(hub: Hub, request: ApiRequest) -> ApiResult:
    """Send many again, by ID or filter; tells of each what became of it. Idempotent by dead letter."""
    ids, more = _chosen(hub, request.body(ManyBody))
    return ApiResult(hub.dead_letters.resubmit_many(ids, request.principal.subject), 202, {"more": more})


def discard_many(hub: Hub, request: ApiRequest) -> ApiResult:
    """Give many up for good, by ID or filter; tells of each what became of it. Idempotent by dead letter."""
    body = request.body(DiscardManyBody)
    ids, more = _chosen(hub, body)
    outcomes = hub.dead_letters.discard_many(ids, request.principal.subject, body.reason)
    return ApiResult(outcomes, metadata={"more": more})
