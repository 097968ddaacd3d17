"""Time as the hub sees it: aware, UTC, injected."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo

Clock = Callable[[], datetime]
"""Returns the current instant as an aware UTC datetime."""

FIRST_YEAR, LAST_YEAR = 1900, 2200
"""Of what a partner may say that it happens: systems without a date send the first or last one they can express."""

Day = TypeVar("Day", bound=date)


def plausible(when: Day) -> Day:
    """Return a day or an instant. ValueError when nothing that the hub is told of can lie there."""
    if not FIRST_YEAR <= when.year <= LAST_YEAR:
        raise ValueError(f"the year {when.year} is out of range")
    return when


def utc_now() -> datetime:
    """Return the current instant (aware, UTC)."""
    return datetime.now(UTC)


def to_iso(instant: datetime) -> str:
    """Write an aware instant as ISO 8601 in UTC with `Z` and milliseconds: `2025-01-15T01:00:00.000Z`."""
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def from_iso(text: str) -> datetime:
    """Read an ISO 8601 instant that names its offset; ValueError when it does not."""
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError(f"{text!r} has no UTC offset")
    return instant.astimezone(UTC)


def business_day(instant: datetime, zone: ZoneInfo) -> date:
    """Return the calendar day of an instant in the business time zone (INC-03)."""
    return instant.astimezone(zone).date()


def day_bounds(day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return the UTC instants at which a business day begins and ends (end exclusive); 23 to 25 hours apart."""
    begin = datetime.combine(day, time.min, zone).astimezone(UTC)
    end = datetime.combine(day + timedelta(days=1), time.min, zone).astimezone(UTC)
    return begin, end
