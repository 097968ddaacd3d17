"""The trace that this thread works for."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from shared.kernel.trace_context import TraceContext

_current: ContextVar[TraceContext | None] = ContextVar("trace", default=None)


def current_trace() -> TraceContext | None:
    """Return the position in the trace, None outside of any work."""
    return _current.get()


def current_traceparent() -> str:
    """Return the `traceparent` for whatever is sent now, "" outside of any work."""
    trace = _current.get()
    return trace.traceparent() if trace else ""


@contextmanager
def inside(trace: TraceContext) -> Iterator[None]:
    """Let everything that is done inside, on this thread, belong to a position in a trace."""
    token = _current.set(trace)
    try:
        yield
    finally:
        _current.reset(token)
