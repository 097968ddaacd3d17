"""Which trace a piece of work belongs to: W3C Trace Context (RES-08)."""

import re
from dataclasses import dataclass

_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_MAX_LENGTH = 256


@dataclass(frozen=True)
class TraceContext:
    """A position in a trace: 32 and 16 lower-case hexadecimal digits; `flags` 01 where it is recorded, else 00."""

    trace_id: str
    span_id: str
    flags: str = "00"

    def traceparent(self) -> str:
        """Return the value of the `traceparent` header."""
        return f"00-{self.trace_id}-{self.span_id}-{self.flags}"


def parse_traceparent(text: str | None) -> TraceContext | None:
    """Read a `traceparent`; None for none and for a malformed one, which is to be ignored.

    A version later than 00 may have more fields; what is known of it is read all the same.
    """
    found = _TRACEPARENT.fullmatch(text or "") if len(text or "") <= _MAX_LENGTH else None
    if found is None:
        return None
    version, trace_id, span_id, flags, more = found.groups()
    if version == "ff" or (version == "00" and more) or not int(trace_id, 16) or not int(span_id, 16):
        return None
    return TraceContext(trace_id, span_id, f"{int(flags, 16) & 1:02x}")
