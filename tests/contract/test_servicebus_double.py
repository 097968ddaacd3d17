"""What the official SDK sees of the double: each behaviour of Azure Service Bus that the hub relies on.

The clients are opened once, since opening and closing one takes the SDK most of a second.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.core.pipeline.transport import RequestsTransport
from azure.servicebus import (
    ServiceBusClient,
    ServiceBusMessage,
    ServiceBusMessageState,
    ServiceBusReceiveMode,
    ServiceBusReceiver,
    ServiceBusSubQueue,
)
from azure.servicebus.amqp import AmqpAnnotatedMessage
from azure.servicebus.exceptions import (
    MessageLockLostError,
    MessageNotFoundError,
    MessageSizeExceededError,
)
from azure.servicebus.management import ServiceBusAdministrationClient

from tests.contract.servicebus_channel import RULES, Channel, receive, texts
from tests.servicebus import MessageState, ServiceBusDouble

KILOBYTE = 1024


@pytest.fixture(scope="module")
def double() -> Iterator[ServiceBusDouble]:
    with ServiceBusDouble(RULES) as running:
        yield running


@pytest.fixture(scope="module")
def client(double: ServiceBusDouble) -> Iterator[ServiceBusClient]:
    """A client that tries again once, at once."""
    with ServiceBusClient.from_connection_string(
        double.connection_string, retry_total=1, retry_backoff_factor=0.01
    ) as opened:
        yield opened


@pytest.fixture(scope="module")
def open_channel(double: ServiceBusDouble, client: ServiceBusClient) -> Iterator[Callable[[str], Channel]]:
    with ExitStack() as stack:
        opened: dict[str, Channel] = {}

        def channel(name: str) -> Channel:
            if name not in opened:
                sender = stack.enter_context(client.get_queue_sender(name))
                receiver = stack.enter_context(client.get_queue_receiver(name))
                opened[name] = Channel(double, name, client, sender, receiver)
            double.clear(name)
            return opened[name]

        yield channel


@pytest.fixture
def steady(open_channel: Callable[[str], Channel]) -> Channel:
    """A queue whose locks outlast every test, empty."""
    return open_channel("steady")


@pytest.fixture
def hasty(open_channel: Callable[[str], Channel]) -> Channel:
    """A queue whose locks end after half a second, empty: what is received may come again before it is settled."""
    return open_channel("hasty")


@pytest.fixture(scope="module")
def dead_letter_receiver(client: ServiceBusClient) -> Iterator[ServiceBusReceiver]:
    with client.get_queue_receiver("steady", sub_queue=ServiceBusSubQueue.DEAD_LETTER) as opened:
        yield opened


def test_a_message_arrives_as_it_was_sent(steady: Channel) -> None:
    steady.sender.send_messages(
        ServiceBusMessage(
            '{"n": 1}',
            message_id="m-1",
            correlation_id="c-1",
            subject="Tested",
            content_type="application/cloudevents+json",
            to="nobody",
            reply_to="somebody",
            application_properties={"text": "ü", "number": 7, "share": 0.5, "yes": True},
        )
    )
    (message,) = steady.receive()
    assert str(message) == '{"n": 1}'
    assert (message.message_id, message.correlation_id, message.subject) == ("m-1", "c-1", "Tested")
    assert (message.content_type, message.to, message.reply_to) == (
        "application/cloudevents+json",
        "nobody",
        "somebody",
    )
    assert message.application_properties == {b"text": "ü".encode(), b"number": 7, b"share": 0.5, b"yes": True}


def test_the_broker_adds_what_it_knows(steady: Channel) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    steady.send("first", "second")
    first, second = steady.receive(2)
    assert first.sequence_number is not None
    assert second.sequence_number == first.sequence_number + 1
    assert first.delivery_count == 0
    assert first.state is ServiceBusMessageState.ACTIVE
    assert first.enqueued_time_utc is not None
    assert first.locked_until_utc is not None
    assert before <= first.enqueued_time_utc <= datetime.now(UTC)
    lock = timedelta(seconds=RULES["steady"].lock_seconds)
    assert before + lock <= first.locked_until_utc <= datetime.now(UTC) + lock
    assert first.lock_token != second.lock_token


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"data_body": [b"one", b"two"]}, id="several-data-sections"),
        pytest.param({"value_body": {b"key": [1, b"two"]}}, id="a-value"),
        pytest.param({"sequence_body": [[1, 2], [b"three"]]}, id="sequences"),
        pytest.param({"data_body": [b"\x00Su\xa0\x00"[:3]]}, id="data-that-begins-like-a-section"),
        pytest.param({"data_body": [bytes(range(256)) * 256]}, id="every-byte"),
    ],
)
def test_a_body_of_any_kind_arrives_unchanged(steady: Channel, body: dict[str, Any]) -> None:
    steady.sender.send_messages(AmqpAnnotatedMessage(**body))
    (message,) = steady.receive()
    received = message.raw_amqp_message.body
    assert (received if "value_body" in body else list(received)) == next(iter(body.values()))


def test_a_list_and_a_batch_arrive_in_order(steady: Channel) -> None:
    steady.send("1", "2", "3")
    batch = steady.sender.create_message_batch()
    for text in ("4", "5"):
        batch.add_message(ServiceBusMessage(text))
    steady.sender.send_messages(batch)
    assert texts(steady.receive(5)) == ["1", "2", "3", "4", "5"]
    assert [one.message_id for one in steady.double.messages("steady")][:3] == ["1", "2", "3"]


def test_a_message_may_have_up_to_256_kb(steady: Channel) -> None:
    largest = "x" * (255 * KILOBYTE)
    steady.sender.send_messages(ServiceBusMessage(largest))
    assert texts(steady.receive()) == [largest]
    with pytest.raises(MessageSizeExceededError):
        steady.sender.send_messages(ServiceBusMessage("x" * (256 * KILOBYTE)))
    assert len(steady.double.messages("steady")) == 1


def test_a_batch_is_limited_as_a_whole(steady: Channel) -> None:
    batch = steady.sender.create_message_batch()
    assert batch.max_size_in_bytes == 256 * KILOBYTE
    with pytest.raises(MessageSizeExceededError):
        steady.sender.send_messages([ServiceBusMessage("x" * (100 * KILOBYTE))] * 3)
    assert steady.double.messages("steady") == []


def test_a_scheduled_message_comes_when_it_is_due(steady: Channel) -> None:
    steady.send("now")
    due = datetime.now(UTC) + timedelta(seconds=1)
    (number,) = steady.sender.schedule_messages(ServiceBusMessage("later"), due)
    assert texts(steady.receive()) == ["now"]
    (later,) = steady.receive()
    assert datetime.now(UTC) >= due
    assert str(later) == "later"
    assert later.sequence_number is not None
    assert later.sequence_number > number
    assert steady.double.scheduled_count("steady") == 0


def test_a_message_can_carry_its_schedule(steady: Channel) -> None:
    due = datetime.now(UTC) + timedelta(minutes=5)
    steady.sender.send_messages(
        [ServiceBusMessage("later", scheduled_enqueue_time_utc=due), ServiceBusMessage("now", message_id="now")]
    )
    assert texts(steady.receive()) == ["now"]
    assert (steady.double.scheduled_count("steady"), steady.double.active_count("steady")) == (1, 1)
    (later, now) = steady.double.messages("steady")
    assert (later.state, now.state) == (MessageState.SCHEDULED, MessageState.ACTIVE)


def test_a_scheduled_message_can_be_cancelled_once(steady: Channel) -> None:
    due = datetime.now(UTC) + timedelta(minutes=5)
    numbers = steady.sender.schedule_messages([ServiceBusMessage("a"), ServiceBusMessage("b")], due)
    steady.sender.cancel_scheduled_messages(numbers[0])
    assert [one.body for one in steady.double.messages("steady")] == [b"b"]
    with pytest.raises(MessageNotFoundError):
        steady.sender.cancel_scheduled_messages(numbers[0])


def test_a_completed_message_is_gone(steady: Channel) -> None:
    steady.send("a", "b")
    first, second = steady.receive(2)
    steady.receiver.complete_message(first)
    assert [one.body for one in steady.double.messages("steady")] == [b"b"]
    steady.receiver.complete_message(second)
    assert steady.double.active_count("steady") == 0


def test_an_abandoned_message_comes_again_and_the_try_is_counted(steady: Channel) -> None:
    steady.send("a")
    (first,) = steady.receive()
    steady.receiver.abandon_message(first)
    (second,) = steady.receive()
    assert (str(second), second.delivery_count, second.sequence_number) == ("a", 1, first.sequence_number)
    assert second.lock_token != first.lock_token


def test_the_broker_dead_letters_after_the_last_try(steady: Channel, dead_letter_receiver: ServiceBusReceiver) -> None:
    steady.send("bad", "good")
    for _ in range(3):
        (message,) = steady.receive()
        assert str(message) == "bad"
        steady.receiver.abandon_message(message)
    assert texts(steady.receive()) == ["good"]
    (dead,) = receive(dead_letter_receiver, 1)
    assert (str(dead), dead.message_id, dead.delivery_count) == ("bad", "bad", 3)
    assert dead.dead_letter_reason == "MaxDeliveryCountExceeded"
    assert dead.dead_letter_error_description == "Message could not be consumed after 3 delivery attempts."


def test_a_consumer_can_dead_letter_with_a_reason(steady: Channel, dead_letter_receiver: ServiceBusReceiver) -> None:
    steady.sender.send_messages(ServiceBusMessage("bad", application_properties={"kept": "yes"}))
    (message,) = steady.receive()
    steady.receiver.dead_letter_message(message, reason="DataRefused", error_description="no employee " + "x" * 300)
    assert steady.double.messages("steady") == []
    (dead,) = receive(dead_letter_receiver, 1)
    assert (dead.dead_letter_reason, dead.dead_letter_error_description) == ("DataRefused", "no employee " + "x" * 300)
    assert dead.application_properties is not None
    assert dead.application_properties[b"kept"] == b"yes"
    dead_letter_receiver.complete_message(dead)
    assert steady.double.dead_letters("steady") == []


def test_a_dead_letter_has_no_last_try(steady: Channel, dead_letter_receiver: ServiceBusReceiver) -> None:
    steady.send("bad")
    (message,) = steady.receive()
    steady.receiver.dead_letter_message(message)
    for tries in range(5):
        (dead,) = receive(dead_letter_receiver, 1)
        assert dead.delivery_count == tries
        dead_letter_receiver.abandon_message(dead)
    assert len(steady.double.dead_letters("steady")) == 1


def test_a_deferred_message_is_received_by_its_number(steady: Channel) -> None:
    steady.send("a", "b")
    (message,) = steady.receive()
    assert message.sequence_number is not None
    steady.receiver.defer_message(message)
    assert texts(steady.receive()) == ["b"]
    (deferred,) = steady.receiver.receive_deferred_messages(message.sequence_number)
    assert str(deferred) == "a"
    steady.receiver.complete_message(deferred)
    assert [one.body for one in steady.double.messages("steady")] == [b"b"]


def test_a_lock_can_be_renewed(steady: Channel) -> None:
    steady.send("a")
    (message,) = steady.receive()
    first_end = message.locked_until_utc
    assert first_end is not None
    locked_at = first_end - timedelta(seconds=RULES["steady"].lock_seconds)
    while datetime.now(UTC) < locked_at + timedelta(milliseconds=2):  # the wire counts whole milliseconds
        pass
    renewed = steady.receiver.renew_message_lock(message)
    assert renewed > first_end
    steady.receiver.complete_message(message)
    assert steady.double.messages("steady") == []


def test_a_message_comes_again_when_its_lock_ends(hasty: Channel) -> None:
    hasty.send("a")
    (first,) = hasty.receive()
    (second,) = hasty.receive()
    assert str(second) == "a"
    assert second.delivery_count is not None
    assert second.delivery_count >= 1  # more where this test was kept from receiving it in time
    with pytest.raises(MessageLockLostError):
        hasty.receiver.complete_message(first)
    assert hasty.double.active_count("hasty") == 1
    assert hasty.double.counters("hasty").expired_locks >= 1


@pytest.mark.parametrize("settle", ["complete_message", "abandon_message", "dead_letter_message", "renew_message_lock"])
def test_who_has_lost_the_lock_decides_nothing(steady: Channel, settle: str) -> None:
    """The broker says so: for the client the lock still lasts."""
    steady.send("a")
    (message,) = steady.receive()
    steady.double.clear("steady")
    steady.send("b")
    with pytest.raises(MessageLockLostError):
        getattr(steady.receiver, settle)(message)
    assert [one.body for one in steady.double.messages("steady")] == [b"b"]
    assert steady.double.dead_letters("steady") == []


def test_peeking_shows_everything_and_changes_nothing(steady: Channel) -> None:
    steady.send("locked", "waiting")
    steady.receive()
    steady.sender.schedule_messages(ServiceBusMessage("later"), datetime.now(UTC) + timedelta(minutes=5))
    first = steady.double.messages("steady")[0].sequence_number
    peeked = steady.receiver.peek_messages(10, sequence_number=first)
    assert texts(peeked) == ["locked", "waiting", "later"]
    assert peeked[2].state is ServiceBusMessageState.SCHEDULED
    assert texts(steady.receiver.peek_messages(1, sequence_number=first + 1)) == ["waiting"]
    assert steady.receiver.peek_messages(10, sequence_number=first + 100) == []
    assert texts(steady.receive()) == ["waiting"]


def test_competing_consumers_share_the_messages(steady: Channel) -> None:
    numbers = [str(number) for number in range(60)]
    with steady.client.get_queue_receiver("steady") as other, ThreadPoolExecutor(2) as pool:
        received = [pool.submit(receive, receiver, 30) for receiver in (steady.receiver, other)]
        steady.send(*numbers)
        both = [texts(future.result()) for future in received]
    assert sorted(both[0] + both[1]) == sorted(numbers)
    assert steady.double.counters("steady").expired_locks == 0


def test_what_a_consumer_fetched_in_advance_goes_back_when_it_closes(steady: Channel) -> None:
    steady.send("a", "b", "c")
    with steady.client.get_queue_receiver("steady", prefetch_count=3) as other:
        assert texts(receive(other, 1)) == ["a"]
    assert {one.body: one.delivery_count for one in steady.double.messages("steady")} == {b"a": 0, b"b": 0, b"c": 0}
    assert texts(steady.receive(2)) == ["b", "c"]


def test_receive_and_delete_leaves_nothing(steady: Channel) -> None:
    steady.send("a")
    mode = ServiceBusReceiveMode.RECEIVE_AND_DELETE
    with steady.client.get_queue_receiver("steady", receive_mode=mode) as other:
        assert texts(receive(other, 1)) == ["a"]
    assert steady.double.messages("steady") == []


def test_a_duplicate_is_accepted_and_dropped(open_channel: Callable[[str], Channel]) -> None:
    once = open_channel("once")
    once.send("a", "a", "b")
    once.send("b")
    assert [one.body for one in once.double.messages("once")] == [b"a", b"b"]
    assert once.double.counters("once").duplicates == 2


class PlainHttp(RequestsTransport):  # type: ignore[misc]  # the SDK ships no type for it
    """The SDK asks for `https` whatever the connection string says."""

    def send(self, request: Any, **kwargs: Any) -> Any:
        request.url = request.url.replace("https://", "http://", 1)
        return super().send(request, **kwargs)


def test_the_administration_client_reads_how_many_messages_there_are(steady: Channel) -> None:
    steady.send("dead", "locked", "waiting")
    dead, _ = steady.receive(2)
    steady.receiver.dead_letter_message(dead)
    steady.sender.schedule_messages(ServiceBusMessage("later"), datetime.now(UTC) + timedelta(minutes=5))
    with ServiceBusAdministrationClient.from_connection_string(
        steady.double.administration_connection_string, transport=PlainHttp()
    ) as administration:
        counts = administration.get_queue_runtime_properties("steady")
        rules = administration.get_queue("steady")
    assert (counts.active_message_count, counts.scheduled_message_count) == (2, 1)
    assert (counts.dead_letter_message_count, counts.total_message_count) == (1, 4)
    assert (rules.max_delivery_count, rules.lock_duration) == (3, timedelta(seconds=30))
