"""Token buckets that all instances share (RES-07).

Table RateLimits: partition tenant, row key partner. An instance takes tokens in portions under the row's ETag, so
that together no more are taken than the bucket holds, at two storage transactions for up to ten calls. Tokens that
an instance took and does not use are lost: the limit is kept, never exceeded.
"""

import threading
from collections.abc import Callable
from datetime import timedelta

from shared.adapters.resilience.policies import BucketPolicy
from shared.kernel.clock import Clock, from_iso, to_iso
from shared.kernel.errors import RateLimited
from shared.kernel.table import RowChanged, RowExists, Table, Value

PORTION = 10
PORTION_LIFE = timedelta(seconds=10)
"""How long a portion may be used: a bucket that was left alone for long is not emptied by old claims."""

MAX_WAIT = 30.0


class TokenBucket:
    """The right to call one partner."""

    def __init__(
        self,
        table: Table,
        tenant: str,
        partner: str,
        policy: BucketPolicy,
        clock: Clock,
        sleep: Callable[[float], None],
    ) -> None:
        """Keep table, policy, and the injected clock and sleep."""
        self._table, self._tenant, self._partner = table, tenant, partner
        self._policy, self._clock, self._sleep = policy, clock, sleep
        self._left = 0
        self._good_until = clock()
        self._lock = threading.Lock()

    def take(self) -> None:
        """Take one token, waiting up to 30 s for it; RateLimited beyond."""
        waited = 0.0
        while True:
            with self._lock:
                wait = self._try_take()
            if wait == 0:
                return
            if waited + wait > MAX_WAIT:
                raise RateLimited(self._partner, "our own rate limit is used up", retry_after=wait)
            self._sleep(wait)
            waited += wait

    def _try_take(self) -> float:
        """Take a token; return 0, or the seconds until there may be one."""
        now = self._clock()
        if self._left and now < self._good_until:
            self._left -= 1
            return 0
        row = self._table.get(self._tenant, self._partner)
        tokens = float(self._policy.capacity)
        if row:
            passed = max(0.0, (now - from_iso(str(row.values["at"]))).total_seconds())
            # Thousandths of a token: the table holds integers, and rounding down never gives one too many.
            tokens = min(tokens, int(str(row.values["milliTokens"])) / 1000 + passed * self._policy.rate)
        portion = min(PORTION, int(tokens))
        if portion < 1:
            return (1 - tokens) / self._policy.rate + 0.001
        values: dict[str, Value] = {"milliTokens": int((tokens - portion) * 1000), "at": to_iso(now)}
        try:
            if row:
                self._table.replace(row, values)
            else:
                self._table.insert(self._tenant, self._partner, values)
        except (RowChanged, RowExists):
            return 0.01
        self._left, self._good_until = portion - 1, now + PORTION_LIFE
        return 0
