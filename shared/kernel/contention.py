"""What optimistic writers do when they meet: read again after a random while, so that one of them gets through."""

import random
import time
from collections.abc import Callable

from shared.kernel.errors import Busy

MOST_TRIES = 20
_FIRST_PAUSE = 0.01
_LONGEST_PAUSE = 1.0
"""Seconds. A section that takes longer than this to repeat needs a lease, not another try."""


class Contention:
    """The tries of one optimistic section. Whoever was overtaken calls `pause`, then reads again."""

    def __init__(
        self,
        what: str,
        *,
        sleep: Callable[[float], None] = time.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """Begin with the first try; `what` is being written, for the error's text."""
        self._what = what
        self._sleep = sleep
        self._chance = chance
        self._lost = 0

    def pause(self) -> None:
        """Wait for a random share of a bound that doubles with each try. Busy after the last try."""
        self._lost += 1
        if self._lost == MOST_TRIES:
            raise Busy(f"{self._what} is being changed by others", retry_after=spread(1.0, self._chance))
        self._sleep(self._chance() * min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** (self._lost - 1)))


def spread(seconds: float, chance: Callable[[], float] = random.random) -> float:
    """Return a wait of one to two times `seconds`: those who wait for the same thing do not come back together."""
    return seconds * (1 + chance())
