"""The links on which clients receive: messages go out as credit comes in, and outcomes come back."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from proton import Condition, Delivery, Link, Sender, symbol

from tests.servicebus.encoding import as_delivered
from tests.servicebus.management import error_of
from tests.servicebus.queue_state import QueueState
from tests.servicebus.stored_message import LockLost, NotAllowed, StoredMessage

ORIGIN: Any = {symbol("origin"): "service bus double"}
"""The details of every error: the SDK fails, or waits for ever, when an error has none."""


@dataclass(eq=False)
class Consumer:
    """A client that receives from a queue over one link."""

    link: Sender
    queue: QueueState
    deletes: bool
    """Receive-and-delete: a message is gone when it is sent."""

    def deliver(self, message: StoredMessage) -> None:
        """Send a locked message. The delivery tag is the lock token, in the byte order of .NET."""
        token = message.lock_token
        assert token is not None
        delivery = self.link.delivery(token.bytes_le)  # type: ignore[arg-type]  # bytes are what AMQP has
        delivery.lock_token = token
        self.link.stream(as_delivered(message))
        self.link.advance()
        if self.deletes:
            self.queue.complete(token)
            delivery.settle()


class Consumers:
    """Every consumer of every queue. Competing consumers take turns, one message each."""

    def __init__(self, wake_at: Callable[[QueueState, float], None]) -> None:
        """Start with none. `wake_at` is told when a queue changes by itself; `pump` is then due."""
        self._of_queue: dict[QueueState, deque[Consumer]] = {}
        self._wake_at = wake_at

    def add(self, consumer: Consumer) -> None:
        """Let a link receive."""
        self._of_queue.setdefault(consumer.queue, deque()).append(consumer)

    def remove(self, consumer: Consumer) -> None:
        """Forget a link. What it holds stays locked until its locks end, as with a client that was killed."""
        waiting = self._of_queue.get(consumer.queue)
        if waiting is not None and consumer in waiting:
            waiting.remove(consumer)

    def pump(self, queue: QueueState) -> None:
        """Send what is there to those who have credit; give unused credit back to those who drain."""
        waiting = self._of_queue.get(queue, deque())
        without_credit = 0
        while without_credit < len(waiting):
            consumer = waiting[0]
            waiting.rotate(-1)
            if consumer.link.credit <= 0:
                without_credit += 1
                continue
            message = queue.receive()
            if message is None:
                break
            consumer.deliver(message)
            without_credit = 0
        for consumer in waiting:
            if consumer.link.drain_mode:
                consumer.link.drained()
        change = queue.next_change_at()
        if change is not None:
            self._wake_at(queue, change)


def settle(queue: QueueState, delivery: Delivery) -> None:
    """Apply the client's outcome to the message, and confirm it with the same outcome, or refuse it with an error."""
    token: UUID = delivery.lock_token
    outcome = delivery.remote_state
    try:
        _apply(queue, token, delivery)
    except (LockLost, NotAllowed) as error:
        delivery.local.condition = condition_of(error)
        outcome = Delivery.REJECTED
    delivery.update(outcome)
    delivery.settle()


def _apply(queue: QueueState, token: UUID, delivery: Delivery) -> None:
    outcome = delivery.remote_state
    if outcome == Delivery.ACCEPTED:
        queue.complete(token)
    elif outcome == Delivery.REJECTED:
        queue.dead_letter(token, _detail(delivery, "DeadLetterReason"), _detail(delivery, "DeadLetterErrorDescription"))
    elif outcome == Delivery.MODIFIED:
        delivery.local.failed = True
        delivery.local.undeliverable = delivery.remote.undeliverable
        if delivery.remote.undeliverable:
            queue.defer(token)
        else:
            queue.abandon(token)
    else:
        queue.release(token)


def _detail(delivery: Delivery, name: str) -> str | None:
    condition = delivery.remote.condition
    details = condition.info if condition is not None else None
    value = details.get(name) if isinstance(details, dict) else None
    return None if value is None else str(value)


def condition_of(error: Exception) -> Condition:
    """Return the error as clients want it."""
    return Condition(error_of(error)[1], str(error), ORIGIN)


def deletes_on_receipt(link: Link) -> bool:
    """Say whether a client receives without confirming."""
    return bool(link.remote_snd_settle_mode == Link.SND_SETTLED)
