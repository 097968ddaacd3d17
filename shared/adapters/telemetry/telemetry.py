"""Spans and metrics of this process; what records them is built when first used."""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from threading import Lock

from shared.adapters.telemetry.current import current_trace, inside
from shared.adapters.telemetry.metrics import Metric
from shared.adapters.telemetry.recorder import Kind, Recorder, Silent, Span, Value
from shared.kernel.errors import ConfigurationError, HubError
from shared.kernel.trace_context import TraceContext

_log = logging.getLogger(__name__)


class Telemetry:
    """Observes work. Thread-safe; whatever is wrong with it never disturbs the work."""

    def __init__(self, build: Callable[[], Recorder] = Silent) -> None:
        """Build nothing yet."""
        self._build = build
        self._recorder: Recorder | None = None
        self._lock = Lock()

    @contextmanager
    def span(
        self, name: str, kind: Kind, attributes: Mapping[str, Value], *, parent: TraceContext | None = None
    ) -> Iterator[Span]:
        """Observe a block; it belongs to `parent`, else to whatever this thread does already, else to a new trace."""
        span = self._ready().start(name, kind, parent or current_trace(), attributes)
        error_type = ""
        try:
            with inside(span.trace):
                yield span
        except BaseException as error:
            error_type = error_type_of(error)
            raise
        finally:
            span.end(error_type)

    def measure(self, metric: Metric, value: float, labels: Mapping[str, str]) -> None:
        """Add to a counter or histogram, set a gauge. ValueError for other labels than the metric has."""
        if tuple(labels) != metric.labels:
            raise ValueError(f"{metric.name} has the labels {metric.labels}, not {tuple(labels)}")
        self._ready().measure(metric, value, labels)

    def flush(self) -> None:
        """Send what is there now; waits for the exporter, a few seconds at most."""
        self._ready().flush()

    def _ready(self) -> Recorder:
        if self._recorder is None:
            with self._lock:
                if self._recorder is None:
                    self._recorder = self._built()
        return self._recorder

    def _built(self) -> Recorder:
        try:
            return self._build()
        except ConfigurationError as error:
            _log.error("there is no telemetry: %s", error.message)
        except Exception as error:  # noqa: BLE001 - the work goes on without
            _log.error("there is no telemetry: %s", type(error).__name__, extra={"reason": type(error).__name__})
        return Silent()


def error_type_of(error: BaseException) -> str:
    """Return what an error is called in spans and metrics: our code for it, else its type."""
    return error.code if isinstance(error, HubError) else type(error).__name__
