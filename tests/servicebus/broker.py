"""The queues of a namespace, found by the addresses that clients use."""

import time
from collections.abc import Callable, Mapping
from threading import RLock
from urllib.parse import urlsplit

from tests.servicebus.encoding import due_time_of, message_id_of, messages_of
from tests.servicebus.queue_rules import QueueRules
from tests.servicebus.queue_state import QueueState

MAX_MESSAGE_BYTES = 256 * 1024
"""What the Standard tier accepts for a message, and for a batch."""

_DEAD_LETTERS = "/$deadletterqueue"
_MANAGEMENT = "/$management"


class QueueNotFound(LookupError):
    """No queue has this name, and none may be created."""


class MessageTooLarge(ValueError):
    """More than the tier accepts."""


class Broker:
    """Queues by name (case does not matter). Hold `lock` while a queue is used."""

    def __init__(
        self,
        rules: Mapping[str, QueueRules],
        *,
        default: QueueRules,
        create_missing: bool,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Create the given queues; others come with their first use, by the `default` rules, if `create_missing`."""
        self.lock = RLock()
        self._default = default
        self._create_missing = create_missing
        self._clock = clock
        self._queues = {name.lower(): QueueState(one, clock) for name, one in rules.items()}

    @property
    def names(self) -> list[str]:
        """The names of all queues."""
        return sorted(self._queues)

    def now(self) -> float:
        """Return the time of the broker's clock."""
        return self._clock()

    def queue(self, name: str) -> QueueState:
        """Return a queue, or its dead-letter queue for `name/$DeadLetterQueue`. QueueNotFound."""
        main = name.lower().removesuffix(_DEAD_LETTERS)
        if main not in self._queues:
            if not self._create_missing:
                raise QueueNotFound(f"The messaging entity '{name}' could not be found.")
            self._queues[main] = QueueState(self._default, self._clock)
        found = self._queues[main]
        if name.lower() == main:
            return found
        assert found.dead_letters is not None
        return found.dead_letters


def send(queue: QueueState, transfer: bytes) -> None:
    """Put what a client transfers, a message or a batch, on a queue. MessageTooLarge; Malformed, nothing is stored."""
    if len(transfer) > MAX_MESSAGE_BYTES:
        raise MessageTooLarge(
            f"The received message (size: {len(transfer)} bytes) exceeds the limit of {MAX_MESSAGE_BYTES} bytes."
        )
    parts = [(part, message_id_of(part), due_time_of(part)) for part in messages_of(transfer)]
    for part, message_id, due_at in parts:
        queue.send(part, message_id, due_at)


def entity_of(address: str) -> str:
    """Return the path of an address: clients write `amqps://host:port/queue`, `queue` or `/queue`."""
    return (urlsplit(address).path if "://" in address else address).strip("/")


def managed_entity_of(path: str) -> str | None:
    """Return the entity that a path like `queue/$management` manages, or None for any other path."""
    return path[: -len(_MANAGEMENT)] if path.lower().endswith(_MANAGEMENT) else None
