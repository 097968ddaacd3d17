"""Structured logs: one JSON object a line, with the correlation and trace ID of the work that it is about (RES-12).

`_log.error("a sentence", extra={"queue": "import-slices"})` becomes
`{"time", "level", "logger", "message", "correlationId", "traceId", "spanId", "queue"}`.
"""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

from shared.adapters.telemetry.current import current_trace
from shared.kernel.clock import to_iso

_correlation_id: ContextVar[str] = ContextVar("correlation_id", default="")
_CHATTY = ("azure", "msal", "urllib3", "requests", "paramiko", "opentelemetry")
_IDS = ("correlationId", "traceId", "spanId")
_NOISY = ("paramiko.transport",)
"""Writes the stack of every connection that breaks, although its caller is told by an exception."""
_OWN_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", *_IDS}


@contextmanager
def correlated(correlation_id: str) -> Iterator[None]:
    """Let everything that is logged inside, on this thread, carry a correlation ID."""
    token = _correlation_id.set(correlation_id)
    try:
        yield
    finally:
        _correlation_id.reset(token)


def current_correlation_id() -> str:
    """Return the correlation ID of the work that this thread does; "" outside of any."""
    return _correlation_id.get()


class JsonLines(logging.Formatter):
    """Writes a record as one line of JSON; what `extra` holds are fields of their own."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, object] = {
            "time": to_iso(datetime.fromtimestamp(record.created, UTC)),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {name: value for name in _IDS if (value := getattr(record, name, ""))}
        line |= {name: value for name, value in vars(record).items() if name not in _OWN_FIELDS}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


def add_ids(record: logging.LogRecord) -> bool:
    """Put correlation and trace ID into a record; as a filter it lets every record through."""
    trace = current_trace()
    record.correlationId = _correlation_id.get()
    record.traceId, record.spanId = (trace.trace_id, trace.span_id) if trace else ("", "")
    return True


def set_up_logs() -> None:
    """Make the handlers of this process structured, the SDKs quiet. Idempotent.

    A handler that has a format of its own keeps it. The worker's handler has none.
    """
    for handler in logging.getLogger().handlers:
        if add_ids not in handler.filters:
            handler.addFilter(add_ids)
        if handler.formatter is None:
            handler.setFormatter(JsonLines())
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.CRITICAL)
