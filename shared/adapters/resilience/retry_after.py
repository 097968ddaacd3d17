"""The `Retry-After` header (RFC 9110, 10.2.3): seconds or an HTTP date."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_MAX_DIGITS = 9


def retry_after_seconds(value: str | None, now: datetime) -> float | None:
    """Return how many seconds from now the partner asks to wait (0 for a date gone by), None when it says nothing."""
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:_MAX_DIGITS]) if len(text) <= _MAX_DIGITS else float(10**_MAX_DIGITS)
    try:
        instant = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    if instant.tzinfo is None:  # asctime dates carry no zone and mean UTC
        instant = instant.replace(tzinfo=UTC)
    return max(0.0, (instant - now).total_seconds())
