"""INC-70, INC-71, RES-06: what becomes of a message that fails."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.kernel.errors import (
    Busy,
    CircuitOpen,
    ConfigurationError,
    Conflict,
    DataRefused,
    HubError,
    PartnerRefused,
    ServerFailure,
)
from shared.kernel.message import Message, new_message
from shared.messaging.dead_letters import DeadLetters
from shared.messaging.processing import MessageProcessor
from tests.fakes.blobs import MemoryBlobs
from tests.fakes.queues import MemoryQueues
from tests.fakes.tables import MemoryTables


class Post:
    """A processor with everything in memory."""

    def __init__(self) -> None:
        self.now = datetime(2025, 1, 15, tzinfo=UTC)
        blobs = MemoryBlobs()
        self.queues = MemoryQueues(lambda: self.now, blobs)
        self.ids = iter(f"id-{number}" for number in range(99))
        self.letters = DeadLetters(
            MemoryTables().table("DeadLetters"),
            blobs.container("dead-letters"),
            self.queues,
            "default",
            lambda: self.now,
            lambda: next(self.ids),
        )
        self.processor = MessageProcessor(self.queues, self.letters, "default", lambda: self.now, (1.0, 5.0))
        self.given_up: list[str] = []

    def message(self, **changes: Any) -> Message:
        message = new_message(
            message_id="m1", message_type="test", tenant="default", now=self.now, subject="s1", data={"a": 1}
        )
        return message.model_copy(update=changes)

    def process(self, body: Message | bytes, handle: Callable[[Message], None]) -> None:
        raw = body if isinstance(body, bytes) else body.to_json().encode()
        self.processor.process("work", raw, handle, lambda message, error: self.given_up.append(error.code))

    def listed(self, **equal: str) -> list[dict[str, Any]]:
        return self.letters.page(size=100, position=None, equal=equal)[0]


def raising(error: Exception) -> Callable[[Message], None]:
    def handle(_message: Message) -> None:
        raise error

    return handle


@pytest.fixture
def post() -> Post:
    return Post()


def test_a_message_that_is_done_leaves_nothing(post: Post) -> None:
    seen: list[Message] = []
    post.process(post.message(), seen.append)
    assert [one.data for one in seen] == [{"a": 1}]
    assert (post.queues.depth("work"), post.listed()) == (0, [])


def test_a_passing_failure_is_tried_again_later_and_later_then_parked(post: Post) -> None:
    message = post.message()
    for attempt, delay in enumerate((1.0, 5.0)):
        post.process(message, raising(ServerFailure("erp", "503")))
        assert post.queues.take("work") is None
        post.now += timedelta(seconds=delay)
        message = post.queues.messages("work")[0]
        assert message.attempt == attempt + 1
        post.queues.take("work")
    post.process(message, raising(ServerFailure("erp", "503")))
    letter = post.listed()[0]
    assert (letter["reason"], letter["attempts"], letter["adapterId"], letter["kind"]) == (
        "ServerFailure",
        3,
        "erp",
        "Parked",
    )
    assert post.given_up == ["ServerFailure"]


def test_the_partners_wish_to_wait_longer_is_kept(post: Post) -> None:
    post.process(post.message(), raising(ServerFailure("erp", "503", retry_after=100)))
    post.now += timedelta(seconds=99)
    assert post.queues.take("work") is None
    post.now += timedelta(seconds=2)
    assert post.queues.take("work") is not None


@pytest.mark.parametrize("error", [Busy("taken", retry_after=2), CircuitOpen("erp", 2)], ids=["busy", "open circuit"])
def test_waiting_for_others_is_no_attempt_but_ends_after_a_day(post: Post, error: HubError) -> None:
    message = post.message()
    post.process(message, raising(error))
    assert [one.attempt for one in post.queues.messages("work")] == [0]
    post.now += timedelta(hours=25)
    post.process(message, raising(error))
    assert len(post.listed()) == 1


@pytest.mark.parametrize(
    "error", [PartnerRefused("erp", "404", status=404), DataRefused("unfit"), ConfigurationError(())]
)
def test_a_lasting_failure_is_parked_at_once_and_once(post: Post, error: HubError) -> None:
    for _ in range(2):  # the worker died before the broker knew
        post.process(post.message(), raising(error))
    assert [(one["reason"], one["messageId"]) for one in post.listed()] == [(error.code, "m1")]
    alerts = post.queues.messages("notifications")
    assert {(one.type, one.id) for one in alerts} == {("dead-letter.created", f"{post.listed()[0]['id']}-alert")}


def test_a_defect_is_left_to_the_broker_and_ends_as_a_crash_loop(post: Post) -> None:
    with pytest.raises(ZeroDivisionError):
        post.process(post.message(), raising(ZeroDivisionError()))
    assert post.listed() == []
    body = post.message().to_json().encode()
    post.processor.record_crash_loop("work", body, 5, lambda _message, error: post.given_up.append(error.code))
    assert [(one["kind"], one["deliveryCount"]) for one in post.listed()] == [("Broker", 5)]
    assert post.given_up == ["CrashLoop"]


@pytest.mark.parametrize("body", [b"\xff\x00", b"{}", b"[1]", b'{"id": 5}', b""], ids=repr)
def test_what_is_no_message_of_ours_is_kept_byte_for_byte(post: Post, body: bytes) -> None:
    post.process(body, raising(AssertionError("never called")))
    letter = post.listed()[0]
    assert letter["reason"] == "DataRefused"
    assert post.letters.show(letter["id"])["message"] == body.decode(errors="replace")
    with pytest.raises(DataRefused, match="cannot be sent again"):
        post.letters.resubmit(letter["id"], "somebody")


def test_another_tenants_message_is_not_handled(post: Post) -> None:
    post.process(post.message(tenant="other"), raising(AssertionError("never called")))
    assert post.listed()[0]["reason"] == "DataRefused"
    assert post.given_up == []


def test_a_resubmitted_message_is_sent_once_edited_or_not(post: Post) -> None:
    post.process(post.message(attempt=2), raising(DataRefused("unfit")))
    letter = post.listed()[0]["id"]
    first = post.letters.resubmit(letter, "somebody", {"a": 2})
    assert post.letters.resubmit(letter, "somebody") == first
    sent = post.queues.messages("work")
    assert [(one.id, one.attempt, one.data, one.correlationid) for one in sent] == [(first, 0, {"a": 2}, "m1")]
    assert post.listed(status="Resubmitted")[0]["resubmittedBy"] == "somebody"
    with pytest.raises(Conflict, match="was resubmitted"):
        post.letters.discard(letter, "somebody", "no")


def test_a_resubmit_that_was_cut_short_goes_on_under_the_same_id(post: Post) -> None:
    post.process(post.message(), raising(DataRefused("unfit")))
    letter = post.listed()[0]["id"]
    send, post.queues.send = post.queues.send, raising_send  # type: ignore[method-assign]
    with pytest.raises(ConnectionError):
        post.letters.resubmit(letter, "somebody")
    post.queues.send = send  # type: ignore[method-assign]
    stored = post.listed()[0]
    assert stored["status"] == "Resubmitting"
    assert post.letters.resubmit(letter, "somebody") == stored["resubmittedAs"]
    assert [one.id for one in post.queues.messages("work")] == [stored["resubmittedAs"]]


def raising_send(*_args: Any, **_options: Any) -> None:
    raise ConnectionError


def test_a_discarded_message_stays_discarded(post: Post) -> None:
    post.process(post.message(), raising(DataRefused("unfit")))
    letter = post.listed()[0]["id"]
    post.letters.discard(letter, "somebody", "a test order")
    post.letters.discard(letter, "somebody", "a test order")
    assert post.listed(status="Discarded")[0]["discardReason"] == "a test order"
    with pytest.raises(Conflict, match="was discarded"):
        post.letters.resubmit(letter, "somebody")


def test_the_list_is_newest_first_in_pages_and_by_time(post: Post) -> None:
    for number in range(5):
        post.now += timedelta(minutes=1)
        post.process(post.message(id=f"m{number}", time=post.now.isoformat()), raising(DataRefused("unfit")))
    first, position = post.letters.page(size=2, position=None, equal={})
    rest, end = post.letters.page(size=10, position=position, equal={})
    assert [one["messageId"] for one in first + rest] == ["m4", "m3", "m2", "m1", "m0"]
    assert end is None
    since = datetime(2025, 1, 15, 0, 4, tzinfo=UTC)
    late, _ = post.letters.page(size=10, position=None, equal={"queue": "work"}, since=since)
    assert [one["messageId"] for one in late] == ["m4", "m3"]
