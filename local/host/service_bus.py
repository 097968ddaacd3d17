"""Service Bus triggers: take under a lock, run, complete; give back when the function fails."""

import logging
import threading
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from local.host.configuration import HostError, duration
from local.host.index import IndexedFunction
from local.host.invoke import Invoker
from local.host.trigger_data import trigger_data
from shared.adapters.service_bus_namespace import load_sdk

if TYPE_CHECKING:
    from azure.servicebus import ServiceBusClient, ServiceBusReceivedMessage, ServiceBusReceiver

_log = logging.getLogger("host")
_DEAD_LETTERS = "/$deadletterqueue"
_WAIT = 0.5
"""Seconds to wait for a message when there is nothing else to do: so long a stop can take."""
_SHORT_WAIT = 0.02
"""Seconds to wait for one while functions run, whose messages are to be settled."""
_PAUSE = 1.0
"""Seconds before the broker is tried again when it is not to be had."""


@dataclass(eq=False)
class _Running:
    """A message whose function runs, and since when and for how long it is ours."""

    message: "ServiceBusReceivedMessage"
    future: "Future[Any]"
    began: datetime
    lock: timedelta


class ServiceBusListener:
    """Listens to one queue, or what the broker gave up of it, for one function. One thread does it all but the runs."""

    def __init__(
        self, function: IndexedFunction, connection: str, options: Mapping[str, Any], invoker: Invoker
    ) -> None:
        """Keep everything; `options` are those of host.json, under `extensions.serviceBus`. HostError."""
        _check(function)
        self._function, self._connection, self._invoker = function, connection, invoker
        self._path = str(function.options["queueName"])
        self._calls = int(options.get("maxConcurrentCalls", 16))
        self._prefetch = int(options.get("prefetchCount", 0))
        self._renewed_for = timedelta(seconds=duration(str(options.get("maxAutoLockRenewalDuration", "00:05:00"))))
        self._stopping = threading.Event()
        self._running: set[_Running] = set()
        self._finished: SimpleQueue[_Running] = SimpleQueue()
        self._thread = threading.Thread(target=self._listen, name=f"service bus {self._path}", daemon=True)

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def stop(self) -> None:
        """Take no more messages, wait for those that are being worked on."""
        self._stopping.set()
        self._thread.join()

    def _listen(self) -> None:
        load_sdk()
        from azure.servicebus import ServiceBusClient

        down = False
        while not self._stopping.is_set():
            try:
                with ServiceBusClient.from_connection_string(self._connection) as client:
                    self._serve(client)
                down = False
            except Exception as error:  # noqa: BLE001 - the broker is gone for a while: go on trying
                if not down:
                    _log.warning("queue %s: %s; trying again", self._path, type(error).__name__)
                down = True
                # The broker gives their messages out again when the locks end; the functions are idempotent.
                self._running.clear()
                self._stopping.wait(_PAUSE)

    def _serve(self, client: "ServiceBusClient") -> None:
        with self._receiver(client) as receiver:
            more = True
            while not self._stopping.is_set() or self._running:
                self._settle(receiver, self._done())
                self._renew(receiver)
                room = self._calls - len(self._running)
                if self._stopping.is_set() or room <= 0:
                    self._settle(receiver, self._done(_SHORT_WAIT))
                    continue
                # A request for several waits for the others after the first; so one is asked for where few come.
                messages = receiver.receive_messages(
                    max_message_count=room if more else 1, max_wait_time=_SHORT_WAIT if self._running or more else _WAIT
                )
                for message in messages:
                    self._begin(message)
                more = bool(messages)

    def _receiver(self, client: "ServiceBusClient") -> "ServiceBusReceiver":
        from azure.servicebus import ServiceBusSubQueue

        # Loopback answers at once: waiting longer for the socket would only hold up what is to be settled.
        options: dict[str, Any] = {"prefetch_count": self._prefetch, "socket_timeout": _SHORT_WAIT}
        if self._path.lower().endswith(_DEAD_LETTERS):
            queue, part = self._path[: -len(_DEAD_LETTERS)], ServiceBusSubQueue.DEAD_LETTER
            return client.get_queue_receiver(queue, sub_queue=part, **options)
        return client.get_queue_receiver(self._path, **options)

    def _begin(self, message: "ServiceBusReceivedMessage") -> None:
        now = datetime.now(UTC)
        body, metadata = trigger_data(self._function, _content(message), _values(message))
        future = self._invoker.start(self._function, body, metadata)
        one = _Running(message, future, now, (message.locked_until_utc or now) - now)
        self._running.add(one)
        future.add_done_callback(lambda _: self._finished.put(one))

    def _done(self, wait: float = 0) -> Iterable[_Running]:
        """Yield what is done, after waiting a while for the first."""
        try:
            one = self._finished.get(timeout=wait) if wait else self._finished.get_nowait()
            while True:
                if one in self._running:
                    self._running.remove(one)
                    yield one
                one = self._finished.get_nowait()
        except Empty:
            return

    def _settle(self, receiver: "ServiceBusReceiver", done: Iterable[_Running]) -> None:
        from azure.servicebus.exceptions import MessageLockLostError

        for one in done:
            settle = receiver.abandon_message if one.future.exception() else receiver.complete_message
            try:
                settle(one.message)
            except MessageLockLostError:
                _log.warning("queue %s: the lock of message %s was lost", self._path, one.message.message_id)

    def _renew(self, receiver: "ServiceBusReceiver") -> None:
        """Keep messages ours while their functions run, for as long as host.json says."""
        from azure.servicebus.exceptions import MessageLockLostError

        now = datetime.now(UTC)
        for one in self._running:
            left = (one.message.locked_until_utc or now) - now
            if left > one.lock / 2 or now - one.began > self._renewed_for:
                continue
            try:
                receiver.renew_message_lock(one.message)
            except MessageLockLostError:
                _log.warning(
                    "queue %s: message %s was lost while its function runs", self._path, one.message.message_id
                )


def _check(function: IndexedFunction) -> None:
    """Refuse what this stand-in would do otherwise than the real host. HostError."""
    options = function.options
    cardinality = options.get("cardinality")
    if "queueName" not in options:
        raise HostError(f"function {function.name!r}: topics are not listened to by this stand-in")
    if options.get("isSessionsEnabled") or str(getattr(cardinality, "value", cardinality or "one")).lower() != "one":
        raise HostError(f"function {function.name!r}: sessions and batches are not handed over by this stand-in")


def _content(message: "ServiceBusReceivedMessage") -> bytes:
    """Return the body as bytes; one that AMQP carries as a value or a sequence as text, for its function to refuse."""
    from azure.servicebus.amqp import AmqpMessageBodyType

    if message.body_type is not AmqpMessageBodyType.DATA:
        return str(message.body).encode(errors="replace")
    body = message.body
    return body if isinstance(body, bytes) else b"".join(bytes(part) for part in body)


def _values(message: "ServiceBusReceivedMessage") -> dict[str, Any]:
    """Return the metadata; deliveries count from 1, and properties of the sender and of the broker are one object."""
    properties = {_text(name): _text(value) for name, value in (message.application_properties or {}).items()}
    return {
        "MessageId": message.message_id or "",
        "DeliveryCount": (message.delivery_count or 0) + 1,
        "SequenceNumber": message.sequence_number or 0,
        "EnqueuedTimeUtc": _time(message.enqueued_time_utc),
        "ExpiresAtUtc": _time(message.expires_at_utc),
        "LockToken": str(message.lock_token or ""),
        "ContentType": message.content_type or "",
        "CorrelationId": message.correlation_id or "",
        "Subject": message.subject or "",
        "ApplicationProperties": properties,
        "UserProperties": properties,
    }


def _text(value: object) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)


def _time(instant: datetime | None) -> str:
    # Of all forms that the converter knows, the one that it tries first: the others take it ten times as long.
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S+00:00") if instant else ""
