"""The rules of a queue, on a clock that the test moves."""

from collections.abc import Callable
from uuid import UUID, uuid4

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.servicebus.queue_rules import QueueRules
from tests.servicebus.queue_state import QueueState
from tests.servicebus.stored_message import LockLost, MessageNotFound, MessageState, NotAllowed, StoredMessage
from tests.unit.servicebus.clock import Seconds

LOCK = 30


@pytest.fixture
def clock() -> Seconds:
    return Seconds()


@pytest.fixture
def queue(clock: Seconds) -> QueueState:
    return QueueState(QueueRules(lock_seconds=LOCK, max_delivery_count=3), clock)


def received(queue: QueueState) -> StoredMessage:
    message = queue.receive()
    assert message is not None
    return message


def token_of(message: StoredMessage) -> UUID:
    assert message.lock_token is not None
    return message.lock_token


def dead(queue: QueueState) -> QueueState:
    assert queue.dead_letters is not None
    return queue.dead_letters


def test_messages_come_in_the_order_in_which_they_were_sent(queue: QueueState) -> None:
    numbers = [queue.send(text.encode()) for text in "abc"]
    assert [received(queue).content for _ in range(3)] == [b"a", b"b", b"c"]
    assert numbers == [1, 2, 3]
    assert queue.receive() is None


def test_an_abandoned_message_keeps_its_place(queue: QueueState) -> None:
    for text in "abc":
        queue.send(text.encode())
    first, _ = received(queue), received(queue)
    queue.abandon(token_of(first))
    assert [received(queue).content for _ in range(2)] == [b"a", b"c"]


def test_a_released_message_comes_again_and_no_try_is_counted(queue: QueueState) -> None:
    queue.send(b"a")
    for _ in range(10):
        queue.release(token_of(received(queue)))
    assert received(queue).delivery_count == 0


@pytest.mark.parametrize("how", ["abandoned", "lock-ended", "both"])
def test_after_the_last_try_a_message_is_dead(queue: QueueState, clock: Seconds, how: str) -> None:
    queue.send(b"a")
    for tries in range(3):
        message = received(queue)
        assert message.delivery_count == tries
        if how == "abandoned" or (how == "both" and tries == 1):
            queue.abandon(token_of(message))
        else:
            clock.pass_by(LOCK)
    assert queue.receive() is None
    (buried,) = dead(queue).all()
    assert (buried.delivery_count, buried.dead_letter_reason) == (3, "MaxDeliveryCountExceeded")


def test_a_lock_lasts_exactly_its_time(queue: QueueState, clock: Seconds) -> None:
    queue.send(b"a")
    token = token_of(received(queue))
    clock.pass_by(LOCK - 0.001)
    assert queue.receive() is None
    clock.pass_by(0.001)
    with pytest.raises(LockLost, match=str(token)):
        queue.complete(token)
    assert token_of(received(queue)) != token


def test_a_renewed_lock_lasts_from_now(queue: QueueState, clock: Seconds) -> None:
    queue.send(b"a")
    token = token_of(received(queue))
    clock.pass_by(20)
    assert queue.renew(token) == clock.now + LOCK
    clock.pass_by(20)
    assert queue.receive() is None
    queue.complete(token)
    clock.pass_by(LOCK)
    assert queue.all() == []
    assert queue.counters.expired_locks == 0


def settlements(queue: QueueState) -> dict[str, Callable[[UUID], object]]:
    return {
        "complete": queue.complete,
        "abandon": queue.abandon,
        "release": queue.release,
        "defer": queue.defer,
        "renew": queue.renew,
        "dead-letter": lambda token: queue.dead_letter(token, "reason", None),
    }


@pytest.mark.parametrize("how", ["complete", "abandon", "release", "defer", "renew", "dead-letter"])
def test_nothing_is_decided_without_the_lock(queue: QueueState, how: str) -> None:
    queue.send(b"a")
    queue.complete(token_of(received(queue)))
    queue.send(b"b")
    settle = settlements(queue)[how]
    with pytest.raises(LockLost):
        settle(uuid4())
    assert [one.content for one in queue.all()] == [b"b"]
    assert queue.counters.lost_locks == 1


def test_a_dead_letter_keeps_its_number_and_why(queue: QueueState) -> None:
    queue.send(b"a", "id")
    message = received(queue)
    queue.dead_letter(token_of(message), "Refused", "no such employee")
    (buried,) = dead(queue).all()
    assert (buried.message_id, buried.sequence_number) == ("id", message.sequence_number)
    assert (buried.dead_letter_reason, buried.dead_letter_description) == ("Refused", "no such employee")
    assert queue.all() == []


def test_a_dead_letter_cannot_die_again(queue: QueueState) -> None:
    queue.send(b"a")
    queue.dead_letter(token_of(received(queue)), None, None)
    with pytest.raises(NotAllowed, match="dead-letter queue"):
        dead(queue).dead_letter(token_of(received(dead(queue))), None, None)
    assert len(dead(queue).all()) == 1


def test_a_scheduled_message_gets_its_place_when_it_is_due(queue: QueueState, clock: Seconds) -> None:
    number = queue.send(b"later", due_at=clock.now + 10)
    queue.send(b"now")
    assert received(queue).content == b"now"
    assert queue.receive() is None
    assert queue.next_change_at() == clock.now + 10
    clock.pass_by(10)
    later = received(queue)
    assert later.sequence_number > number
    assert later.enqueued_at == clock.now


def test_what_is_due_already_is_not_scheduled(queue: QueueState, clock: Seconds) -> None:
    queue.send(b"a", due_at=clock.now)
    assert received(queue).content == b"a"


def test_a_message_that_has_become_active_cannot_be_cancelled(queue: QueueState, clock: Seconds) -> None:
    number = queue.send(b"later", due_at=clock.now + 10)
    clock.pass_by(10)
    with pytest.raises(MessageNotFound, match=str(number)):
        queue.cancel(number)
    assert queue.count_of(MessageState.ACTIVE) == 1


def test_a_cancelled_message_never_comes(queue: QueueState, clock: Seconds) -> None:
    queue.cancel(queue.send(b"later", due_at=clock.now + 10))
    clock.pass_by(10)
    assert queue.receive() is None


def test_a_deferred_message_stays_deferred_when_its_lock_ends(queue: QueueState, clock: Seconds) -> None:
    number = queue.send(b"a")
    queue.defer(token_of(received(queue)))
    assert queue.receive() is None
    queue.receive_deferred(number)
    with pytest.raises(MessageNotFound):
        queue.receive_deferred(number)
    clock.pass_by(LOCK)
    assert queue.receive() is None
    queue.complete(token_of(queue.receive_deferred(number)))
    assert queue.all() == []


def test_duplicates_are_known_for_the_length_of_the_window(clock: Seconds) -> None:
    queue = QueueState(QueueRules(duplicate_detection_seconds=60), clock)
    assert queue.send(b"a", "1") == 1
    clock.pass_by(59)
    assert queue.send(b"a", "1") == 0
    assert queue.send(b"a", "2") == 2
    assert queue.send(b"a", None) == 3
    clock.pass_by(1)
    assert queue.send(b"a", "1") == 4
    assert queue.counters.duplicates == 1


def test_nothing_is_awaited_when_nothing_can_change(queue: QueueState) -> None:
    queue.send(b"a")
    assert queue.next_change_at() is None
    token = token_of(received(queue))
    assert queue.next_change_at() is not None
    queue.complete(token)
    assert queue.next_change_at() is None


class NothingIsLost(RuleBasedStateMachine):
    """Whatever consumers do, in any order and at any time, each message is in exactly one place."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Seconds()
        self.queue = QueueState(QueueRules(lock_seconds=LOCK, max_delivery_count=3), self.clock)
        self.sent: list[bytes] = []
        self.completed: list[bytes] = []
        self.held: list[tuple[UUID, bytes]] = []

    @rule(delay=st.sampled_from([None, 5, 40]))
    def send(self, delay: int | None) -> None:
        content = str(len(self.sent)).encode()
        self.queue.send(content, due_at=None if delay is None else self.clock.now + delay)
        self.sent.append(content)

    @rule()
    def receive(self) -> None:
        message = self.queue.receive()
        if message is not None:
            self.held.append((token_of(message), message.content))

    @precondition(lambda self: self.held)
    @rule(data=st.data(), how=st.sampled_from(["complete", "abandon", "release", "renew", "dead-letter"]))
    def settle(self, data: st.DataObject, how: str) -> None:
        token, content = data.draw(st.sampled_from(self.held))
        try:
            settlements(self.queue)[how](token)
        except LockLost:
            return
        if how == "complete":
            self.completed.append(content)

    @rule(seconds=st.sampled_from([1, 15, 31]))
    def wait(self, seconds: int) -> None:
        self.clock.pass_by(seconds)

    @invariant()
    def each_message_is_in_one_place(self) -> None:
        places = [one.content for one in self.queue.all()] + [one.content for one in dead(self.queue).all()]
        assert sorted(places + self.completed) == sorted(self.sent)

    @invariant()
    def nobody_tries_too_often(self) -> None:
        assert all(one.delivery_count < 3 for one in self.queue.all())


TestNothingIsLost = NothingIsLost.TestCase
