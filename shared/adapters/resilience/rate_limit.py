"""The rate limit of an adapter, shared by all instances (RES-07): table `RateLimits`, partition tenant, row adapter ID.

A portion of up to 10 tokens costs one storage transaction (two when another instance took some in between).
"""

import json
import logging
import time
from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from threading import Lock
from uuid import uuid4

from shared.adapters.resilience.bucket import HOLD, Bucket, Held, full
from shared.adapters.resilience.policies import BucketPolicy
from shared.adapters.resilience.retry import Sleep
from shared.kernel.clock import Clock, utc_now
from shared.kernel.errors import RateLimited
from shared.kernel.keys import join_key
from shared.kernel.table import Row, RowChanged, RowExists, Tables, Value

TABLE = "RateLimits"
OFFLINE = timedelta(seconds=30)
"""After storage failed, how long this process goes by a bucket of its own before it asks again."""
_TRIES = 50
_MICRO = 1_000_000

_log = logging.getLogger(__name__)


class TokenBucket:
    """Holds calls back until they fit the limit. Thread-safe.

    Failure policy: without storage each instance limits itself by a bucket of its own; the partner's 429 does the rest.
    """

    def __init__(
        self,
        tables: Tables,
        tenant: str,
        adapter_id: str,
        policy: BucketPolicy,
        *,
        max_wait: float = 30.0,
        clock: Clock = utc_now,
        sleep: Sleep = time.sleep,
        holder: str | None = None,
    ) -> None:
        """Take nothing yet. `max_wait` in seconds; `holder` names this instance (default: a random name).

        ValueError when `max_wait` is above 60: a token must not be waited for longer than it may be held.
        """
        if not 0 <= max_wait <= HOLD.total_seconds():
            raise ValueError(f"max_wait must be from 0 to {HOLD.total_seconds():g} s")
        self._table = tables.table(TABLE)
        self._partition, self._key = join_key(tenant), join_key(adapter_id)
        self._adapter_id = adapter_id
        self._policy = policy
        self._max_wait = max_wait
        self._clock = clock
        self._sleep = sleep
        self._holder = holder or uuid4().hex[:12]
        self._due: deque[datetime] = deque()
        self._usable_until = clock()
        self._row: Row | None = None
        self._own: Bucket | None = None
        self._own_until = clock()
        self._lock = Lock()

    def take(self) -> None:
        """Return when one call may go. RateLimited, with the seconds to wait, when that is later than `max_wait`."""
        with self._lock:
            due = self._next_due()
        wait = (due - self._clock()).total_seconds()
        if wait > 0:
            self._sleep(wait)

    def _next_due(self) -> datetime:
        now = self._clock()
        if not self._due or now >= self._usable_until:
            self._due = deque(self._portion())
            self._usable_until = now + HOLD
        wait = (self._due[0] - now).total_seconds()
        if wait > self._max_wait:
            raise self._refusal(wait)
        return self._due.popleft()

    def _portion(self) -> list[datetime]:
        for _ in range(_TRIES):
            bucket = self._bucket_now()
            taken = bucket.taken(self._policy, self._holder, self._clock(), self._max_wait)
            if isinstance(taken, float):  # a row that is out of date would only be fuller than the true one
                raise self._refusal(taken)
            if self._write(taken[0]):
                return taken[1]
        raise self._refusal(1.0)

    def _refusal(self, wait: float) -> RateLimited:
        return RateLimited(self._adapter_id, "our own rate limit for it is used up", retry_after=wait)

    def _bucket_now(self) -> Bucket:
        now = self._clock()
        if self._own and now < self._own_until:
            return self._own
        self._own = None
        if self._row is None:
            try:
                self._row = self._table.get(self._partition, self._key)
            except Exception as error:  # noqa: BLE001 - whatever storage raises: see the failure policy
                return self._go_offline(error)
        return _bucket(self._row.values) if self._row else full(self._policy, now)

    def _write(self, bucket: Bucket) -> bool:
        if self._own:
            self._own = bucket
            return True
        values = _values(bucket)
        try:
            if self._row:
                etag = self._table.replace(self._row, values)
            else:
                etag = self._table.insert(self._partition, self._key, values)
        except (RowChanged, RowExists):
            self._row = None
            return False
        except Exception as error:  # noqa: BLE001 - whatever storage raises: see the failure policy
            self._go_offline(error)
            return False
        self._row = Row(self._partition, self._key, values, etag)
        return True

    def _go_offline(self, error: Exception) -> Bucket:
        _log.warning("rate limit of %s is local for now: %s", self._adapter_id, type(error).__name__)
        now = self._clock()
        self._own = own = _bucket(self._row.values) if self._row else full(self._policy, now)
        self._row, self._own_until = None, now + OFFLINE
        return own


def _values(bucket: Bucket) -> dict[str, Value]:
    held = {name: [item.tokens, int(item.until.timestamp())] for name, item in bucket.held.items()}
    # Rounded down: never one token too many.
    return {"microTokens": int(bucket.level * _MICRO // 1), "at": bucket.at, "held": json.dumps(held)}


def _bucket(values: Mapping[str, Value]) -> Bucket:
    level, at, held = values["microTokens"], values["at"], values["held"]
    assert isinstance(level, int)
    assert isinstance(at, datetime)
    holders = {
        name: Held(int(tokens), datetime.fromtimestamp(until, UTC))
        for name, (tokens, until) in json.loads(str(held)).items()
    }
    return Bucket(level / _MICRO, at, holders)
