"""Telemetry that keeps everything in memory, on the real SDK."""

from collections.abc import Mapping
from typing import Any

from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from shared.adapters.telemetry.sdk import SdkRecorder
from shared.adapters.telemetry.telemetry import Telemetry


class Watched:
    """`telemetry` to hand over; what it saw."""

    def __init__(self) -> None:
        self._spans, self._reader = InMemorySpanExporter(), InMemoryMetricReader()
        recorder = SdkRecorder(SimpleSpanProcessor(self._spans), self._reader, {})
        self.telemetry = Telemetry(lambda: recorder)

    def spans(self, name: str = "") -> list[ReadableSpan]:
        """Return the ended spans of a name, oldest first."""
        return [span for span in self._spans.get_finished_spans() if name in ("", span.name)]

    def span(self, name: str) -> ReadableSpan:
        """Return the only span of a name."""
        (found,) = self.spans(name)
        return found

    def points(self) -> dict[tuple[str, tuple[tuple[str, Any], ...]], Any]:
        """Return value (counter, gauge) or data point (histogram) by metric and labels."""
        data = self._reader.get_metrics_data()
        found: dict[tuple[str, tuple[tuple[str, Any], ...]], Any] = {}
        for resource in data.resource_metrics if data else ():
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    for point in metric.data.data_points:
                        value = point if isinstance(point, HistogramDataPoint) else getattr(point, "value", None)
                        found[metric.name, tuple(sorted((point.attributes or {}).items()))] = value
        return found


def attributes(span: ReadableSpan) -> Mapping[str, Any]:
    """Return the attributes of a span."""
    return span.attributes or {}


def trace_id(span: ReadableSpan) -> str:
    """Return the trace ID as headers have it."""
    assert span.context
    return f"{span.context.trace_id:032x}"


def span_id(span: ReadableSpan) -> str:
    """Return the span ID as headers have it."""
    assert span.context
    return f"{span.context.span_id:016x}"


def parent_id(span: ReadableSpan) -> str:
    """Return the ID of the span's parent, "" for none."""
    return f"{span.parent.span_id:016x}" if span.parent else ""
