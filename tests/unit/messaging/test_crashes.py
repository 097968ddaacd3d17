"""INC-71: whatever a worker raises, a message ends after five crashes, however they alternate with waits."""

import csv
from collections.abc import Callable
from typing import Any

import paramiko
import pytest
import requests
from azure.core.exceptions import HttpResponseError
from azure.servicebus.exceptions import ServiceBusConnectionError
from pydantic import BaseModel, ValidationError

from shared.kernel.errors import Busy, HubError, NetworkFailure, StorageUnavailable
from shared.kernel.message import Message, parse_message
from shared.messaging.queue_names import BROKER_DELIVERIES
from tests.unit.messaging.post import QUEUE, Crash, Post, failing


def _unfit() -> ValidationError:
    class Model(BaseModel):
        number: int

    with pytest.raises(ValidationError) as raised:
        Model.model_validate({"number": "Erika Mustermann"})
    return raised.value


DEFECTS: list[Exception] = [
    csv.Error("new-line character seen in unquoted field"),
    ValueError("year 0 is out of range"),
    OverflowError("date value out of range"),
    KeyError("slice"),
    TypeError("unhashable"),
    RecursionError("maximum recursion depth exceeded"),
    MemoryError(),
    EOFError(),
    _unfit(),
    requests.RequestException("x"),
    paramiko.SSHException("x"),
    HttpResponseError("x"),
    ServiceBusConnectionError(message="x"),
]


class Broker:
    """Delivers a message as both transports do: again with one more on its count, until five; then gives it up.

    A message that was sent again is a new one to it.
    """

    def __init__(self, post: Post) -> None:
        self.post = post
        self.works = 0

    def settle(self, handle: Callable[[Message], None], given_up: Callable[..., None] | None = None) -> None:
        """Deliver until nothing is left. AssertionError when that takes for ever."""
        for _ in range(200):
            text = self.post.queues.take(QUEUE)
            if text is None:
                if not self.post.waiting():
                    return
                self.post.pass_time(self.post.waiting()[0][0])
                continue
            self._deliver(text.encode(), handle, given_up)
        pytest.fail("the message is still on its way")

    def _deliver(self, body: bytes, handle: Callable[[Message], None], given_up: Callable[..., None] | None) -> None:
        def work(message: Message) -> None:
            self.works += 1
            handle(message)

        for delivery in range(1, BROKER_DELIVERIES + 1):
            try:
                self.post.processor.process(QUEUE, body, work, given_up, deliveries=delivery)
            except (Exception, Killed):  # noqa: BLE001, S112 - as the host, which delivers again
                continue
            return
        self.post.processor.record_crash_loop(QUEUE, body, BROKER_DELIVERIES, given_up)


class Killed(BaseException):
    """The process is gone."""


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: type(defect).__name__)
def test_any_exception_ends_after_five_tries_with_the_reason(defect: Exception) -> None:
    post, told = Post(), list[HubError]()
    broker = Broker(post)
    post.queues.send(QUEUE, post.message())

    def fail(_message: Message) -> None:
        raise defect.with_traceback(None)  # the same object is raised by other tests, and would remember them all

    broker.settle(fail, lambda _message, error: told.append(error))
    (letter,) = post.listed()
    assert (broker.works, letter["kind"], letter["reason"], letter["deliveryCount"]) == (5, "Broker", "CrashLoop", 5)
    assert [error.code for error in told] == ["CrashLoop"]
    assert f"5 times, at last with {type(defect).__name__}" in told[0].message
    assert "Mustermann" not in told[0].message
    assert "Traceback" in post.letters.show(letter["id"])["stack"]


WAITS = [Busy("taken", retry_after=20), NetworkFailure("erp", "gone"), StorageUnavailable("tables", "away")]


@pytest.mark.parametrize("crash", [ValueError("x"), Killed()], ids=["raised", "killed"])
@pytest.mark.parametrize("wait", WAITS, ids=lambda wait: type(wait).__name__)
def test_crashes_are_counted_across_waits(wait: HubError, crash: BaseException) -> None:
    """A redelivery that finds its own claim is put off, and comes back as a new message to the broker."""
    post, told, crashed = Post(delays=(1.0,) * 20), list[HubError](), 0
    turn = 0

    def handle(_message: Message) -> None:
        nonlocal turn, crashed
        turn += 1
        if turn % 2 == 0:
            raise wait
        crashed += 1
        raise crash

    post.queues.send(QUEUE, post.message())
    Broker(post).settle(handle, lambda _message, error: told.append(error))
    assert crashed == BROKER_DELIVERIES
    assert [letter["reason"] for letter in post.listed()] == ["CrashLoop"]
    assert [error.code for error in told] == ["CrashLoop"]


def test_a_few_crashes_do_not_end_a_message_that_then_succeeds() -> None:
    post, turns = Post(), iter([ValueError(), Busy("taken", retry_after=5), ValueError(), ValueError(), None])

    def handle(_message: Message) -> None:
        if error := next(turns):
            raise error

    post.queues.send(QUEUE, post.message())
    Broker(post).settle(handle)
    assert post.listed() == []


def test_a_resubmitted_message_starts_anew() -> None:
    post = Post()
    post.queues.send(QUEUE, post.message().model_copy(update={"crashes": 4}))
    Broker(post).settle(failing(ValueError()))
    (letter,) = post.listed()
    post.letters.resubmit(letter["id"], "admin")
    text = post.queues.take(QUEUE)
    assert text is not None
    assert parse_message(text).crashes == 0


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: type(defect).__name__)
@pytest.mark.parametrize("failure", ["of a defect", "of a refusal"])
def test_what_cannot_be_ended_is_an_alert_and_no_endless_loop(
    defect: Exception, failure: str, caplog: pytest.LogCaptureFixture
) -> None:
    post = Post()
    handled = ValueError() if failure == "of a defect" else NetworkFailure("erp", "gone")

    def give_up(_message: Message, _error: HubError) -> None:
        raise defect

    post.queues.send(QUEUE, post.message())
    Broker(post).settle(failing(handled), give_up)
    assert len(post.listed()) == 1
    told = [vars(record) for record in caplog.records if vars(record).get("event") == "given-up.failed"]
    assert [(one["alert"], one["reason"]) for one in told] == [("high", type(defect).__name__)]


def test_a_run_that_is_busy_is_ended_later_and_not_for_ever(caplog: pytest.LogCaptureFixture) -> None:
    post = Post()

    def give_up(_message: Message, _error: HubError) -> None:
        raise Busy("the run is being written", retry_after=3600)

    post.queues.send(QUEUE, post.message().model_copy(update={"crashes": 4}))
    seen = 0
    body: str | None = post.queues.take(QUEUE)
    while body:
        seen += 1
        assert seen < 100
        try:
            post.processor.process(QUEUE, body.encode(), failing(ValueError()), give_up)
        except ValueError:
            continue
        post.pass_time(3600)
        body = post.queues.take(QUEUE)
    assert seen > 2
    assert "given-up.failed" in {vars(record).get("event") for record in caplog.records}


@pytest.mark.parametrize("moment", ["before write", "after write", "before insert", "after insert", "before send"])
def test_a_crash_while_a_crash_is_recorded_leaves_one_dead_letter(moment: str) -> None:
    post, told = Post(), list[Any]()
    when, operation = moment.split()
    body = post.message().model_copy(update={"crashes": 4}).to_json().encode()
    setattr(post.hook, f"crash_{when}", operation)
    with pytest.raises(Crash):
        post.process(body, failing(ValueError()), lambda *given: told.append(given))
    post.processor.process(QUEUE, body, failing(ValueError()), lambda *given: told.append(given), deliveries=2)
    assert (len(post.listed()), len(told)) == (1, 1)


def test_whoever_waits_is_told_why_how_often_and_until_when() -> None:
    post, told = Post(), list[tuple[str, int, float]]()
    began = post.now

    def note(_message: Message, error: HubError, tries: int, next_at: Any) -> None:
        told.append((error.code, tries, (next_at - began).total_seconds()))

    message = post.message().to_json().encode()
    post.processor.process(QUEUE, message, failing(NetworkFailure("erp", "gone")), delayed=note)
    assert told == [("NetworkFailure", 1, 30.0)]
    assert len(post.waiting()) == 1


def test_a_note_that_fails_does_not_send_the_message_twice() -> None:
    post = Post()

    def note(*_given: object) -> None:
        raise ValueError

    message = post.message().to_json().encode()
    post.processor.process(QUEUE, message, failing(NetworkFailure("erp", "gone")), delayed=note)
    assert len(post.waiting()) == 1
