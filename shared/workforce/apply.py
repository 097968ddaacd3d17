"""What the HR queue's messages ask for: apply an event, go on with a full sync (INC-22, INC-24)."""

from collections.abc import Callable

from shared.kernel.errors import DataRefused, HubError, InvalidRequest
from shared.kernel.message import Message
from shared.workforce.context import WorkforceContext
from shared.workforce.erp_ids import FIELD, claims_of
from shared.workforce.events import Statement, read_envelope, read_statement
from shared.workforce.full_sync import fail_sync, sync_slice
from shared.workforce.person import Person
from shared.workforce.unknown_statuses import tell_unknown_statuses


def handle_hr_message(context: WorkforceContext, message: Message) -> None:
    """Do what a message of the queue `hr-events` asks for. Idempotent by event, or by slice of a full sync."""
    handler = _HANDLERS.get(message.type)
    if handler is None:
        raise DataRefused(f"message {message.id!r} asks for {message.type!r}, which the workforce does not know")
    handler(context, message)


def give_up_hr_message(context: WorkforceContext, message: Message, error: HubError) -> None:
    """Leave an event that was parked to its dead letter; let a full sync that cannot go on end as Failed."""
    if message.type == "hr.sync":
        fail_sync(context, str(message.data["runId"]), error)
    elif delivery_id := message.data.get("deliveryId"):
        context.deliveries.settle(str(delivery_id))


def apply_event(context: WorkforceContext, body: bytes) -> bool:
    """Apply an event; tell whether anything was new. Idempotent, and in any order (INC-23). DataRefused."""
    try:
        statement = read_statement(read_envelope(body), context.rules.time_zone)
    except InvalidRequest as error:
        raise DataRefused(error.message) from None
    return state(context, statement)


def state(context: WorkforceContext, statement: Statement) -> bool:
    """Let the hub know what an event states; tell whether anything was new."""
    now = context.clock()
    known = Person(statement.employee_id)

    def learn(person: Person) -> Person:
        nonlocal known
        known = person.learn(statement.facts, statement.assignments, now)
        return known

    changed = context.employees.change(statement.employee_id, learn)
    if "status" in statement.facts:
        tell_unknown_statuses(context, [known])
    fact = statement.facts.get(FIELD)
    if fact or len(known.holders) > 1:
        # Also when nothing is new: the process may have died between the row and this.
        context.became_known(claims_of(known, [fact] if fact else [], context.rules.time_zone))
    # Not the person as it was before: whoever goes on after a death finds it written.
    context.changed([(known.without(statement.has), known)])
    return changed


def _event(context: WorkforceContext, message: Message) -> None:
    apply_event(context, str(message.data["event"]).encode())
    context.deliveries.settle(str(message.data["deliveryId"]))


_HANDLERS: dict[str, Callable[[WorkforceContext, Message], object]] = {
    "hr.event": _event,
    "hr.sync": lambda context, message: sync_slice(context, str(message.data["runId"]), int(str(message.data["page"]))),
}
