"""Records with the OpenTelemetry SDK. Whoever imports this loads the SDK: only where an exporter is chosen."""

from collections.abc import Callable, Mapping
from threading import Lock
from types import MappingProxyType
from typing import Any

from opentelemetry.metrics import Meter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, StatusCode, TraceFlags, set_span_in_context
from opentelemetry.trace import Span as SdkSpan

from shared.adapters.telemetry.metrics import Metric
from shared.adapters.telemetry.recorder import Kind, Span, Value
from shared.kernel.trace_context import TraceContext

SCOPE = "integration-hub"
FLUSH_WITHIN = 3_000
"""Milliseconds."""
_KINDS: Mapping[Kind, SpanKind] = MappingProxyType(
    {
        "server": SpanKind.SERVER,
        "consumer": SpanKind.CONSUMER,
        "client": SpanKind.CLIENT,
        "internal": SpanKind.INTERNAL,
    }
)


class RecordedSpan:
    """Implements `Span`."""

    def __init__(self, span: SdkSpan) -> None:
        """Keep the SDK's span."""
        self._span = span
        context = span.get_span_context()
        flags = f"{context.trace_flags & TraceFlags.SAMPLED:02x}"
        self._trace = TraceContext(f"{context.trace_id:032x}", f"{context.span_id:016x}", flags)

    @property
    def trace(self) -> TraceContext:
        """The position in the trace that this work is."""
        return self._trace

    def set(self, name: str, value: Value) -> None:
        """Note an attribute."""
        self._span.set_attribute(name, value)

    def event(self, name: str, attributes: Mapping[str, Value]) -> None:
        """Note what happened on the way."""
        self._span.add_event(name, dict(attributes))

    def end(self, error_type: str) -> None:
        """End the work; "" where it went well."""
        if error_type:
            self._span.set_attribute("error.type", error_type)
            self._span.set_status(StatusCode.ERROR)
        self._span.end()


class SdkRecorder:
    """Implements `Recorder` on providers of its own: nothing global is set, so that the worker's own stay alone."""

    def __init__(self, spans: SpanProcessor, metrics: MetricReader, about: Mapping[str, str]) -> None:
        """Begin to record; `about` are attributes of this process."""
        resource = Resource.create(dict(about))
        # A caller's sampled flag says whether it looks at itself, not whether we look at ourselves.
        self._tracers = TracerProvider(sampler=ALWAYS_ON, resource=resource)
        self._tracers.add_span_processor(spans)
        self._meters = MeterProvider([metrics], resource=resource)
        self._tracer = self._tracers.get_tracer(SCOPE)
        self._meter = self._meters.get_meter(SCOPE)
        self._instruments: dict[str, Callable[[float, dict[str, Any]], None]] = {}
        self._lock = Lock()

    def start(self, name: str, kind: Kind, parent: TraceContext | None, attributes: Mapping[str, Value]) -> Span:
        """Begin a piece of work, in the parent's trace or in a new one."""
        span = self._tracer.start_span(name, _context(parent), _KINDS[kind], dict(attributes))
        return RecordedSpan(span)

    def measure(self, metric: Metric, value: float, labels: Mapping[str, str]) -> None:
        """Add to a counter or histogram, set a gauge."""
        with self._lock:
            record = self._instruments.get(metric.name)
            if record is None:
                record = self._instruments[metric.name] = _instrument(self._meter, metric)
        record(value, dict(labels))

    def flush(self) -> None:
        """Send what is there now."""
        self._tracers.force_flush(FLUSH_WITHIN)
        self._meters.force_flush(FLUSH_WITHIN)

    def close(self) -> None:
        """Send what is there and stop; the SDK does the same when the process ends in peace."""
        self._tracers.shutdown()
        self._meters.shutdown()


def _context(parent: TraceContext | None) -> Any:  # noqa: ANN401 - the SDK's Context, which is not exported
    """Return the SDK's context for a parent, an empty one where there is none: never the global one."""
    from opentelemetry.context import Context

    if parent is None:
        return Context()
    flags = TraceFlags(int(parent.flags, 16))
    known = SpanContext(int(parent.trace_id, 16), int(parent.span_id, 16), is_remote=True, trace_flags=flags)
    return set_span_in_context(NonRecordingSpan(known), Context())


def _instrument(meter: Meter, metric: Metric) -> Callable[[float, dict[str, Any]], None]:
    if metric.kind == "counter":
        return meter.create_counter(metric.name, metric.unit, metric.description).add
    if metric.kind == "gauge":
        return meter.create_gauge(metric.name, metric.unit, metric.description).set
    return meter.create_histogram(
        metric.name, metric.unit, metric.description, explicit_bucket_boundaries_advisory=metric.buckets
    ).record
