"""RES-08, RES-09, INC-73: what truly leaves this process, by each exporter, on a loopback collector."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.adapters.settings import Settings
from shared.adapters.telemetry import exporters, metrics
from shared.adapters.telemetry.partner_calls import PartnerCalls
from shared.adapters.telemetry.recorder import Silent
from shared.adapters.telemetry.sdk import SdkRecorder
from shared.adapters.telemetry.telemetry import Telemetry
from shared.kernel.errors import ConfigurationError, ServerFailure
from tests.certificates import Certificate
from tests.contract.ingestion import Ingestion

ROOT = Path(__file__).resolve().parents[2]
KEY = "11111111-2222-3333-4444-555555555555"


class Exported:
    """Telemetry as the settings say; closed at the end of the test."""

    def __init__(self) -> None:
        self._recorders: list[SdkRecorder] = []

    def telemetry(self, **settings: str) -> Telemetry:
        recorder = exporters.recorder_of(Settings(settings).telemetry)
        assert isinstance(recorder, SdkRecorder)
        self._recorders.append(recorder)
        return Telemetry(lambda: recorder)

    def close(self) -> None:
        for recorder in self._recorders:
            recorder.close()


@pytest.fixture
def exported(monkeypatch: pytest.MonkeyPatch) -> Iterator[Exported]:
    """A short patience: whoever is not there is not waited for at the end of a test."""
    monkeypatch.setattr(exporters, "TIMEOUT", 0.3)
    made = Exported()
    yield made
    made.close()


def otlp(ingestion: Ingestion) -> dict[str, str]:
    return {"TELEMETRY_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_ENDPOINT": ingestion.url}


def insights(ingestion: Ingestion) -> dict[str, str]:
    connection = f"InstrumentationKey={KEY};IngestionEndpoint={ingestion.url}/"
    return {"TELEMETRY_EXPORTER": "application-insights", "APPLICATIONINSIGHTS_CONNECTION_STRING": connection}


def call_a_partner(telemetry: Telemetry) -> str:
    """Call once with success, once in vain; return the trace ID."""
    calls = PartnerCalls(telemetry, "erp")
    with telemetry.span("process import-slices", "consumer", {}) as outer:
        with calls.call("GET /sales") as call, call.attempt():
            pass
        with pytest.raises(ServerFailure), calls.call("GET /sales") as call, call.attempt():
            raise ServerFailure("erp", "text of a partner")
    telemetry.measure(metrics.QUEUE_DEPTH, 7, {"queue": "import-slices"})
    return outer.trace.trace_id


def test_otlp_spans_and_metrics_arrive_decoded(exported: Exported) -> None:
    with Ingestion() as ingestion:
        telemetry = exported.telemetry(**otlp(ingestion))
        trace_id = call_a_partner(telemetry)
        telemetry.flush()
    assert [span.name for span in ingestion.spans] == [
        "integration.execute",
        "integration.execute",
        "process import-slices",
    ]
    good, bad, outer = ingestion.spans
    assert {span.trace_id.hex() for span in ingestion.spans} == {trace_id}
    assert (good.parent_span_id, bad.parent_span_id) == (outer.span_id, outer.span_id)
    assert (good.status.code, bad.status.code) == (0, 2)
    assert [event.name for event in bad.events] == ["attempt"]
    found = {metric.name: metric for metric in ingestion.metrics}
    assert found["integration.queue_depth"].gauge.data_points[0].as_int == 7
    buckets = found["integration_request_duration_seconds"].histogram.data_points[0]
    assert (list(buckets.explicit_bounds), buckets.count) == ([0.1, 0.5, 1, 2, 5, 10, 30], 2)
    assert "text of a partner" not in str(ingestion.spans)


def test_spans_leave_by_themselves_within_a_moment(exported: Exported) -> None:
    """An instance may be killed: nobody waits for a full batch, and nobody has to flush."""
    with Ingestion() as ingestion:
        call_a_partner(exported.telemetry(**otlp(ingestion)))
        end = time.monotonic() + 15
        while len(ingestion.spans) < 3:
            assert time.monotonic() < end, "no span has left"
            time.sleep(0.05)


def test_application_insights_gets_dependencies_requests_and_metrics(exported: Exported) -> None:
    with Ingestion() as ingestion:
        telemetry = exported.telemetry(**insights(ingestion))
        trace_id = call_a_partner(telemetry)
        telemetry.flush()
    by_type: dict[str, list[Any]] = {}
    for envelope in ingestion.envelopes:
        assert envelope["iKey"] == KEY
        by_type.setdefault(envelope["data"]["baseType"], []).append(envelope)
    assert [one["data"]["baseData"]["success"] for one in by_type["RemoteDependencyData"]] == [True, False]
    assert {one["tags"]["ai.operation.id"] for one in by_type["RequestData"]} == {trace_id}
    properties = by_type["RemoteDependencyData"][0]["data"]["baseData"]["properties"]
    assert (properties["integration.adapter_id"], properties["integration.retry_count"]) == ("erp", "0")
    measured = {one["data"]["baseData"]["metrics"][0]["name"]: one["data"]["baseData"] for one in by_type["MetricData"]}
    assert {"integration.latency", "integration.error_rate", "integration.queue_depth"} <= measured.keys()
    rate = measured["integration.error_rate"]
    # What the alert divides: `Sum` by `ItemCount`, of any number of instances.
    assert (rate["metrics"][0]["value"], rate["metrics"][0]["count"], rate["properties"]["adapter_id"]) == (1, 2, "erp")
    assert {path for path, _ in ingestion.requests} == {"/v2.1/track"}


def test_with_an_identity_application_insights_gets_its_token(
    exported: Exported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """INC-32: no key admits, a token does; it goes over TLS alone."""
    certificate = Certificate(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate.file))
    asked: list[str] = []

    class Identity:
        def get_token(self, *scopes: str, **_options: Any) -> Any:
            from azure.core.credentials import AccessToken

            asked.extend(scopes)
            return AccessToken("token-of-the-identity", 2**31)

    monkeypatch.setattr("shared.adapters.azure_identity.azure_credential", lambda client_id: Identity())
    authentication = {"APPLICATIONINSIGHTS_AUTHENTICATION_STRING": f"ClientId={KEY};Authorization=AAD"}
    with Ingestion(tls=certificate.of_server()) as ingestion:
        telemetry = exported.telemetry(**insights(ingestion), **authentication)
        call_a_partner(telemetry)
        telemetry.flush()
    assert {headers["Authorization"] for _, headers in ingestion.requests} == {"Bearer token-of-the-identity"}
    assert set(asked) == {"https://monitor.azure.com//.default"}


@pytest.mark.parametrize("status", [500, 401, 403, 400], ids=str)
@pytest.mark.parametrize("settings", [otlp, insights], ids=["otlp", "application-insights"])
def test_a_collector_that_refuses_disturbs_no_work(exported: Exported, settings: Any, status: int) -> None:
    with Ingestion(status) as ingestion:
        telemetry = exported.telemetry(**settings(ingestion))
        call_a_partner(telemetry)
        telemetry.flush()
    assert ingestion.requests
    assert (ingestion.spans, ingestion.envelopes) == ([], [])


def test_a_collector_that_is_not_there_disturbs_no_work(exported: Exported) -> None:
    with Ingestion() as ingestion:
        pass
    telemetry = exported.telemetry(**otlp(ingestion))
    call_a_partner(telemetry)
    telemetry.flush()
    assert not ingestion.requests


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"TELEMETRY_EXPORTER": "otlp"}, "OTEL_EXPORTER_OTLP_ENDPOINT"),
        ({"TELEMETRY_EXPORTER": "application-insights"}, "APPLICATIONINSIGHTS_CONNECTION_STRING"),
        ({"TELEMETRY_EXPORTER": "jaeger"}, "TELEMETRY_EXPORTER"),
        ({"APPLICATIONINSIGHTS_AUTHENTICATION_STRING": "a key"}, "APPLICATIONINSIGHTS_AUTHENTICATION_STRING"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_wrong_setting_is_named(settings: dict[str, str], named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        _ = Settings(settings).telemetry


@pytest.mark.parametrize(
    ("text", "client_id"),
    [("", ""), ("Authorization=AAD", ""), (f"ClientId={KEY};Authorization=AAD", KEY)],
    ids=["none", "the system's", "a user-assigned one"],
)
def test_the_identity_is_read_as_azure_writes_it(text: str, client_id: str) -> None:
    assert Settings({"APPLICATIONINSIGHTS_AUTHENTICATION_STRING": text}).telemetry.client_id == client_id


def test_without_an_exporter_nothing_of_opentelemetry_is_loaded() -> None:
    """RES-08: with `none` a request, a message and a partner call cost no import."""
    code = """
import json, os, sys
import function_app
from shared.hub import Hub
from shared.adapters.telemetry.metrics import QUEUE_DEPTH
hub = Hub(os.environ)
with hub.work.request("X", "x", "GET", None, "r-1"), hub.partners.calls("erp").call("GET /x") as call, call.attempt():
    hub.telemetry.measure(QUEUE_DEPTH, 1, {"queue": "q"})
hub.telemetry.flush()
print(json.dumps([name for name in sys.modules if name.split(".")[0] in ("opentelemetry", "google")]))
"""
    storage = {"AzureWebJobsStorage": "UseDevelopmentStorage=true", "HUB_PAGE_TOKEN_SECRET": "x" * 16}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, env=storage
    )
    assert json.loads(done.stdout) == []
    assert isinstance(exporters.recorder_of(Settings({}).telemetry), Silent)


def test_the_console_gets_one_json_object_a_line(
    exported: Exported, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    telemetry = exported.telemetry(TELEMETRY_EXPORTER="console")
    call_a_partner(telemetry)
    telemetry.flush()
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["name"] for line in lines if "name" in line][-1] == "process import-slices"
    assert any("resource_metrics" in line for line in lines)
