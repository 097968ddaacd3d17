"""Time that moves only when told, and storage hooks that count and fail."""

from collections import Counter
from datetime import UTC, datetime, timedelta

from tests.fakes.hook import Hook


class ManualTime:
    """A clock and a sleep on the same hands."""

    def __init__(self) -> None:
        self.now = datetime(2025, 1, 15, 1, tzinfo=UTC)
        self.slept: list[float] = []

    def clock(self) -> datetime:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class CountingHook(Hook):
    """Counts storage transactions; fails them all while `broken`."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.broken = False

    def before(self, operation: str, place: str, item: str) -> None:
        self.counts[operation] += 1
        if self.broken:
            raise OSError("storage is away")

    @property
    def total(self) -> int:
        return self.counts.total()
