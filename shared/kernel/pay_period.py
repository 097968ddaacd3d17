"""Pay periods: `2025-01` (a month) or `2025-W03` (two ISO weeks that begin with week 3)."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

from shared.kernel.errors import FieldProblem, InvalidRequest


class PayCalendar(StrEnum):
    """How the year is cut into pay periods."""

    MONTH = "month"
    TWO_WEEKS = "two-weeks"


@dataclass(frozen=True, order=True)
class PayPeriod:
    """A pay period by its first and last day (both inclusive) and its name."""

    first_day: date
    last_day: date
    name: str

    def __contains__(self, day: date) -> bool:
        """Tell whether a day belongs to the period."""
        return self.first_day <= day <= self.last_day


def period_of(day: date, calendar: PayCalendar) -> PayPeriod:
    """Return the period that a day belongs to.

    Two-week periods begin with the odd ISO weeks. In a year of 53 weeks the last one has a single week,
    so that every year begins with week 1.
    """
    if calendar is PayCalendar.MONTH:
        first = day.replace(day=1)
        following = (first + timedelta(days=31)).replace(day=1)
        return PayPeriod(first, following - timedelta(days=1), f"{first:%Y-%m}")
    year, week, _ = day.isocalendar()
    return _two_weeks(year, week if week % 2 else week - 1)


def parse_period(name: str) -> PayPeriod:
    """Read a period's name. ValueError when it names none, or one outside the years 2000 to 2999."""
    match = re.fullmatch(r"(2\d{3})-(W?)(\d{2})", name, re.ASCII)
    if match is None:
        raise ValueError(f"{name!r} is no pay period: write 2025-01 or 2025-W03")
    year, number = int(match[1]), int(match[3])
    if match[2] and number % 2 == 0:
        raise ValueError(f"{name!r}: two-week periods begin with an odd ISO week")
    try:
        return _two_weeks(year, number) if match[2] else period_of(date(year, number, 1), PayCalendar.MONTH)
    except ValueError:
        raise ValueError(f"{name!r} is no pay period: there is no such {'week' if match[2] else 'month'}") from None


def own_period(name: str, calendar: PayCalendar) -> PayPeriod:
    """Read the name of a period of this calendar. InvalidRequest: it names none, or one of another calendar."""
    try:
        period = parse_period(name)
    except ValueError as error:
        raise _refused(str(error)) from None
    ours = period_of(period.first_day, calendar)
    if ours != period:
        raise _refused(f"{name} is of another pay calendar (PAY_CALENDAR), here it is {ours.name}")
    return period


def begun_period(name: str, calendar: PayCalendar, now: datetime) -> PayPeriod:
    """Read the name of a period that may be calculated and paid. InvalidRequest as `own_period`, or it is to come.

    It has begun when its first day has, anywhere on earth.
    """
    period = own_period(name, calendar)
    if period.first_day > (now.astimezone(UTC) + _EASTERNMOST).date():
        raise _refused(f"{name} has not begun: its first day is {period.first_day.isoformat()}")
    return period


_EASTERNMOST = timedelta(hours=14)
"""The UTC offset of the time zone in which a day begins first."""


def _refused(message: str) -> InvalidRequest:
    return InvalidRequest(f"period: {message}", (FieldProblem("period", message),))


def _two_weeks(year: int, first_week: int) -> PayPeriod:
    first = date.fromisocalendar(year, first_week, 1)
    last = first + timedelta(days=13)
    if last.isocalendar().year != year:
        last = first + timedelta(days=6)
    return PayPeriod(first, last, f"{year}-W{first_week:02d}")
