"""INC-70, INC-71, RES-06: what becomes of a message, by the type of its error alone."""

import logging
from typing import Any

import pytest

from shared.kernel.errors import (
    Busy,
    CircuitOpen,
    ConfigurationError,
    Conflict,
    ContractBroken,
    DataRefused,
    HubError,
    InvalidRequest,
    NetworkFailure,
    NotFound,
    PartnerRefused,
    RateLimited,
    StorageUnavailable,
)
from shared.kernel.message import Message
from shared.messaging.processing import PAUSE
from tests.unit.messaging.post import QUEUE, Crash, Post, failing

AWAY = StorageUnavailable("tables", "does not answer")


def test_a_message_that_is_done_leaves_nothing() -> None:
    post, seen = Post(), list[Message]()
    post.process(post.message(data={"runId": "r"}), seen.append)
    assert [message.data for message in seen] == [{"runId": "r"}]
    assert (post.waiting(), post.listed()) == ([], [])


@pytest.mark.parametrize(
    ("error", "attempt", "delay"),
    [
        (Busy("taken", retry_after=20), 0, 20),
        (Busy("taken", retry_after=0), 0, 1),
        (Busy("taken", retry_after=-5), 0, 1),
        (CircuitOpen("erp", 45), 0, 45),
        (CircuitOpen("erp", 10**9), 0, 86400),
        (NetworkFailure("erp", "gone"), 1, 30),
        (RateLimited("erp", "slower", retry_after=5), 1, 30),
        (RateLimited("erp", "slower", retry_after=300), 1, 300),
        (RateLimited("erp", "slower", retry_after=10**9), 1, 86400),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_a_passing_failure_is_tried_again(error: HubError, attempt: int, delay: float) -> None:
    post = Post()
    post.process(post.message(), failing(error))
    assert [(wait, message.attempt, message.id) for wait, message in post.waiting()] == [(delay, attempt, "m-1")]
    assert post.listed() == []


WAITING = [Busy("taken", retry_after=20), CircuitOpen("erp", 45), AWAY]


@pytest.mark.parametrize("error", WAITING, ids=lambda error: type(error).__name__)
def test_a_message_that_is_put_off_can_be_told_from_what_it_was(error: HubError) -> None:
    """Or a broker that detects duplicates would take it for one, and it would be lost."""
    post, seen = Post(), list[tuple[int, int]]()
    message = post.message()
    for _ in range(3):
        post.process(message, failing(error))
        ((delay, message),) = post.waiting()
        post.pass_time(delay)
        post.queues.take(QUEUE)
        seen.append((message.attempt, message.postponed))
    assert seen == [(0, 1), (0, 2), (0, 3)]


def test_the_delays_grow_and_after_the_last_attempt_the_message_is_parked() -> None:
    post, delays = Post(), list[float]()
    post.queues.send(QUEUE, post.message())
    while post.waiting():
        delay, _ = post.waiting()[0]
        delays.append(delay)
        post.pass_time(delay)
        text = post.queues.take(QUEUE)
        assert text is not None
        post.process(text.encode(), failing(NetworkFailure("erp", "gone")))
    assert delays == [0, 30, 120, 600]
    (letter,) = post.listed()
    assert (letter["attempts"], letter["reason"], letter["adapterId"]) == (4, "NetworkFailure", "erp")
    assert letter["enqueuedAt"] == letter["firstAttemptAt"] == "2025-01-15T01:00:00.000Z"
    assert letter["lastAttemptAt"] == "2025-01-15T01:12:30.000Z"


@pytest.mark.parametrize("error", WAITING, ids=lambda error: type(error).__name__)
def test_a_message_that_only_waits_is_parked_after_a_day(error: HubError) -> None:
    post = Post()
    message = post.message()
    post.pass_time(24 * 3600)
    post.process(message, failing(error))
    assert post.queues.depth(QUEUE) == 1
    post.pass_time(1)
    post.process(message, failing(error))
    assert [letter["reason"] for letter in post.listed()] == [error.code]


@pytest.mark.parametrize(
    "error",
    [
        PartnerRefused("erp", "no", status=400),
        ContractBroken("erp", "redirects"),
        DataRefused("unfit"),
        ConfigurationError(()),
        InvalidRequest("no"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_lasting_error_is_parked_at_once(error: HubError, caplog: pytest.LogCaptureFixture) -> None:
    post, told = Post(), list[tuple[Message, HubError]]()
    with caplog.at_level(logging.ERROR):
        post.process(post.message(), failing(error), lambda *given: told.append(given))
    (letter,) = post.listed()
    assert (letter["kind"], letter["status"], letter["reason"]) == ("Parked", "Open", error.code)
    assert (letter["messageId"], letter["correlationId"], letter["subject"]) == ("m-1", "m-1", "run-1")
    assert [(message.id, given) for message, given in told] == [("m-1", error)]
    assert "Traceback" in post.letters.show(letter["id"])["stack"]
    alerts = [vars(record) for record in caplog.records if vars(record).get("alert") == "high"]
    lines = [(one["event"], one["deadLetterId"], one["queue"], one["reason"]) for one in alerts]
    assert lines == [("dead-letter.created", letter["id"], QUEUE, error.code)]
    assert post.waiting() == []


def test_a_defect_is_left_to_the_broker() -> None:
    post = Post()
    with pytest.raises(ZeroDivisionError):
        post.process(post.message(), failing(ZeroDivisionError()))
    assert (post.waiting(), post.listed()) == ([], [])


@pytest.mark.parametrize(
    "body",
    [b"", b"no json", b"[]", b'{"id": "x"}', bytes(range(256)), b'{"id":1}', b'{"id":"x","deliveryCount":"abc"}'],
)
def test_a_body_that_is_no_message_is_kept_byte_for_byte(body: bytes) -> None:
    post = Post()
    for _ in range(2):
        post.process(body, failing(AssertionError("never called")))
    (letter,) = post.listed()
    assert letter["reason"] == "DataRefused"
    assert post.store.body(letter["id"]) == body


@pytest.mark.parametrize("change", [{"tenant": "other"}, {"time": "yesterday"}, {"time": "2025-01-15T01:00:00"}])
def test_a_message_that_is_not_for_us_is_parked_unseen(change: dict[str, Any]) -> None:
    post, told = Post(), list[Any]()
    message = post.message().model_copy(update=change)
    post.process(message, failing(AssertionError("never called")), lambda *given: told.append(given))
    assert [letter["reason"] for letter in post.listed()] == ["DataRefused"]
    assert bool(told) is ("tenant" not in change)


def test_a_large_payload_is_fetched_and_one_that_is_gone_is_parked() -> None:
    post, seen, told = Post(), list[Message](), list[Any]()
    data = {"text": "x" * 40_000}
    post.queues.send(QUEUE, post.message(data=data))
    text = post.queues.take(QUEUE)
    assert text is not None
    post.process(text.encode(), seen.append)
    assert seen[0].data == data
    for blob in list(post.blobs.container("message-payloads").list()):
        post.blobs.container("message-payloads").delete(blob.name)
    post.process(text.encode(), seen.append, lambda *given: told.append(given))
    assert [letter["reason"] for letter in post.listed()] == ["DataRefused"]
    assert len(told) == 1


@pytest.mark.parametrize("moment", ["before write", "after write", "before insert", "after insert"])
def test_a_crash_while_parking_leaves_one_dead_letter(moment: str) -> None:
    post, told = Post(), list[Any]()
    when, operation = moment.split()
    setattr(post.hook, f"crash_{when}", operation)
    message, refuse = post.message(), failing(DataRefused("unfit"))
    with pytest.raises(Crash):
        post.process(message, refuse, lambda *given: told.append(given))
    post.process(message, refuse, lambda *given: told.append(given))
    assert len(post.listed()) == 1
    assert len(list(post.blobs.container("dead-letters").list())) == 1
    assert len(told) == 1


def test_parking_again_does_not_reopen_what_an_operator_settled() -> None:
    post = Post()
    post.process(post.message(), failing(DataRefused("unfit")))
    post.letters.discard(post.listed()[0]["id"], "admin", "known")
    post.process(post.message(), failing(DataRefused("unfit")))
    assert [letter["status"] for letter in post.listed()] == ["Discarded"]


def test_what_the_broker_gave_up_ends_in_the_same_place() -> None:
    post, told = Post(), list[HubError]()
    body = post.message().to_json().encode()
    for _ in range(2):
        post.processor.record_crash_loop(QUEUE, body, 5, lambda _message, error: told.append(error))
    strange = {"delivery_count": 7, "reason": "Other", "description": "the broker's own words"}
    post.processor.record_broker_dead_letter(QUEUE, b"\xff\x00", **strange)  # type: ignore[arg-type]
    unread, known = post.listed()
    assert (known["kind"], known["reason"], known["deliveryCount"]) == ("Broker", "CrashLoop", 5)
    assert (unread["reason"], unread["deliveryCount"]) == ("Other", 7)
    assert {error.code for error in told} == {"CrashLoop"}
    shown = post.letters.show(unread["id"])
    assert (shown["message"], shown["messageBase64"]) == ("\ufffd\x00", "/wA=")


def test_an_overlong_text_in_the_envelope_does_not_keep_a_message_from_being_parked() -> None:
    post = Post()
    message = post.message().model_copy(update={"subject": "s" * 40_000, "correlationid": "c" * 40_000})
    post.process(message, failing(DataRefused("d" * 100_000)))
    assert len(post.listed()) == 1


class TestStorageThatIsAway:
    """INC-70: an outage delays; it makes no dead letter, and no message is worked on again and again meanwhile."""

    @staticmethod
    def put_off(post: Post) -> tuple[float, Message]:
        """Return what waits, taken off its queue when it was due: the delay and the message."""
        ((delay, message),) = post.waiting()
        post.pass_time(delay)
        assert post.queues.take(QUEUE)
        return delay, message

    def test_the_delays_grow_to_the_longest_and_no_attempt_counts(self) -> None:
        post, delays = Post(), list[float]()
        message = post.message()
        for _ in range(9):  # more than an hour
            post.process(message, failing(AWAY))
            delay, message = self.put_off(post)
            delays.append(delay)
        assert delays == [30, 120] + [600] * 7
        assert (message.attempt, post.listed()) == (0, [])
        post.process(message, lambda _message: None)
        assert post.waiting() == []

    def test_without_delays_a_message_does_not_spin(self) -> None:
        post = Post(delays=())
        post.process(post.message(), failing(AWAY))
        assert [delay for delay, _ in post.waiting()] == [1]

    @pytest.mark.parametrize("operation", ["write", "insert"])
    def test_what_cannot_be_parked_is_tried_again_however_old_it_is(self, operation: str) -> None:
        post, told = Post(), list[Message]()
        message = post.message()
        post.pass_time(48 * 3600)
        post.hook.away = {operation}
        post.process(message, failing(DataRefused("unfit")), lambda *given: told.append(given[0]))
        assert (post.listed(), told) == ([], [])
        _, message = self.put_off(post)
        post.hook.away = set()
        post.process(message, failing(DataRefused("unfit")), lambda *given: told.append(given[0]))
        assert [letter["reason"] for letter in post.listed()] == ["DataRefused"]
        assert len(told) == 1

    def test_who_belongs_to_a_parked_message_is_told_when_storage_is_back(self) -> None:
        post, told = Post(), list[Message]()

        def tell(message: Message, _error: HubError) -> None:
            if not told:
                told.append(message)
                raise AWAY

        post.process(post.message(), failing(DataRefused("unfit")), tell)
        _, message = self.put_off(post)
        post.process(message, failing(DataRefused("unfit")), lambda *given: told.append(given[0]))
        assert len(told) == 2
        assert len(post.listed()) == 1

    def test_when_the_queues_are_away_too_the_broker_keeps_the_message(self) -> None:
        post = Post()
        post.hook.away = {"send"}
        with pytest.raises(StorageUnavailable):
            post.process(post.message(), failing(AWAY))
        assert post.listed() == []

    def test_what_the_broker_gave_up_waits_in_its_queue_until_it_can_be_kept(self) -> None:
        """A dead-letter queue would give it out again at once, for as long as the outage lasts."""
        post = Post()
        message = post.message()
        post.hook.away = {"write"}
        for delay in (30, 120, 600):
            post.processor.record_crash_loop(QUEUE, message.to_json().encode(), 5)
            waited, message = self.put_off(post)
            assert waited == delay
        assert (post.listed(), post.slept) == ([], [])
        post.hook.away = set()
        post.processor.record_crash_loop(QUEUE, message.to_json().encode(), 5)
        assert [letter["reason"] for letter in post.listed()] == ["CrashLoop"]

    def test_what_is_no_message_is_held_for_a_while_before_it_is_given_back(self) -> None:
        post = Post()
        post.hook.away = {"write"}
        with pytest.raises(StorageUnavailable):
            post.processor.record_crash_loop(QUEUE, b"no message", 5)
        assert post.slept == [PAUSE]
        post.hook.away = set()
        post.processor.record_crash_loop(QUEUE, b"no message", 5)
        assert [letter["reason"] for letter in post.listed()] == ["CrashLoop"]


@pytest.mark.parametrize("error", [NotFound("the run is gone"), Conflict("it is not configured")], ids=["gone", "off"])
def test_what_cannot_be_ended_is_no_reason_to_deliver_its_message_again(error: HubError) -> None:
    """INC-71: among a broker's dead letters it would come again at once, for ever."""
    post = Post()

    def refuse(_message: Message) -> None:
        raise DataRefused("unfit")

    def end(_message: Message, _error: HubError) -> None:
        raise error

    post.process(post.message(), refuse, end)
    (letter,) = post.listed()
    body = post.message("m-2").to_json().encode()
    post.processor.record_crash_loop(QUEUE, body, 5, end)
    assert (letter["status"], len(post.listed())) == ("Open", 2)
