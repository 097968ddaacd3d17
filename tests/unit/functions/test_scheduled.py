"""What the timer functions do, as the host calls them."""

import json
import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import azure.functions as func
import pytest
from azure.functions.meta import Datum

from shared.adapters.resilience.circuit_store import CircuitStore
from shared.hub import Hub, replaced_hub
from shared.incentives.calculate_period import start_calculation
from shared.kernel.errors import NetworkFailure
from shared.kernel.message import new_message
from tests.fakes.blobs import MemoryBlobs
from tests.fakes.invocation import context
from tests.fakes.queues import MemoryQueues
from tests.fakes.tables import MemoryTables
from tests.unit.functions.indexed import indexed_functions
from tests.unit.telemetry.watched import Watched, attributes, parent_id, trace_id

HOST = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
NOON = datetime(2025, 1, 15, 12, tzinfo=UTC)


class TimedHub:
    """A hub in memory on a clock that stands still."""

    def __init__(self) -> None:
        self.now = NOON
        self.watched = Watched()
        self.queues = MemoryQueues(lambda: self.now)
        self.tables = MemoryTables()
        self.hub = Hub(
            {"HUB_PAGE_TOKEN_SECRET": "a secret for page tokens"},
            clock=lambda: self.now,
            tables=self.tables,
            blobs=MemoryBlobs(),
            queues=self.queues,
            telemetry=self.watched.telemetry,
        )

    def fire(self, name: str, given: str = "", traceparent: str = "") -> None:
        """Call a timer function as the worker does."""
        content = {"IsPastDue": False, "Schedule": {"AdjustForDST": True, **({"Input": given} if given else {})}}
        converter = func.get_binding_registry().get("timerTrigger")
        request = converter.decode(Datum(json.dumps(content), "json"), trigger_metadata={})
        (function,) = [one for one in indexed_functions() if one.get_function_name() == name]
        with replaced_hub(self.hub):
            function.get_user_function()(request, context(traceparent))

    def gauge(self, name: str, **labels: str) -> Any:
        """Return the last value of a metric."""
        return self.watched.points()[name, tuple(sorted(labels.items()))]


@pytest.fixture
def timed() -> TimedHub:
    return TimedHub()


def test_the_hub_measures_what_is_no_instance_s_own(timed: TimedHub) -> None:
    """INC-73, RES-09."""
    for number in range(3):
        message = new_message(message_id=f"m-{number}", message_type="t", tenant="default", now=timed.now)
        timed.queues.send("hr-events", message)
    store = CircuitStore(timed.tables, "default", "payroll", lambda: timed.now)
    assert store.write(store.known(), _opened(store))
    gauge = timed.gauge
    timed.fire("MeasureHub")
    assert gauge("integration_circuit_breaker_state", adapter_id="payroll") == 2
    assert gauge("integration.circuit_open", adapter_id="payroll") == 1
    timed.now += timedelta(minutes=3)
    timed.fire("MeasureHub")

    assert (
        gauge("integration.queue_depth", queue="hr-events"),
        gauge("integration.queue_depth", queue="import-slices"),
    ) == (3, 0)
    assert gauge("integration_circuit_breaker_state", adapter_id="erp") == 0
    assert gauge("integration.heartbeat_age", timer="MeasureHub") == 180
    assert gauge("integration.heartbeat_age", timer="SyncEmployees") == 180


def test_the_alert_of_an_open_circuit_ends_without_traffic(timed: TimedHub) -> None:
    """RES-03, INC-73: payroll is called once a month; its circuit is open for 30 s, not until then."""
    store = CircuitStore(timed.tables, "default", "payroll", lambda: timed.now)
    assert store.write(store.known(), _opened(store))
    timed.now += timedelta(seconds=30)
    timed.fire("MeasureHub")
    assert timed.gauge("integration_circuit_breaker_state", adapter_id="payroll") == 1
    assert timed.gauge("integration.circuit_open", adapter_id="payroll") == 0


class OneQueueAway(MemoryQueues):
    """Queues of which one cannot be counted."""

    def depth(self, queue: str) -> int:
        """Return how many wait."""
        if queue == "import-slices":
            raise OSError("no such queue at host.example.com")
        return super().depth(queue)


def test_what_cannot_be_measured_keeps_nothing_else_from_being_measured(
    timed: TimedHub, caplog: pytest.LogCaptureFixture
) -> None:
    """Else the alert for missing timers would take every timer for dead because of one queue."""
    timed.hub.__dict__["queues"] = OneQueueAway(lambda: timed.now)
    with caplog.at_level(logging.WARNING), pytest.raises(OSError, match="no such queue"):
        timed.fire("MeasureHub")
    assert timed.gauge("integration.heartbeat_age", timer="SyncEmployees") == 0
    assert timed.gauge("integration_circuit_breaker_state", adapter_id="erp") == 0
    assert timed.gauge("integration.queue_depth", queue="notifications") == 0
    assert "queue import-slices cannot be measured: OSError" in caplog.messages


def test_tables_that_are_away_leave_the_queues_measured(timed: TimedHub, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> None:
        raise NetworkFailure("storage", "no connection")

    monkeypatch.setattr(timed.hub.timer_runs, "heartbeats", away)
    monkeypatch.setattr(timed.hub.partners, "circuits", away)
    with pytest.raises(NetworkFailure):
        timed.fire("MeasureHub")
    assert timed.gauge("integration.queue_depth", queue="import-slices") == 0


def test_a_missing_timer_is_a_line_in_the_log_and_named_by_health(
    timed: TimedHub, caplog: pytest.LogCaptureFixture
) -> None:
    timed.fire("MeasureHub")
    timed.now += timedelta(hours=2)
    with caplog.at_level(logging.ERROR):
        timed.fire("MeasureHub")
    missing = {record.__dict__["timer"] for record in caplog.records if record.__dict__.get("alert") == "high"}
    assert missing == {"MeasureHub", "WatchImports", "ResumeHrEvents", "ExportPayroll", "SyncUsers"}
    (check,) = timed.hub.health.run(["timers"])
    assert "ExportPayroll" in check.reason


def test_a_timer_is_a_span_with_its_correlation_id(timed: TimedHub) -> None:
    timed.fire("MeasureHub")
    span = timed.watched.span("task MeasureHub")
    assert attributes(span)["integration.tenant"] == "default"
    assert attributes(span)["integration.correlation_id"]


def test_a_timer_s_span_belongs_to_the_host_s_trace_of_the_invocation(timed: TimedHub) -> None:
    """RES-08: in Application Insights, the function's request and what it did are one operation."""
    timed.fire("MeasureHub", traceparent=HOST)
    span = timed.watched.span("task MeasureHub")
    assert (trace_id(span), parent_id(span)) == (HOST.split("-")[1], HOST.split("-")[2])


def test_what_an_operator_asks_for_by_an_input_is_always_done(timed: TimedHub, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[str] = []
    monkeypatch.setattr("functions.scheduled.import_erp_sales_data", lambda _hub, text: given.append(text))
    timed.now = datetime(2025, 1, 15, 1, 0, 1, tzinfo=UTC)
    for text in ("", "", '{"date": "2025-01-10"}', '{"date": "2025-01-10"}'):
        timed.fire("ImportErpSalesData", text)
    assert given == ["", '{"date": "2025-01-10"}', '{"date": "2025-01-10"}']


def test_work_that_fails_fails_the_function_so_that_the_host_tells_of_it(
    timed: TimedHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise NetworkFailure("hr", "no connection")

    monkeypatch.setattr("functions.scheduled.resume_hr_events", fail)
    with pytest.raises(NetworkFailure):
        timed.fire("ResumeHrEvents")
    assert attributes(timed.watched.span("task ResumeHrEvents"))["error.type"] == "NetworkFailure"


def test_a_look_of_the_watchdog_that_fails_keeps_no_other_from_being_taken(
    timed: TimedHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise NetworkFailure("erp", "no connection")

    start_calculation(timed.hub.incentives, "2025-01", "admin")
    assert timed.queues.take("calculation-requests")  # lost with the process
    timed.now += timedelta(minutes=30)
    monkeypatch.setattr("shared.sales.watchdog.watch_imports", fail)
    with pytest.raises(NetworkFailure):
        timed.fire("WatchImports")
    assert timed.queues.depth("calculation-requests") == 1


def _opened(store: CircuitStore) -> Any:
    from dataclasses import replace

    return replace(store.known(), state="open", opened_at=NOON)
