"""Azure Service Bus for tests: queues at a port of this machine, which the official SDK connects to."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from threading import Thread
from types import TracebackType
from typing import Any

from proton import Message
from proton.reactor import ApplicationEvent, EventInjector

from local.free_ports import free_port
from tests.servicebus.administration import Administration
from tests.servicebus.broker import Broker
from tests.servicebus.encoding import as_delivered
from tests.servicebus.queue_rules import Counters, QueueRules
from tests.servicebus.server import Server
from tests.servicebus.stored_message import MessageState, StoredMessage

_HOST = "127.0.0.1"


@dataclass(frozen=True)
class QueuedMessage:
    """A message as a test sees it."""

    sequence_number: int
    message_id: str | None
    body: bytes
    properties: Mapping[str, Any]
    """Application properties."""
    state: MessageState
    delivery_count: int
    is_locked: bool
    dead_letter_reason: str | None
    dead_letter_description: str | None


class ServiceBusDouble:
    """A namespace in this process. A context manager: it listens inside, and is gone afterwards.

    It keeps nothing on disk, has no TLS, no sessions, topics or transactions, never expires messages and never
    throttles: a test that passes shows that the SDK's calls and our logic fit together.
    """

    def __init__(
        self,
        queues: Mapping[str, QueueRules] | Iterable[str] = (),
        port: int = 0,
        *,
        default: QueueRules | None = None,
        create_missing: bool = True,
        administration_port: int = 0,
    ) -> None:
        """Have the given queues; others appear when they are first used, by the `default` rules.

        Without `create_missing` their use is an error. Port 0 means a free one: `port` speaks AMQP, and
        `administration_port` HTTP.
        """
        fallback = default or QueueRules()
        rules = queues if isinstance(queues, Mapping) else dict.fromkeys(queues, fallback)
        self.port = port or free_port()
        self.administration_port = administration_port or free_port()
        self._broker = Broker(rules, default=fallback, create_missing=create_missing)
        self._events = EventInjector()
        self._thread: Thread | None = None
        self._administration: Administration | None = None

    @property
    def connection_string(self) -> str:
        """What `ServiceBusClient.from_connection_string` takes."""
        return _connection_string(self.port)

    @property
    def administration_connection_string(self) -> str:
        """What `ServiceBusAdministrationClient.from_connection_string` takes (with a transport for plain HTTP)."""
        return _connection_string(self.administration_port)

    @property
    def is_running(self) -> bool:
        """Whether clients are served: not before, not afterwards, and not after an error of the double itself."""
        return self._thread is not None and self._thread.is_alive()

    def __enter__(self) -> "ServiceBusDouble":
        """Listen. OSError when the port is taken."""
        server = Server(self._broker, _HOST, self.port)
        server.container.selectable(self._events)
        self._administration = Administration(self._broker, _HOST, self.administration_port)
        self._administration.start()
        self._thread = Thread(target=server.container.run, name="service-bus-double", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Drop every client and stop listening."""
        self._events.trigger(ApplicationEvent("end"))
        self._events.close()
        if self._thread is not None:
            self._thread.join(10)
        if self._administration is not None:
            self._administration.stop()

    def drop_connections(self) -> None:
        """Cut every client's connection, as a broker that restarts; the queues keep their messages."""
        self._events.trigger(ApplicationEvent("drop"))

    def messages(self, queue: str) -> list[QueuedMessage]:
        """Return all messages of a queue in order: active, locked, deferred and scheduled ones.

        A dead-letter queue is named as `queue/$DeadLetterQueue`.
        """
        with self._broker.lock:
            return [_seen(one) for one in self._broker.queue(queue).all()]

    def dead_letters(self, queue: str) -> list[QueuedMessage]:
        """Return all messages of a queue's dead-letter queue in order."""
        return self.messages(f"{queue}/$DeadLetterQueue")

    def active_count(self, queue: str) -> int:
        """Return how many messages can be received now or are locked; neither scheduled nor deferred ones."""
        with self._broker.lock:
            return self._broker.queue(queue).count_of(MessageState.ACTIVE)

    def scheduled_count(self, queue: str) -> int:
        """Return how many messages wait for their time."""
        with self._broker.lock:
            return self._broker.queue(queue).count_of(MessageState.SCHEDULED)

    def clear(self, queue: str) -> None:
        """Remove every message of a queue, the dead letters too."""
        with self._broker.lock:
            self._broker.queue(queue).clear()

    def counters(self, queue: str) -> Counters:
        """Return what has happened to a queue so far."""
        with self._broker.lock:
            return replace(self._broker.queue(queue).counters)


def _connection_string(port: int) -> str:
    return (
        f"Endpoint=sb://{_HOST}:{port};SharedAccessKeyName=RootManageSharedAccessKey;"
        "SharedAccessKey=SAS_KEY_VALUE;UseDevelopmentEmulator=true"
    )


def _seen(stored: StoredMessage) -> QueuedMessage:
    message = Message()
    message.decode(as_delivered(stored))
    body = message.body
    return QueuedMessage(
        stored.sequence_number,
        stored.message_id,
        bytes(body) if isinstance(body, bytes | memoryview) else str(body).encode(),
        dict(message.properties or {}),
        stored.state,
        stored.delivery_count,
        stored.lock_token is not None,
        stored.dead_letter_reason,
        stored.dead_letter_description,
    )
