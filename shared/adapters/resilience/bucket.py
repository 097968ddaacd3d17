"""A token bucket as a value: refilled, taken from in portions, never above its limit however it is shared (RES-07).

A holder (an instance) takes a portion and uses it over time. Tokens that are held but not used yet lower the ceiling
up to which the bucket refills, so that in any time of t seconds all holders together use no more than
`capacity + rate * t` tokens. At most half of the capacity is held at once.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared.adapters.resilience.policies import BucketPolicy

PORTION = 10
"""Tokens taken at once while there are plenty."""
HOLD = timedelta(seconds=60)
"""How long a portion may be used."""
SKEW = timedelta(seconds=5)
"""How much longer the others count it as held: their clocks may run ahead of the holder's."""


@dataclass(frozen=True)
class Held:
    """Tokens that a holder took in advance, and until when they lower the ceiling."""

    tokens: int
    until: datetime


@dataclass(frozen=True)
class Bucket:
    """`level` tokens at instant `at` (negative: promised ahead), and what the holders hold in advance."""

    level: float
    at: datetime
    held: Mapping[str, Held]

    def refilled(self, policy: BucketPolicy, now: datetime) -> "Bucket":
        """Return the bucket as it is now; the ceiling rises only when a held portion ends, so it is done in steps."""
        level, at, held = self.level, self.at, dict(self.held)
        for holder, end in sorted(((holder, item.until) for holder, item in held.items()), key=lambda pair: pair[1]):
            if end > now:
                break
            level = _filled(level, policy, at, end, held)
            at = max(at, end)
            del held[holder]
        return Bucket(_filled(level, policy, at, now, held), max(at, now), held)

    def taken(
        self, policy: BucketPolicy, holder: str, now: datetime, max_wait: float
    ) -> "tuple[Bucket, list[datetime]] | float":
        """Return the bucket after a portion was taken, and when each of its tokens may be used.

        The holder gives up what it held before. Seconds to wait instead, when that is longer than `max_wait`.
        """
        bucket = self.refilled(policy, now)
        others = {name: item for name, item in bucket.held.items() if name != holder}
        room = policy.capacity // 2 - sum(item.tokens for item in others.values())
        wait = max(0.0, (1 - bucket.level) / policy.rate)
        if wait > max_wait:
            return wait
        # With plenty, half of what is there at most, so that others find some. Without, what one second will bring.
        wanted = bucket.level / 2 if bucket.level >= 1 else policy.rate - 1
        extra = max(0, min(PORTION - 1, int(wanted), room))
        if extra:
            others[holder] = Held(extra, now + HOLD + SKEW)
        due = [
            now + timedelta(seconds=max(0.0, (1 + number - bucket.level) / policy.rate)) for number in range(1 + extra)
        ]
        return replace(bucket, level=bucket.level - 1 - extra, held=others), due


def full(policy: BucketPolicy, now: datetime) -> Bucket:
    """Return a bucket that nobody took from yet."""
    return Bucket(float(policy.capacity), now, {})


def _filled(level: float, policy: BucketPolicy, begin: datetime, end: datetime, held: Mapping[str, Held]) -> float:
    ceiling = policy.capacity - sum(item.tokens for item in held.values())
    # A clock that runs behind brings nothing, and takes nothing away.
    return max(level, min(level + policy.rate * max(0.0, (end - begin).total_seconds()), ceiling))
