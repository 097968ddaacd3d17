"""The HTTP side: what `ServiceBusAdministrationClient` reads of a queue, as the Atom entries of Service Bus.

Reading alone, and without TLS as Microsoft's emulator does it (the SDK writes `https` all the same: give it a transport
that does not).
"""

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import unquote, urlsplit

from tests.servicebus.broker import MAX_MESSAGE_BYTES, Broker
from tests.servicebus.queue_state import QueueState
from tests.servicebus.stored_message import MessageState

_ENTRY = """<?xml version="1.0" encoding="utf-8"?>
<entry xmlns="http://www.w3.org/2005/Atom"><title type="text">{name}</title><content type="application/xml">
<QueueDescription xmlns="http://schemas.microsoft.com/netservices/2010/10/servicebus/connect">
<LockDuration>PT{lock_seconds}S</LockDuration><RequiresDuplicateDetection>{detects}</RequiresDuplicateDetection>
<MaxDeliveryCount>{max_delivery_count}</MaxDeliveryCount><SizeInBytes>{size}</SizeInBytes>
<MessageCount>{total}</MessageCount><Status>Active</Status>
<CountDetails xmlns:d="http://schemas.microsoft.com/netservices/2011/06/servicebus">
<d:ActiveMessageCount>{active}</d:ActiveMessageCount><d:DeadLetterMessageCount>{dead}</d:DeadLetterMessageCount>
<d:ScheduledMessageCount>{scheduled}</d:ScheduledMessageCount><d:TransferMessageCount>0</d:TransferMessageCount>
<d:TransferDeadLetterMessageCount>0</d:TransferDeadLetterMessageCount></CountDetails>
<MaxMessageSizeInKilobytes>{kilobytes}</MaxMessageSizeInKilobytes></QueueDescription></content></entry>
"""
_NOTHING = """<?xml version="1.0" encoding="utf-8"?>
<feed xmlns="http://www.w3.org/2005/Atom"><title type="text">Publicly Listed Services</title></feed>
"""
"""How Service Bus answers for an entity that is not there."""


class Administration:
    """A server that tells of the broker's queues."""

    def __init__(self, broker: Broker, host: str, port: int) -> None:
        """Listen from `start` on. OSError when the port is taken."""

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                answer = describe(broker, unquote(urlsplit(self.path).path).strip("/")).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/atom+xml;type=entry;charset=utf-8")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as in the base class
                """Keep quiet."""

        self._server = ThreadingHTTPServer((host, port), Handler)
        self._server.daemon_threads = True
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,), name="service-bus-http", daemon=True)

    def start(self) -> None:
        """Answer from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._thread.join(10)
        self._server.server_close()


def describe(broker: Broker, name: str) -> str:
    """Return the Atom entry of a queue, or an empty feed when there is none."""
    with broker.lock:
        return _entry(name, broker.queue(name)) if name.lower() in broker.names else _NOTHING


def _entry(name: str, queue: QueueState) -> str:
    assert queue.dead_letters is not None
    every = [*queue.all(), *queue.dead_letters.all()]
    return _ENTRY.format(
        name=name,
        lock_seconds=queue.rules.lock_seconds,
        detects=str(queue.rules.duplicate_detection_seconds is not None).lower(),
        max_delivery_count=queue.rules.max_delivery_count,
        size=sum(len(one.content) for one in every),
        total=len(every),
        active=queue.count_of(MessageState.ACTIVE),
        scheduled=queue.count_of(MessageState.SCHEDULED),
        dead=len(queue.dead_letters.all()),
        kilobytes=MAX_MESSAGE_BYTES // 1024,
    )
