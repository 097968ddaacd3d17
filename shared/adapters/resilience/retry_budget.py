"""A retry budget: when everything fails, retries must not double the load (RES-04)."""

from collections import deque
from datetime import datetime, timedelta
from threading import Lock

from shared.kernel.clock import Clock


class RetryBudget:
    """Allows retries up to a share of the requests of a sliding window, plus a floor. In this process, thread-safe.

    With `share` 0.2 and `floor` 10: in any 60 s at most 10 retries + 20 % of the first tries.
    """

    def __init__(self, clock: Clock, *, share: float = 0.2, floor: int = 10, window: float = 60.0) -> None:
        """Begin empty. `window` in seconds; ValueError for a share outside 0..1, a negative floor, an empty window."""
        if not 0 <= share <= 1 or floor < 0 or window <= 0:
            raise ValueError("a retry budget needs share 0..1, floor >= 0, window > 0")
        self._clock = clock
        self._share = share
        self._floor = floor
        self._window = timedelta(seconds=window)
        self._requests: deque[datetime] = deque()
        self._retries: deque[datetime] = deque()
        self._lock = Lock()

    def request(self) -> None:
        """Count a first try."""
        with self._lock:
            self._requests.append(self._clock())
            self._forget()

    def spend(self) -> bool:
        """Take one retry out of the budget; False when there is none left."""
        with self._lock:
            self._forget()
            if len(self._retries) >= self._floor + self._share * len(self._requests):
                return False
            self._retries.append(self._clock())
            return True

    def _forget(self) -> None:
        oldest = self._clock() - self._window
        for times in (self._requests, self._retries):
            while times and times[0] <= oldest:
                times.popleft()
