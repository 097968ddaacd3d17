"""Doing something once per key, across instances, and giving everybody its result (RES-02).

Table `Idempotency`: partition tenant|operation, row key the key. A row is `running` under a lease, then `done` with
the result for 24 h, or `free` after a failure. Keys come from business identity, never from the clock.
"""

import json
import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from threading import Lock
from typing import Any

from shared.adapters.resilience.leased_rows import Claim, LeasedRows, LeaseLost, lease_end
from shared.adapters.resilience.retry import Sleep
from shared.kernel.clock import Clock, utc_now
from shared.kernel.errors import Busy, Conflict
from shared.kernel.keys import join_key
from shared.kernel.long_cells import long_cells, read_long_cells
from shared.kernel.table import Row, Tables, Value

TABLE = "Idempotency"
LEASE = 300.0
KEEP = 24 * 3600.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0
_REMEMBERED = 4096


class Idempotency:
    """Runs the operations of one tenant once per key. Thread-safe. Times in seconds.

    Transactions: 2 for a first run that nobody contends, 1 for a repeat in the same process, 2 in another one.
    A holder that died is taken over when its lease is up. One that comes back after that cannot store its result: it
    gets the other's.
    """

    def __init__(
        self,
        tables: Tables,
        tenant: str,
        *,
        clock: Clock = utc_now,
        sleep: Sleep = time.sleep,
        lease: float = LEASE,
        keep: float = KEEP,
        max_wait: float = 30.0,
    ) -> None:
        """Read nothing yet. ValueError when a lease would outlive its result."""
        if not 0 < lease <= keep or max_wait < 0:
            raise ValueError("idempotency needs 0 < lease <= keep and max_wait >= 0")
        self._rows = LeasedRows(tables.table(TABLE), clock)
        self._tenant = tenant
        self._clock = clock
        self._sleep = sleep
        self._lease = lease
        self._keep = timedelta(seconds=keep)
        self._max_wait = max_wait
        self._known: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._known_lock = Lock()

    def run(self, operation: str, key: str, call: Callable[[], Any], payload: object = None) -> Any:  # noqa: ANN401 - JSON
        """Return the call's result (JSON): computed now, before, or by whoever computes it at this moment.

        What the call raises is passed on and frees the key. Conflict when the key was used with another payload in the
        last 24 h; Busy when another caller takes longer than `max_wait`; TypeError or ValueError when the result is no
        JSON or does not fit into a row.
        """
        place = join_key(self._tenant, operation), _row_key(key)
        digest = _digest(payload)
        waited, pause = 0.0, _FIRST_PAUSE
        while True:
            found = self._claim(place, digest)
            if isinstance(found, Claim):
                try:
                    return self._execute(found, digest, call)
                except _TakenOver as late:
                    # The work is done already: should the other one fail, this result is stored, not computed again.
                    call = late.again
                    continue
            if found.values["status"] == "done":
                return read_long_cells("result", found.values)
            if waited >= self._max_wait:
                left = (lease_end(found) - self._clock()).total_seconds()
                raise Busy(f"{operation} {key!r} is being done by somebody else", retry_after=max(left, pause))
            self._sleep(pause)
            waited += pause
            pause = min(_LONGEST_PAUSE, pause * 1.6)

    def _claim(self, place: tuple[str, str], digest: str) -> Claim | Row:
        def refuse(row: Row) -> None:
            remembered = row.values.get("keepUntil")
            if not isinstance(remembered, datetime) or remembered <= self._clock():
                return
            if row.values["payload"] != digest:
                raise Conflict("this idempotency key was used for another request")

        values: dict[str, Value] = {"status": "running", "payload": digest, "keepUntil": self._clock() + self._keep}
        found = self._rows.claim(*place, values, self._lease, is_new=not self._is_known(place), refuse=refuse)
        self._remember(place)
        return found

    def _execute(self, claim: Claim, digest: str, call: Callable[[], Any]) -> Any:  # noqa: ANN401 - JSON
        try:
            text = json.dumps(call())
            cells = long_cells("result", json.loads(text))
        except BaseException:
            self._free(claim)
            raise
        until = self._clock() + self._keep
        try:
            self._rows.write(claim, {"status": "done", "payload": digest, "keepUntil": until, **cells}, until)
        except LeaseLost:
            raise _TakenOver(text) from None
        return json.loads(text)

    def _free(self, claim: Claim) -> None:
        try:
            self._rows.write(claim, {"status": "free"}, self._clock())
        except Exception:  # noqa: BLE001 - the call's own error matters more; the lease frees the key later
            return

    def _is_known(self, place: tuple[str, str]) -> bool:
        with self._known_lock:
            return place in self._known

    def _remember(self, place: tuple[str, str]) -> None:
        """Rows that this process has met are read first: a repeat then costs one transaction."""
        with self._known_lock:
            self._known[place] = None
            self._known.move_to_end(place)
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)


class _TakenOver(Exception):
    """The lease was lost while the call ran; carries the call's result as JSON."""

    def __init__(self, text: str) -> None:
        super().__init__("taken over")
        self._text = text

    def again(self) -> Any:  # noqa: ANN401 - JSON
        return json.loads(self._text)


def _row_key(key: str) -> str:
    """Return the key itself, or its digest where it is too long for a row: callers and file names may be long."""
    try:
        return join_key(key)
    except ValueError:
        return join_key("sha256", sha256(key.encode(errors="surrogatepass")).hexdigest())


def _digest(payload: object) -> str:
    return sha256(json.dumps(payload, sort_keys=True, default=_plain).encode()).hexdigest()


def _plain(value: object) -> str:
    if isinstance(value, Decimal | date):  # a datetime is a date
        return str(value)
    if isinstance(value, bytes):
        return value.hex()
    raise TypeError(f"a payload of {type(value).__name__} has no digest that is the same everywhere")
