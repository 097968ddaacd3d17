"""Identifiers made here: UUIDv7, which sort by time. The generator is injected."""

from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID

NewId = Callable[[], str]
"""Returns a new UUIDv7 as lower-case text."""

_LAST_MILLISECOND = (1 << 48) - 1


def time_of(identifier: str) -> datetime:
    """Return the instant (to the millisecond) at which a UUIDv7 was made. ValueError when it is none."""
    return datetime.fromtimestamp(_milliseconds(identifier) / 1000, UTC)


def newest_first(identifier: str) -> str:
    """Return a key under which UUIDv7s sort newest first; the identifier is its last 36 characters."""
    return f"{_LAST_MILLISECOND - _milliseconds(identifier):012x}-{identifier}"


def key_if_any(identifier: str) -> str | None:
    """Return the key as `newest_first` does; None for what is no UUIDv7, and so the ID of nothing."""
    try:
        return newest_first(identifier)
    except ValueError:
        return None


def _milliseconds(identifier: str) -> int:
    value = UUID(identifier)
    if value.version != 7 or str(value) != identifier:
        raise ValueError(f"{identifier!r} is not a UUIDv7 in lower case")
    return value.int >> 80
