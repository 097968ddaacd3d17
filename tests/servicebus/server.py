"""The AMQP side: connections, links and deliveries of clients, led to the broker's queues."""

from typing import Any

from proton import Condition, Connection, Delivery, Handler, Link, Message, Sender, Terminus
from proton.reactor import Container

from tests.servicebus.broker import (
    MAX_MESSAGE_BYTES,
    Broker,
    MessageTooLarge,
    QueueNotFound,
    entity_of,
    managed_entity_of,
    send,
)
from tests.servicebus.consumers import ORIGIN, Consumer, Consumers, condition_of, deletes_on_receipt, settle
from tests.servicebus.encoding import Malformed
from tests.servicebus.management import execute, put_token
from tests.servicebus.queue_state import QueueState

_CREDIT = 2000
_TOKENS = "$cbs"


class Server(Handler):
    """Reacts to what clients do. Everything happens in the thread that runs the container."""

    def __init__(self, broker: Broker, host: str, port: int) -> None:
        """Serve the broker's queues at an address, once the container runs."""
        self._broker = broker
        self._address = f"{host}:{port}"
        self._consumers = Consumers(self._wake_at)
        self._wakes: dict[QueueState, float] = {}
        self._connections: list[Connection] = []
        self.container = Container(self)
        self._acceptor = self.container.listen(self._address)

    def on_end(self, event: Any) -> None:
        """Stop listening, drop every client and leave the loop."""
        self._acceptor.close()
        self.on_drop(event)
        self.container.stop()

    def on_drop(self, event: Any) -> None:
        """Cut every connection, as a broker that restarts."""
        for connection in list(self._connections):
            self._forget(connection)
            connection.condition = Condition("amqp:connection:forced", "The broker has closed the connection.", ORIGIN)
            connection.close()

    def on_connection_remote_open(self, event: Any) -> None:
        """Welcome a client."""
        event.connection.consumers = []
        event.connection.container = "service-bus-double"
        self._connections.append(event.connection)
        event.connection.open()

    def on_session_remote_open(self, event: Any) -> None:
        """Open the session on this side too."""
        event.session.responders = {}
        event.session.open()

    def on_link_remote_open(self, event: Any) -> None:
        """Find out what the client wants on a link, and let it, or refuse."""
        link = event.link
        path = entity_of((link.remote_source if link.is_sender else link.remote_target).address or "")
        managed = managed_entity_of(path)
        try:
            with self._broker.lock:
                queue = None if path == _TOKENS else self._broker.queue(managed or path)
        except QueueNotFound as error:
            _refuse(link, condition_of(error))
            return
        link.path, link.managed, link.queue = path, managed, queue
        if link.is_receiver:
            self._welcome_sender(link)
        elif managed is not None or queue is None:
            link.session.responders[path] = link
            _accept(link)
        else:
            self._welcome_receiver(link, queue)

    def on_link_flow(self, event: Any) -> None:
        """A client gives credit, or wants it back."""
        if event.link.is_sender and hasattr(event.link, "consumer"):
            self._pump(event.link.consumer.queue)

    def on_delivery(self, event: Any) -> None:
        """A message comes in, or an outcome."""
        delivery = event.delivery
        link = event.link
        if link.is_receiver:
            if delivery.readable and not delivery.partial:
                self._take_in(link, delivery)
        elif delivery.updated and hasattr(delivery, "lock_token"):
            queue = link.consumer.queue
            with self._broker.lock:
                settle(queue, delivery)
            self._pump(queue)
        elif delivery.updated:
            delivery.settle()

    def on_link_remote_close(self, event: Any) -> None:
        """A client is done with a link."""
        self._leave(event.link)
        event.link.close()
        event.link.free()

    def on_link_remote_detach(self, event: Any) -> None:
        """A client lets go of a link, perhaps for a while."""
        self._leave(event.link)
        event.link.detach()

    def on_session_remote_close(self, event: Any) -> None:
        """A client is done with a session."""
        event.session.close()

    def on_connection_remote_close(self, event: Any) -> None:
        """A client says goodbye."""
        self._forget(event.connection)
        event.connection.close()

    def on_transport_closed(self, event: Any) -> None:
        """The network connection is gone, with or without a goodbye."""
        self._forget(event.connection)

    def _welcome_sender(self, link: Link) -> None:
        link.max_message_size = MAX_MESSAGE_BYTES
        _accept(link)
        link.flow(_CREDIT)

    def _welcome_receiver(self, link: Sender, queue: QueueState) -> None:
        consumer = Consumer(link, queue, deletes_on_receipt(link))
        link.consumer = consumer
        link.connection.consumers.append(consumer)
        self._consumers.add(consumer)
        _accept(link)

    def _take_in(self, link: Link, delivery: Delivery) -> None:
        transfer = bytes(link.recv(delivery.pending) or b"")
        link.advance()
        if link.credit < _CREDIT // 2:
            link.flow(_CREDIT - link.credit)
        if link.queue is None or link.managed is not None:
            delivery.update(Delivery.ACCEPTED)
            delivery.settle()
            self._answer(link, transfer)
            return
        try:
            with self._broker.lock:
                send(link.queue, transfer)
            delivery.update(Delivery.ACCEPTED)
        except (MessageTooLarge, Malformed) as error:
            delivery.local.condition = condition_of(error)
            delivery.update(Delivery.REJECTED)
        delivery.settle()
        self._pump(link.queue)

    def _answer(self, link: Link, transfer: bytes) -> None:
        request = Message()
        request.decode(transfer)
        with self._broker.lock:
            reply = put_token(request) if link.managed is None else execute(self._broker, link.managed, request)
        responder = link.session.responders[link.path]
        responder.delivery(responder.delivery_tag())
        responder.stream(reply.encode())
        responder.advance()
        if link.queue is not None:
            self._pump(link.queue)

    def _pump(self, queue: QueueState) -> None:
        with self._broker.lock:
            self._consumers.pump(queue)
            if queue.dead_letters is not None:
                self._consumers.pump(queue.dead_letters)

    def _wake_at(self, queue: QueueState, instant: float) -> None:
        """Pump the queue again at an instant, unless that happens earlier anyway."""
        if self._wakes.get(queue, instant + 1) <= instant:
            return
        self._wakes[queue] = instant
        self.container.mark()
        self.container.schedule(max(0.0, instant - self._broker.now()) + 0.001, _Wake(self, queue, instant))

    def wake(self, queue: QueueState, instant: float) -> None:
        """Pump a queue whose state has changed by itself."""
        if self._wakes.get(queue) == instant:
            del self._wakes[queue]
        self._pump(queue)

    def _leave(self, link: Link) -> None:
        if hasattr(link, "consumer") and link.consumer in link.connection.consumers:
            link.connection.consumers.remove(link.consumer)
            self._consumers.remove(link.consumer)

    def _forget(self, connection: Connection) -> None:
        if connection in self._connections:
            self._connections.remove(connection)
            for consumer in connection.consumers:
                self._consumers.remove(consumer)
            connection.consumers.clear()


class _Wake(Handler):
    """A timer of one queue."""

    def __init__(self, server: Server, queue: QueueState, instant: float) -> None:
        self._server = server
        self._queue = queue
        self._instant = instant

    def on_timer_task(self, event: Any) -> None:
        self._server.wake(self._queue, self._instant)


def _accept(link: Link) -> None:
    link.source.copy(link.remote_source)
    link.target.copy(link.remote_target)
    link.snd_settle_mode = link.remote_snd_settle_mode
    link.rcv_settle_mode = link.remote_rcv_settle_mode
    link.open()


def _refuse(link: Link, condition: Condition) -> None:
    """Refuse a link: an attach without source and target, then a detach that says why (part 2, section 2.6.3)."""
    link.source.type = link.target.type = Terminus.UNSPECIFIED
    link.open()
    link.condition = condition
    link.close()
