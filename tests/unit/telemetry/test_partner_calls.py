"""RES-08, RES-09, INC-73: what is seen of the calls to a partner."""

import pytest
import requests

from shared.adapters.http import PartnerClient
from shared.adapters.http_wire import Timeouts, Wire
from shared.adapters.logs import correlated
from shared.adapters.resilience.policies import RetryPolicy
from shared.adapters.resilience.retry import Retry
from shared.adapters.resilience.retry_budget import RetryBudget
from shared.adapters.telemetry import metrics
from shared.adapters.telemetry.partner_calls import PartnerCalls
from shared.adapters.telemetry.telemetry import Telemetry
from shared.kernel.errors import Busy, CircuitOpen, PartnerRefused, ServerFailure
from shared.kernel.trace_context import TraceContext, parse_traceparent
from tests.unit.adapters.loopback import Loopback, answer
from tests.unit.adapters.manual_time import ManualTime
from tests.unit.telemetry.watched import Watched, attributes, span_id, trace_id

CALLER = TraceContext("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", "01")
ADAPTER = (("adapter_id", "erp"),)


def client(url: str, telemetry: Telemetry, retries: int = 2) -> PartnerClient:
    time = ManualTime()
    retry = Retry(RetryPolicy(retries, 1, 60), RetryBudget(time.clock), sleep=time.sleep)
    calls = PartnerCalls(telemetry, "erp", "acme")
    return PartnerClient("erp", url, wire=Wire("erp", Timeouts(1, 1, 1)), retry=retry, calls=calls)


def labels(**more: str) -> tuple[tuple[str, str], ...]:
    return tuple(sorted({"adapter_id": "erp", **more}.items()))


def test_a_call_is_one_span_around_its_retries_with_an_event_for_each_attempt() -> None:
    watched = Watched()
    good = answer(200, b"{}", headers={"traceresponse": CALLER.traceparent()})
    with Loopback(answer(503), answer(503), good) as partner, correlated("corr-1"):
        client(partner.url, watched.telemetry).get_json("/api/v1/sales", {"date": "secret"})
    span = watched.span("integration.execute")
    assert attributes(span) == {
        "integration.adapter_id": "erp",
        "integration.adapter_version": "1.0.0",
        "integration.operation": "GET /api/v1/sales",
        "integration.tenant": "acme",
        "integration.correlation_id": "corr-1",
        "integration.retry_count": 2,
        "integration.status": "success",
        "integration.partner_trace": CALLER.traceparent(),
        "http.response.status_code": 200,
    }
    told = [(event.name, (event.attributes or {}).get("error.type")) for event in span.events]
    assert told == [("attempt", "ServerFailure"), ("attempt", "ServerFailure"), ("attempt", None)]
    assert span.status.is_unset
    sent = {parse_traceparent(partner.header(number, "traceparent")) for number in range(3)}
    assert sent == {TraceContext(trace_id(span), span_id(span), "01")}


def test_metrics_of_a_call_that_needed_retries() -> None:
    watched = Watched()
    with Loopback(answer(503), answer(200, b"{}")) as partner:
        client(partner.url, watched.telemetry).get_json("/x")
    points = watched.points()
    assert points["integration_requests_total", labels(status="success")] == 1
    assert points["integration_retries_total", ADAPTER] == 1
    duration = points["integration_request_duration_seconds", ADAPTER]
    assert duration.count == 1
    assert tuple(duration.explicit_bounds) == (0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
    assert points["integration.latency", ADAPTER].count == 1
    assert points["integration.error_rate", ADAPTER].sum == 0
    assert not [name for name, _ in points if name == "integration_errors_total"]


def test_a_call_that_fails_is_told_by_the_type_of_its_error_alone() -> None:
    watched = Watched()
    with Loopback(answer(404, b'{"error": "Erika Mustermann"}')) as partner, pytest.raises(PartnerRefused):
        client(partner.url, watched.telemetry).get_json("/x")
    span = watched.span("integration.execute")
    assert (span.status.is_ok, span.status.description) == (False, None)
    assert (attributes(span)["error.type"], attributes(span)["integration.status"]) == ("PartnerRefused", "error")
    assert "Mustermann" not in span.to_json()
    points = watched.points()
    assert points["integration_requests_total", labels(status="error")] == 1
    assert points["integration_errors_total", labels(error_type="PartnerRefused")] == 1
    assert points["integration.error_rate", ADAPTER].sum == 1


def test_the_error_rate_is_the_mean_over_any_set_of_instances() -> None:
    """INC-73: sums and counts of instances add up, shares do not."""
    watched = Watched()
    calls = PartnerCalls(watched.telemetry, "erp")
    with pytest.raises(ServerFailure), calls.call("x"):
        raise ServerFailure("erp", "x")
    for _ in range(3):
        with calls.call("x"):
            pass
    point = watched.points()["integration.error_rate", ADAPTER]
    assert point.sum / point.count == 0.25


def test_a_call_that_an_open_circuit_held_back_says_nothing_of_the_partner() -> None:
    watched = Watched()

    class Open:
        def call(self, _call: object) -> None:
            raise CircuitOpen("erp", 10)

    partner = client("http://127.0.0.1:9", watched.telemetry)
    partner._breaker = Open()  # type: ignore[assignment]
    with pytest.raises(CircuitOpen):
        partner.get_json("/x")
    points = watched.points()
    assert points["integration_requests_total", labels(status="held")] == 1
    assert not [name for name, _ in points if name in ("integration.error_rate", "integration.latency")]


def test_a_partner_that_is_not_done_yet_has_not_failed() -> None:
    """Asked each minute for an hour, payroll at work on a batch would look like an outage."""
    watched = Watched()
    calls = PartnerCalls(watched.telemetry, "erp")
    with pytest.raises(Busy), calls.call("x"):
        raise Busy("still at it", retry_after=60)
    points = watched.points()
    assert points["integration_requests_total", labels(status="success")] == 1
    assert points["integration.error_rate", ADAPTER].sum == 0


def test_without_an_exporter_the_trace_goes_on_to_the_partner_all_the_same() -> None:
    with Loopback(answer(200, b"{}")) as partner, Telemetry().span("request", "server", {}, parent=CALLER) as mine:
        client(partner.url, Telemetry()).get_json("/x")
        sent = parse_traceparent(partner.header(0, "traceparent"))
    assert sent
    assert (sent.trace_id, sent.flags) == (CALLER.trace_id, "01")
    assert sent.span_id not in (CALLER.span_id, mine.trace.span_id)


@pytest.mark.parametrize("metric", metrics.METRICS.values(), ids=lambda metric: metric.name)
def test_a_metric_takes_its_own_labels_and_no_others(metric: metrics.Metric) -> None:
    watched = Watched()
    with pytest.raises(ValueError, match="has the labels"):
        watched.telemetry.measure(metric, 1, {"employee": "E1"})
    watched.telemetry.measure(metric, 1, dict.fromkeys(metric.labels, "x"))
    assert (metric.name, tuple((name, "x") for name in sorted(metric.labels))) in watched.points()


def test_an_exporter_that_cannot_be_built_disturbs_no_work(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> None:
        raise requests.ConnectionError("https://key-in-clear@collector")

    telemetry = Telemetry(broken)  # type: ignore[arg-type]
    with telemetry.span("request", "server", {}) as span:
        assert len(span.trace.trace_id) == 32
    assert [record.getMessage() for record in caplog.records] == ["there is no telemetry: ConnectionError"]
