"""RES-08, RES-12: messages, requests and timers as they are seen from outside; one trace through all of them."""

import json
import logging
from io import StringIO

import pytest

from shared.adapters.logs import JsonLines, add_ids, current_correlation_id
from shared.adapters.telemetry.current import current_trace, inside
from shared.adapters.telemetry.queues import TracedQueues
from shared.adapters.telemetry.work import ObservedWork
from shared.kernel.errors import DataRefused, NetworkFailure
from shared.kernel.message import Message
from shared.kernel.trace_context import TraceContext, parse_traceparent
from shared.messaging.processing import MessageProcessor
from tests.unit.messaging.post import DELAYS, QUEUE, Post
from tests.unit.telemetry.watched import Watched, attributes, parent_id, span_id, trace_id

CALLER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"


class Office(Post):
    """A processor that is watched, over queues that carry traces on."""

    def __init__(self) -> None:
        super().__init__()
        self.watched = Watched()
        self.work = ObservedWork(self.watched.telemetry, lambda: "default")
        self.traced = TracedQueues(self.queues)
        self.processor = MessageProcessor(
            self.traced, self.letters, "default", self.clock, DELAYS, observe=self.work.message
        )


@pytest.fixture
def office() -> Office:
    return Office()


def test_a_message_s_own_trace_is_continued_and_the_host_s_noted_beside_it(office: Office) -> None:
    """RES-08: the trace that the host made for the invocation is found from the span, and the other way round."""
    carried = office.message("m-1").model_copy(update={"traceparent": CALLER})
    with inside(TraceContext("a" * 32, "b" * 16, "01")):
        office.process(carried, lambda _: None)
    span = office.watched.span(f"process {QUEUE}")
    assert trace_id(span) == CALLER.split("-")[1]
    assert attributes(span)["integration.host_trace"] == "a" * 32


def test_a_message_without_a_trace_belongs_to_the_host_s(office: Office) -> None:
    with inside(TraceContext("a" * 32, "b" * 16, "01")):
        office.process(office.message("m-1"), lambda _: None)
    span = office.watched.span(f"process {QUEUE}")
    assert (trace_id(span), parent_id(span)) == ("a" * 32, "b" * 16)
    assert "integration.host_trace" not in attributes(span)


def test_a_trace_goes_from_a_request_through_two_queues(office: Office) -> None:
    def pass_on(message: Message) -> None:
        office.traced.send("notifications", office.message("m-2"))

    with office.work.request("StartImport", "admin/imports", "POST", CALLER, "request-1") as tell:
        office.traced.send(QUEUE, office.message())
        tell(202)
    (sent,) = office.queues.messages(QUEUE)
    office.process(sent, pass_on)
    request, process = office.watched.span("request StartImport"), office.watched.span(f"process {QUEUE}")
    assert trace_id(request) == trace_id(process) == CALLER.split("-")[1]
    assert (parent_id(request), parent_id(process)) == (CALLER.split("-")[2], span_id(request))
    (passed_on,) = office.queues.messages("notifications")
    assert passed_on.traceparent == f"00-{trace_id(process)}-{span_id(process)}-01"
    assert attributes(request)["http.response.status_code"] == 202
    assert attributes(process) == {
        "messaging.destination.name": QUEUE,
        "messaging.message.id": "m-1",
        "messaging.message.type": "import.stage",
        "integration.attempt": 0,
        "integration.correlation_id": "m-1",
        "integration.tenant": "default",
        "integration.outcome": "done",
    }


@pytest.mark.parametrize("traceparent", ["", "nonsense", CALLER.upper()], ids=["none", "nonsense", "malformed"])
def test_a_malformed_traceparent_is_ignored(office: Office, traceparent: str) -> None:
    office.process(office.message().model_copy(update={"traceparent": traceparent}), lambda _message: None)
    assert parent_id(office.watched.span(f"process {QUEUE}")) == ""
    with office.work.request("X", "x", "GET", traceparent, "request-1"):
        pass
    assert parent_id(office.watched.span("request X")) == ""


@pytest.mark.parametrize(
    ("error", "outcome"),
    [(NetworkFailure("erp", "x"), "again"), (DataRefused("x"), "parked")],
    ids=["passing", "lasting"],
)
def test_the_outcome_of_a_message_is_told_and_counted(office: Office, error: Exception, outcome: str) -> None:
    def fail(_message: Message) -> None:
        raise error

    office.process(office.message(), fail)
    assert attributes(office.watched.span(f"process {QUEUE}"))["integration.outcome"] == outcome
    labels = (("outcome", outcome), ("queue", QUEUE))
    assert office.watched.points()["integration.throughput", labels] == 1


def test_the_next_attempt_goes_on_in_the_trace_of_the_one_before(office: Office) -> None:
    def fail(_message: Message) -> None:
        raise NetworkFailure("erp", "x")

    office.process(office.message(), fail)
    first = office.watched.span(f"process {QUEUE}")
    ((_, again),) = office.waiting()
    office.process(again, lambda _message: None)
    second = office.watched.spans(f"process {QUEUE}")[1]
    assert (trace_id(second), parent_id(second)) == (trace_id(first), span_id(first))


def test_a_defect_is_a_failed_span_and_is_raised(office: Office) -> None:
    def defect(_message: Message) -> None:
        raise ZeroDivisionError("Erika Mustermann")

    with pytest.raises(ZeroDivisionError):
        office.process(office.message(), defect)
    span = office.watched.span(f"process {QUEUE}")
    assert (attributes(span)["error.type"], attributes(span)["integration.outcome"]) == ("ZeroDivisionError", "failed")
    assert "Mustermann" not in span.to_json()


def test_every_line_of_a_task_has_its_correlation_and_trace_id(office: Office) -> None:
    handler = logging.StreamHandler(StringIO())
    handler.addFilter(add_ids)
    handler.setFormatter(JsonLines())
    log = logging.getLogger("tests.work")
    log.addHandler(handler)
    try:
        with office.work.task("MeasureHub", "run-1"):
            trace = current_trace()
            log.warning("inside")
        log.warning("outside")
    finally:
        log.removeHandler(handler)
    inside, outside = (json.loads(line) for line in handler.stream.getvalue().splitlines())
    assert trace
    assert (inside["correlationId"], inside["traceId"], inside["spanId"]) == ("run-1", trace.trace_id, trace.span_id)
    assert {"correlationId", "traceId", "spanId"}.isdisjoint(outside)
    assert (current_trace(), current_correlation_id()) == (None, "")


def test_a_message_sent_outside_of_any_work_keeps_the_trace_it_has(office: Office) -> None:
    message = office.message().model_copy(update={"traceparent": CALLER})
    office.traced.send(QUEUE, message)
    assert office.queues.messages(QUEUE)[0].traceparent == CALLER
    assert parse_traceparent(CALLER)
