"""The queue port on Service Bus."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from hashlib import sha256
from threading import Lock
from typing import TYPE_CHECKING, Any

from shared.adapters.blob_names import check_container_name
from shared.adapters.claim_check import ClaimCheck
from shared.adapters.queue_delays import check_delay
from shared.adapters.service_bus_errors import in_our_words
from shared.adapters.service_bus_namespace import ServiceBusNamespace, SharedLink, load_sdk
from shared.kernel.blob import Blobs
from shared.kernel.clock import Clock, utc_now
from shared.kernel.fitting import fitting
from shared.kernel.message import Message

if TYPE_CHECKING:
    from azure.servicebus import ServiceBusMessage, ServiceBusReceiver, ServiceBusSender

CONTENT_TYPE = "application/cloudevents+json"
MAX_PEEKED = 2000
"""Messages that are counted by looking at each; a longer queue is told as this long."""

_SENT_WITHIN = 30.0
"""Seconds, all tries together."""
_PEEKED_AT_ONCE = 250
_MAX_ID = 128
"""Characters that Service Bus allows."""


class ServiceBusQueues:
    """Queues of a Service Bus namespace. They are created by the templates: one that is missing is an error.

    Thread-safe. A message is our envelope as the body; what the broker is told beside it is for operators and for
    traces, and nothing that the hub reads.
    """

    def __init__(self, namespace: ServiceBusNamespace, blobs: Blobs, clock: Clock = utc_now) -> None:
        """Keep the namespace, and where large payloads go; the clock says when a delayed message is due."""
        self._namespace, self._claims, self._clock = namespace, ClaimCheck(blobs), clock
        self._senders: dict[str, SharedLink[ServiceBusSender]] = {}
        self._receivers: dict[str, SharedLink[ServiceBusReceiver]] = {}
        self._lock = Lock()

    def send(self, queue: str, message: Message, *, delay: float = 0) -> None:
        """Put a message on a queue, visible after `delay` seconds (at most seven days). Errors as `in_our_words`."""
        check_container_name(queue)
        wait = check_delay(delay)
        outgoing = self._outgoing(self._claims.check_in(message), wait)
        with self._lock:
            sender = self._senders.setdefault(queue, self._namespace.sender(queue))
        with in_our_words(queue):
            sender.use(lambda link: link.send_messages(outgoing, timeout=_SENT_WITHIN))

    def resolve(self, message: Message) -> Message:
        """Return the message with its payload, fetched where it is a claim check."""
        return self._claims.check_out(message)

    def depth(self, queue: str) -> int:
        """Return about how many messages wait, the delayed ones too; at most MAX_PEEKED on an emulated namespace."""
        check_container_name(queue)
        with in_our_words(queue):
            if self._namespace.is_emulated:
                return self._counted_by_looking(queue)
            properties = self._namespace.administration.get_queue_runtime_properties(queue)
        return int(properties.active_message_count or 0) + int(properties.scheduled_message_count or 0)

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            links: list[SharedLink[Any]] = [*self._senders.values(), *self._receivers.values()]
        if links:
            with ThreadPoolExecutor(len(links)) as closing:  # the SDK waits for a thread of its own for each
                list(closing.map(SharedLink.close, links))

    def _outgoing(self, message: Message, wait: int) -> "ServiceBusMessage":
        load_sdk()
        from azure.servicebus import ServiceBusMessage

        return ServiceBusMessage(
            message.to_json(),
            message_id=wire_id(message),
            content_type=CONTENT_TYPE,
            correlation_id=fitting(message.correlationid, _MAX_ID) if message.correlationid else None,
            subject=message.type,
            application_properties={"traceparent": message.traceparent} if message.traceparent else None,
            scheduled_enqueue_time_utc=self._clock() + timedelta(seconds=wait) if wait else None,
        )

    def _counted_by_looking(self, queue: str) -> int:
        with self._lock:
            receiver = self._receivers.setdefault(queue, self._namespace.receiver(queue))

        def count(link: "ServiceBusReceiver") -> int:
            number, position = 0, 1
            while number < MAX_PEEKED:
                seen = link.peek_messages(max_message_count=_PEEKED_AT_ONCE, sequence_number=position, timeout=10)
                if not seen:
                    break
                number += len(seen)
                position = (seen[-1].sequence_number or position) + 1
            return min(number, MAX_PEEKED)

        return receiver.use(count)


def wire_id(message: Message) -> str:
    """Return the ID by which Service Bus knows a message, where it is told to detect duplicates.

    One ID for each decision to send: a send whose answer was lost, and a retry that is sent again because the worker
    died before it could complete the message, are recognised. A new attempt, a message that is put off once more and
    one that a watchdog queues again are no duplicates, and would be lost if they looked like one.
    """
    text = f"{message.id}|{message.attempt}|{message.postponed}|{message.time}"
    return text if len(text) <= _MAX_ID else sha256(text.encode()).hexdigest()
