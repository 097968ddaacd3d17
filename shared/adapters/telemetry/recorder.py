"""The port to whatever records spans and metrics, and the one that records nothing."""

import secrets
from collections.abc import Mapping
from typing import Literal, Protocol

from shared.adapters.telemetry.metrics import Metric
from shared.kernel.trace_context import TraceContext

Value = str | int | float | bool
Kind = Literal["server", "consumer", "client", "internal"]


class Span(Protocol):
    """A piece of work while it is done."""

    @property
    def trace(self) -> TraceContext:
        """The position in the trace that this work is."""
        ...

    def set(self, name: str, value: Value) -> None:
        """Note an attribute."""
        ...

    def event(self, name: str, attributes: Mapping[str, Value]) -> None:
        """Note what happened on the way."""
        ...

    def end(self, error_type: str) -> None:
        """End the work; "" where it went well. An error is told by its type: its text may hold what is nobody's."""
        ...


class Recorder(Protocol):
    """Records spans and metrics. Never raises, never waits for the network except in `flush`."""

    def start(self, name: str, kind: Kind, parent: TraceContext | None, attributes: Mapping[str, Value]) -> Span:
        """Begin a piece of work, in the parent's trace or in a new one."""
        ...

    def measure(self, metric: Metric, value: float, labels: Mapping[str, str]) -> None:
        """Add to a counter or histogram, set a gauge."""
        ...

    def flush(self) -> None:
        """Send what is there now."""
        ...


class SilentSpan:
    """Has a position in a trace and tells nobody."""

    def __init__(self, parent: TraceContext | None) -> None:
        """Draw the IDs; whether the trace is recorded is what the parent says."""
        trace_id = parent.trace_id if parent else _random_hex(16)
        self._trace = TraceContext(trace_id, _random_hex(8), parent.flags if parent else "00")

    @property
    def trace(self) -> TraceContext:
        """The position in the trace that this work is."""
        return self._trace

    def set(self, name: str, value: Value) -> None:
        """Note nothing."""

    def event(self, name: str, attributes: Mapping[str, Value]) -> None:
        """Note nothing."""

    def end(self, error_type: str) -> None:
        """Note nothing."""


class Silent:
    """Implements `Recorder` without anything of OpenTelemetry: traces are carried on, nothing is recorded."""

    def start(self, name: str, kind: Kind, parent: TraceContext | None, attributes: Mapping[str, Value]) -> Span:  # noqa: ARG002
        """Begin a piece of work."""
        return SilentSpan(parent)

    def measure(self, metric: Metric, value: float, labels: Mapping[str, str]) -> None:
        """Record nothing."""

    def flush(self) -> None:
        """Send nothing."""


def _random_hex(size: int) -> str:
    """Return random bytes as hexadecimal, never all zero (which the standard forbids)."""
    return secrets.token_hex(size - 1) + f"{secrets.randbelow(255) + 1:02x}"
