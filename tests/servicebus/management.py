"""What clients ask over request and response links: management operations of a queue, and tokens (`$cbs`)."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

from proton import UNDESCRIBED, Array, Data, Message, int32, symbol, timestamp

from tests.servicebus.broker import MAX_MESSAGE_BYTES, Broker, MessageTooLarge, QueueNotFound
from tests.servicebus.encoding import Malformed, as_delivered, due_time_of, message_id_of
from tests.servicebus.queue_state import QueueState
from tests.servicebus.stored_message import LockLost, MessageNotFound, NotAllowed

Body = dict[str, Any]
Answer = tuple[int, Body | None]

_ERRORS: Mapping[type[Exception], tuple[int, str]] = {
    LockLost: (410, "com.microsoft:message-lock-lost"),
    MessageNotFound: (404, "com.microsoft:message-not-found"),
    QueueNotFound: (404, "amqp:not-found"),
    MessageTooLarge: (413, "amqp:link:message-size-exceeded"),
    Malformed: (400, "amqp:decode-error"),
    NotAllowed: (400, "amqp:not-allowed"),
    KeyError: (400, "com.microsoft:argument-error"),
}


def error_of(error: Exception) -> tuple[int, str]:
    """Return the status and the condition that tell a client of an error of the broker."""
    return _ERRORS[type(error)]


def put_token(request: Message) -> Message:
    """Answer a token: every shared access signature is accepted, anything else refused."""
    is_signature = str(request.body).startswith("SharedAccessSignature ")
    status, description = (202, "Accepted") if is_signature else (401, "no shared access signature")
    return _reply(request, {"status-code": int32(status), "status-description": description}, None)


def execute(broker: Broker, entity: str, request: Message) -> Message:
    """Do a management operation and return the reply, which tells of failure too."""
    try:
        operation = _OPERATIONS.get(str(_map(request.properties).get("operation")))
        if operation is None:
            return _managed(request, 501, "amqp:not-implemented", "this double has no such operation")
        status, body = operation(broker.queue(entity), _map(request.body))
    except tuple(_ERRORS) as error:
        status, condition = error_of(error)
        return _managed(request, status, condition, str(error))
    return _managed(request, status, None, "OK", body)


def _managed(
    request: Message, status: int, condition: str | None, description: str, body: Body | None = None
) -> Message:
    properties: dict[str, Any] = {"statusCode": int32(status), "statusDescription": description}
    if condition is not None:
        properties["errorCondition"] = symbol(condition)
    return _reply(request, properties, body)


def _reply(request: Message, properties: dict[str, Any], body: Body | None) -> Message:
    return Message(body=body if body is not None else {}, properties=properties, correlation_id=request.id)


def _renew_locks(queue: QueueState, body: Body) -> Answer:
    ends = [queue.renew(token) for token in body["lock-tokens"]]
    return 200, {"expirations": _array(Data.TIMESTAMP, [timestamp(round(end * 1000)) for end in ends])}


def _peek(queue: QueueState, body: Body) -> Answer:
    found = queue.peek(int(body["from-sequence-number"]), int(body["message-count"]))
    return (200 if found else 204), {"messages": [{"message": as_delivered(one)} for one in found]}


def _schedule(queue: QueueState, body: Body) -> Answer:
    contents = [bytes(one["message"]) for one in body["messages"]]
    for content in contents:
        if len(content) > MAX_MESSAGE_BYTES:
            raise MessageTooLarge(f"A scheduled message of {len(content)} bytes exceeds {MAX_MESSAGE_BYTES} bytes.")
    numbers = [queue.send(content, message_id_of(content), due_time_of(content)) for content in contents]
    return 200, {"sequence-numbers": _array(Data.LONG, numbers)}


def _cancel(queue: QueueState, body: Body) -> Answer:
    for number in body["sequence-numbers"]:
        queue.cancel(int(number))
    return 200, None


def _receive_deferred(queue: QueueState, body: Body) -> Answer:
    found = [queue.receive_deferred(int(number)) for number in body["sequence-numbers"]]
    return 200, {"messages": [{"lock-token": one.lock_token, "message": as_delivered(one)} for one in found]}


def _update_disposition(queue: QueueState, body: Body) -> Answer:
    def dead_letter(token: UUID) -> None:
        queue.dead_letter(token, body.get("deadletter-reason"), body.get("deadletter-description"))

    settle = {
        "completed": queue.complete,
        "abandoned": queue.abandon,
        "defered": queue.defer,
        "suspended": dead_letter,
    }[body["disposition-status"]]
    for token in body["lock-tokens"]:
        settle(token)
    return 200, None


def _map(value: object) -> Body:
    return value if isinstance(value, dict) else {}


def _array(kind: int, members: Sequence[object]) -> Array:
    return Array(UNDESCRIBED, kind, *members)  # type: ignore[arg-type]  # as the library itself marks it


_OPERATIONS: Mapping[str, Callable[[QueueState, Body], Answer]] = {
    "com.microsoft:renew-lock": _renew_locks,
    "com.microsoft:peek-message": _peek,
    "com.microsoft:schedule-message": _schedule,
    "com.microsoft:cancel-scheduled-message": _cancel,
    "com.microsoft:receive-by-sequence-number": _receive_deferred,
    "com.microsoft:update-disposition": _update_disposition,
}
