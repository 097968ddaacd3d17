"""Queues by address, sizes, and whose turn it is."""

from typing import Any, cast

import pytest
from proton import Message, Sender

from tests.servicebus.broker import (
    MAX_MESSAGE_BYTES,
    Broker,
    MessageTooLarge,
    QueueNotFound,
    entity_of,
    managed_entity_of,
    send,
)
from tests.servicebus.consumers import Consumer, Consumers
from tests.servicebus.queue_rules import QueueRules
from tests.servicebus.queue_state import QueueState
from tests.unit.servicebus.clock import Seconds


def broker(*names: str, create_missing: bool = False) -> Broker:
    rules = dict.fromkeys(names, QueueRules(max_delivery_count=2))
    return Broker(rules, default=QueueRules(), create_missing=create_missing, clock=Seconds())


@pytest.mark.parametrize(
    ("address", "entity"),
    [
        ("amqps://127.0.0.1:5672/queue", "queue"),
        ("queue", "queue"),
        ("/queue", "queue"),
        ("amqps://127.0.0.1:5672/queue/$DeadLetterQueue", "queue/$DeadLetterQueue"),
        ("$cbs", "$cbs"),
    ],
)
def test_an_address_names_an_entity(address: str, entity: str) -> None:
    assert entity_of(address) == entity


def test_a_management_address_names_what_it_manages() -> None:
    assert managed_entity_of("queue/$management") == "queue"
    assert managed_entity_of("queue/$DeadLetterQueue/$management") == "queue/$DeadLetterQueue"
    assert managed_entity_of("queue") is None


def test_names_ignore_case() -> None:
    namespace = broker("Import-Slices")
    assert namespace.queue("import-slices") is namespace.queue("IMPORT-SLICES")
    assert namespace.queue("Import-Slices/$deadletterqueue") is namespace.queue("import-slices").dead_letters


def test_a_missing_queue_is_an_error_or_created_by_the_default_rules() -> None:
    with pytest.raises(QueueNotFound, match="other"):
        broker("queue").queue("other")
    assert broker("queue", create_missing=True).queue("other").rules.max_delivery_count == 10


def message(size: int) -> bytes:
    frame = len(Message(body=b"x" * 1000, inferred=True).encode()) - 1000
    return bytes(Message(body=b"x" * (size - frame), inferred=True).encode())


def test_the_largest_message_is_accepted_and_a_byte_more_refused() -> None:
    queue = broker("queue").queue("queue")
    send(queue, message(MAX_MESSAGE_BYTES))
    with pytest.raises(MessageTooLarge, match=str(MAX_MESSAGE_BYTES + 1)):
        send(queue, message(MAX_MESSAGE_BYTES + 1))
    assert len(queue.all()) == 1


class FakeLink:
    """A link with credit that remembers what is sent on it."""

    def __init__(self, credit: int, *, drain: bool = False) -> None:
        self.credit = credit
        self.drain_mode = drain
        self.sent: list[bytes] = []

    def delivery(self, tag: bytes) -> Any:
        return type("Delivery", (), {"settle": lambda self: None})()

    def stream(self, content: bytes) -> None:
        received = Message()
        received.decode(content)
        self.sent.append(bytes(cast("memoryview", received.body)))

    def advance(self) -> None:
        self.credit -= 1

    def drained(self) -> None:
        self.credit = 0


def pump(queue: QueueState, *links: FakeLink) -> Consumers:
    consumers = Consumers(lambda *_: None)
    for link in links:
        consumers.add(Consumer(cast("Sender", link), queue, deletes=False))
    consumers.pump(queue)
    return consumers


def filled(*bodies: bytes) -> QueueState:
    queue = broker("queue").queue("queue")
    for body in bodies:
        send(queue, bytes(Message(body=body, inferred=True).encode()))
    return queue


def test_consumers_take_turns() -> None:
    first, second, without = FakeLink(10), FakeLink(10), FakeLink(0)
    pump(filled(b"a", b"b", b"c", b"d"), first, without, second)
    assert (first.sent, second.sent, without.sent) == ([b"a", b"c"], [b"b", b"d"], [])


def test_nobody_gets_more_than_their_credit() -> None:
    first, second = FakeLink(1), FakeLink(2)
    queue = filled(b"a", b"b", b"c", b"d")
    pump(queue, first, second)
    assert (first.sent, second.sent) == ([b"a"], [b"b", b"c"])
    assert [one.content for one in queue.all() if one.lock_token is None] == [queue.all()[3].content]


def test_who_drains_gets_what_is_there_and_gives_back_the_rest() -> None:
    draining = FakeLink(5, drain=True)
    pump(filled(b"a"), draining)
    assert (draining.sent, draining.credit) == ([b"a"], 0)


def test_who_has_left_gets_nothing() -> None:
    queue = filled()
    gone, there = FakeLink(5), FakeLink(5)
    consumers = Consumers(lambda *_: None)
    leaving = Consumer(cast("Sender", gone), queue, deletes=False)
    consumers.add(leaving)
    consumers.add(Consumer(cast("Sender", there), queue, deletes=False))
    consumers.remove(leaving)
    send(queue, bytes(Message(body=b"a", inferred=True).encode()))
    consumers.pump(queue)
    assert (gone.sent, there.sent) == ([], [b"a"])


def test_a_pump_says_when_it_is_needed_again() -> None:
    queue = filled(b"a")
    told: list[float] = []
    consumers = Consumers(lambda _, instant: told.append(instant))
    consumers.add(Consumer(cast("Sender", FakeLink(1)), queue, deletes=False))
    consumers.pump(queue)
    assert told == [queue.all()[0].locked_until]
