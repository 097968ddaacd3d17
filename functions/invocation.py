"""The host's own trace of an invocation (RES-08)."""

from collections.abc import Iterator
from contextlib import contextmanager

import azure.functions as func


@contextmanager
def invoked(context: func.Context) -> Iterator[None]:
    """Let what is done inside belong to the host's trace, where the host tells one and the work brings none of its own.

    The host tells one only where it sends telemetry itself.
    """
    from shared.adapters.telemetry.current import inside
    from shared.kernel.trace_context import parse_traceparent

    trace = parse_traceparent(context.trace_context.trace_parent)
    if trace is None:
        yield
        return
    with inside(trace):
        yield
