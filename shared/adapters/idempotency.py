"""Do something once per key, across instances, and give everybody the result (RES-02).

Table Idempotency: partition tenant|operation, row key the key. A row is InProgress under a lease with a fencing
token (it grows with each takeover), then Completed with the result. Whoever finds it InProgress waits; a holder that
died is taken over when its lease is up, and a holder that comes back after that cannot store a result any more.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import Any

from shared.kernel.clock import Clock, from_iso, to_iso
from shared.kernel.errors import Busy, Conflict
from shared.kernel.keys import join_key
from shared.kernel.table import Row, RowChanged, RowExists, Table, Value

LEASE = timedelta(minutes=5)
RESULT_LIFE = timedelta(hours=24)
POLL_SECONDS = 0.2
MAX_WAIT = 10.0


@dataclass(frozen=True)
class Claim:
    """The right to run an operation; `token` grows with each takeover."""

    row: Row
    token: int


class Idempotency:
    """Runs operations of one tenant once per key."""

    def __init__(
        self,
        table: Table,
        tenant: str,
        clock: Clock,
        sleep: Callable[[float], None],
        *,
        lease: timedelta = LEASE,
    ) -> None:
        """Keep table, and the injected clock and sleep."""
        self._table, self._tenant, self._clock, self._sleep, self._lease = table, tenant, clock, sleep, lease

    def run(self, operation: str, key: str, call: Callable[[], Any], payload: object = None) -> Any:  # noqa: ANN401 - JSON
        """Return the call's result (JSON): computed now, or before, or by whoever is computing it.

        A call that fails leaves the key free. Conflict when the key was used with another payload. Busy when another
        caller takes longer than we can wait.
        """
        partition, row_key = join_key(self._tenant, operation), join_key(_short(key))
        fingerprint = sha256(json.dumps(payload, sort_keys=True, default=str).encode()).hexdigest()
        waited = 0.0
        while True:
            claim = self._claim(partition, row_key, fingerprint)
            if isinstance(claim, Claim):
                return self._execute(claim, call, fingerprint)
            if claim.values["state"] == "Completed":
                return json.loads(str(claim.values["result"]))
            if waited >= MAX_WAIT:
                raise Busy(f"{operation} {key!r} is being done by another caller", retry_after=MAX_WAIT)
            self._sleep(POLL_SECONDS)
            waited += POLL_SECONDS

    def _claim(self, partition: str, key: str, fingerprint: str) -> Claim | Row:
        """Return our claim, or the row of whoever was first."""
        try:
            values = self._in_progress(fingerprint, 1)
            return Claim(Row(partition, key, values, self._table.insert(partition, key, values)), 1)
        except RowExists:
            found = self._table.get(partition, key)
        if found is None:
            return self._claim(partition, key, fingerprint)
        if from_iso(str(found.values["until"])) > self._clock():
            if found.values["payload"] != fingerprint:
                raise Conflict("this idempotency key was used before, for another request")
            return found
        token = int(str(found.values["token"])) + 1
        values = self._in_progress(fingerprint, token)
        try:
            return Claim(Row(partition, key, values, self._table.replace(found, values)), token)
        except RowChanged:
            return self._claim(partition, key, fingerprint)

    def _execute(self, claim: Claim, call: Callable[[], Any], fingerprint: str) -> Any:  # noqa: ANN401 - JSON
        row = claim.row
        try:
            result = call()
        except Exception:
            self._release(row)
            raise
        values: dict[str, Value] = {
            "state": "Completed",
            "token": claim.token,
            "payload": fingerprint,
            "until": to_iso(self._clock() + RESULT_LIFE),
            "result": json.dumps(result),
        }
        try:
            self._table.replace(row, values)
        except RowChanged:
            # We took longer than the lease and were taken over: the other's result is the one that counts.
            found = self._table.get(row.partition, row.key)
            if found and found.values["state"] == "Completed":
                return json.loads(str(found.values["result"]))
            raise Busy("the operation was taken over by another caller", retry_after=1) from None
        return result

    def _release(self, row: Row) -> None:
        try:
            self._table.delete(row.partition, row.key, row.etag)
        except RowChanged:
            return

    def _in_progress(self, fingerprint: str, token: int) -> dict[str, Value]:
        until = to_iso(self._clock() + self._lease)
        return {"state": "InProgress", "token": token, "payload": fingerprint, "until": until}


def _short(key: str) -> str:
    """Return a key that fits a table: a long one by its hash."""
    return key if len(key) <= 200 else sha256(key.encode()).hexdigest()
