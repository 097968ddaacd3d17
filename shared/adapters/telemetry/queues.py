"""The queue port, carrying on the trace: each message that is sent belongs to the work that sends it (RES-08)."""

from shared.adapters.telemetry.current import current_traceparent
from shared.kernel.message import Message, Queues


class TracedQueues:
    """Implements `Queues` over another one."""

    def __init__(self, queues: Queues) -> None:
        """Keep what truly sends."""
        self._queues = queues

    def send(self, queue: str, message: Message, *, delay: float = 0) -> None:
        """Put a message on a queue with the trace of the present work; outside of any it keeps the one it has."""
        traceparent = current_traceparent() or message.traceparent
        self._queues.send(queue, message.model_copy(update={"traceparent": traceparent}), delay=delay)

    def resolve(self, message: Message) -> Message:
        """Return the message with its payload."""
        return self._queues.resolve(message)

    def depth(self, queue: str) -> int:
        """Return about how many messages wait."""
        return self._queues.depth(queue)
