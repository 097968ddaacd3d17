"""A timer as data: when it is due, and what is known of how it went (RES-10, INC-73)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

EARLY = timedelta(seconds=10)
"""A host's clock may be ahead of ours: a run that begins so much early is that of the coming due time."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Timer:
    """A timer function. `schedule` is NCRONTAB in UTC; `every` and `offset` say the same for our own arithmetic.

    It is due at midnight UTC of any day + `offset` + n * `every`. `grace` is how late a success may be.
    """

    name: str
    schedule: str
    every: timedelta
    offset: timedelta
    grace: timedelta

    def due(self, now: datetime) -> datetime:
        """Return the due time that a run at this instant is for: the last one, or the next one if it is near."""
        since = now + EARLY - _EPOCH - self.offset
        return _EPOCH + self.offset + since // self.every * self.every


@dataclass(frozen=True)
class Heartbeat:
    """What is known of a timer: `known_since` is when it was first expected. Failure is the error's code."""

    name: str
    known_since: datetime
    started_at: datetime | None = None
    succeeded_at: datetime | None = None
    failed_at: datetime | None = None
    failure: str = ""
    instance: str = ""

    def is_missing(self, timer: Timer, now: datetime) -> bool:
        """Tell whether the timer should have succeeded again; nothing is missing before its first due time."""
        return now > timer.due(self.last) + timer.every + timer.grace

    def age(self, now: datetime) -> float:
        """Return the seconds since the last success, or since it was first expected."""
        return max(0.0, (now - self.last).total_seconds())

    @property
    def last(self) -> datetime:
        """The last success, or when the timer was first expected."""
        return max(self.succeeded_at or self.known_since, self.known_since)


class TimerRuns(Protocol):
    """The port to the timers' rows."""

    def run(self, timer: Timer, work: Callable[[], object]) -> bool:
        """Do a timer's work, once for each due time; tell whether it was done here."""
        ...

    def heartbeats(self) -> list[Heartbeat]:
        """Return what is known of every timer; one that nobody knew is expected from now on."""
        ...
