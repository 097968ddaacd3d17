"""The exporters: console, OTLP over HTTP, Application Insights; each loads when it is chosen and first used."""

import os
import sys
from typing import TYPE_CHECKING

from shared.adapters.identifiers import instance_name
from shared.adapters.settings import TelemetrySettings
from shared.adapters.telemetry.recorder import Recorder, Silent

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import MetricExporter
    from opentelemetry.sdk.trace.export import SpanExporter

SPANS_EVERY = 1_000
"""Milliseconds: an instance that is killed loses the spans of that time and no more."""
METRICS_EVERY = 15_000
TIMEOUT = 3.0
"""Seconds that an exporter may wait for an answer, on a thread of its own."""
_SERVICE = "integration-hub"
_NO_CALLS_OF_ITS_OWN = (
    "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL",
    "APPLICATIONINSIGHTS_SDKSTATS_DISABLED",
    "APPLICATIONINSIGHTS_CONTROLPLANE_DISABLED",
    "APPLICATIONINSIGHTS_OPENTELEMETRY_RESOURCE_METRIC_DISABLED",
)
"""Microsoft's exporter reports on itself to Microsoft and fetches configuration from there, unless told not to."""


def recorder_of(settings: TelemetrySettings) -> Recorder:
    """Return what records for the chosen exporter; with `none`, nothing of OpenTelemetry is loaded."""
    if settings.exporter == "none":
        return Silent()
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    from shared.adapters.telemetry.sdk import SdkRecorder

    spans, metrics = _exporters(settings)
    return SdkRecorder(
        BatchSpanProcessor(spans, schedule_delay_millis=SPANS_EVERY),
        PeriodicExportingMetricReader(metrics, METRICS_EVERY, TIMEOUT * 1000),
        {"service.name": _SERVICE, "service.instance.id": instance_name()},
    )


def _exporters(settings: TelemetrySettings) -> "tuple[SpanExporter, MetricExporter]":
    if settings.exporter == "console":
        return _console()
    if settings.exporter == "otlp":
        return _otlp(settings)
    return _application_insights(settings)


def _console() -> "tuple[SpanExporter, MetricExporter]":
    """One JSON object a line, on standard output."""
    from opentelemetry.sdk.metrics.export import ConsoleMetricExporter
    from opentelemetry.sdk.trace.export import ConsoleSpanExporter

    return (
        ConsoleSpanExporter(out=sys.stdout, formatter=lambda span: f"{span.to_json(indent=None)}\n"),
        ConsoleMetricExporter(out=sys.stdout, formatter=lambda data: f"{data.to_json(indent=None)}\n"),
    )


def _otlp(settings: TelemetrySettings) -> "tuple[SpanExporter, MetricExporter]":
    """OTLP over HTTP with protobuf. Headers for the collector: OTEL_EXPORTER_OTLP_HEADERS, read by the SDK."""
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    base = str(settings.otlp_endpoint)
    return (
        OTLPSpanExporter(endpoint=f"{base}/v1/traces", timeout=TIMEOUT),
        OTLPMetricExporter(endpoint=f"{base}/v1/metrics", timeout=TIMEOUT),
    )


def _application_insights(settings: TelemetrySettings) -> "tuple[SpanExporter, MetricExporter]":
    """Microsoft's exporter; nothing is kept on disk, where the next instance would not find it."""
    for name in _NO_CALLS_OF_ITS_OWN:
        os.environ.setdefault(name, "true")
    from azure.monitor.opentelemetry.exporter import AzureMonitorMetricExporter, AzureMonitorTraceExporter

    from shared.adapters.azure_identity import azure_credential

    options = {
        "connection_string": settings.connection_string.get_secret_value(),
        "credential": azure_credential(settings.client_id) if settings.authentication else None,
        "disable_offline_storage": True,
        "timeout": TIMEOUT,
    }
    return AzureMonitorTraceExporter(**options), AzureMonitorMetricExporter(**options)
