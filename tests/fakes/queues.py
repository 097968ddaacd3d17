"""Queues in memory: first in, first out, with delays on an injected clock."""

from bisect import insort
from datetime import datetime, timedelta
from itertools import count
from threading import Lock

from shared.adapters.blob_names import check_container_name
from shared.adapters.claim_check import ClaimCheck
from shared.adapters.queue_delays import check_delay
from shared.kernel.blob import Blobs
from shared.kernel.clock import Clock, utc_now
from shared.kernel.message import Message, parse_message
from tests.fakes.blobs import MemoryBlobs
from tests.fakes.hook import Hook


class MemoryQueues:
    """Implements `Queues`; a test takes messages off with `receive`."""

    def __init__(self, clock: Clock = utc_now, blobs: Blobs | None = None, hook: Hook | None = None) -> None:
        """Start empty; large payloads go to `blobs`."""
        self._clock = clock
        self._claims = ClaimCheck(blobs or MemoryBlobs())
        self._hook = hook or Hook()
        self._waiting: dict[str, list[tuple[datetime, int, str]]] = {}
        self._numbers = count()
        self._lock = Lock()

    def send(self, queue: str, message: Message, *, delay: float = 0) -> None:
        """Put a message on a queue, visible after `delay` seconds."""
        check_container_name(queue)
        visible = self._clock() + timedelta(seconds=check_delay(delay))
        text = self._claims.check_in(message).to_json()
        self._hook.before("send", queue, message.id)
        with self._lock:
            insort(self._waiting.setdefault(queue, []), (visible, next(self._numbers), text))
        self._hook.after("send", queue, message.id)

    def resolve(self, message: Message) -> Message:
        """Return the message with its payload."""
        return self._claims.check_out(message)

    def depth(self, queue: str) -> int:
        """Return how many messages wait, the delayed ones too."""
        with self._lock:
            return len(self._waiting.get(queue, []))

    def receive(self, queue: str) -> Message | None:
        """Take the first visible message off the queue (as it travels: call `resolve` for the payload), or None."""
        text = self.take(queue)
        return None if text is None else parse_message(text)

    def take(self, queue: str, index: int = 0) -> str | None:
        """Take one of the visible messages off as text, by its place in the queue (modulo their number), or None."""
        now = self._clock()
        with self._lock:
            waiting = self._waiting.get(queue, [])
            visible = sum(1 for due, _, _ in waiting if due <= now)
            return waiting.pop(index % visible)[2] if visible else None

    def put_back(self, queue: str, text: str) -> None:
        """Put a taken message back at the end, as the broker does when its worker died."""
        with self._lock:
            insort(self._waiting.setdefault(queue, []), (self._clock(), next(self._numbers), text))

    def messages(self, queue: str) -> list[Message]:
        """Return all waiting messages in the order in which they become visible; none is taken off."""
        return [message for _, message in self.schedule(queue)]

    def schedule(self, queue: str) -> list[tuple[datetime, Message]]:
        """Return all waiting messages with the instants at which they become visible."""
        with self._lock:
            return [(visible, parse_message(text)) for visible, _, text in self._waiting.get(queue, [])]
