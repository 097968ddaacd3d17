"""Timers: each due time's work is done once, and every run leaves a heartbeat. Table `Heartbeats`.

Partition tenant, row key the timer's name: one row says who does the work now (a lease), what was done last, and how
it went. Three transactions a run.
"""

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial

from shared.adapters.resilience.leased_rows import Claim, LeasedRows, LeaseLost, lease_end, lease_token
from shared.adapters.resilience.retry import Sleep
from shared.adapters.telemetry.telemetry import error_type_of
from shared.kernel.clock import Clock, utc_now
from shared.kernel.errors import Busy
from shared.kernel.keys import join_key
from shared.kernel.table import Row, RowChanged, RowExists, Tables, Value
from shared.kernel.timer import Heartbeat, Timer

TABLE = "Heartbeats"
LEASE = 60.0
"""Seconds; a run that was killed holds the next one up no longer."""
AT_ONCE = timedelta(seconds=30)
"""So long after the due time a second run is another instance's; later it is a person's wish, and is done."""
_PAUSE = 1.0

_log = logging.getLogger(__name__)


class _LeftToOthers(Exception):
    """There is nothing to do here; the message says who does it."""


class StoredTimerRuns:
    """Implements `TimerRuns`. Cells: schedule, knownSince, due, startedAt, succeededAt, failedAt, failure, instance."""

    def __init__(
        self,
        tables: Tables,
        tenant: str,
        timers: Iterable[Timer],
        *,
        instance: str,
        clock: Clock = utc_now,
        sleep: Sleep = time.sleep,
    ) -> None:
        """Read nothing yet. `timers` are those that are expected to run; `instance` names this process."""
        self._table = tables.table(TABLE)
        self._rows = LeasedRows(self._table, clock)
        self._partition = join_key(tenant)
        self._timers = {timer.name: timer for timer in timers}
        self._instance, self._clock, self._sleep = instance, clock, sleep

    def run(self, timer: Timer, work: Callable[[], object]) -> bool:
        """Do a timer's work, once for each due time; tell whether it was done here.

        While another instance is at it, this one waits: for its success, or to take the work over when it failed or
        was killed; unless the timer is due again before that would be certain. A run longer than the lease may be
        done twice at once, which every timer's work bears.
        """
        began = self._clock()
        due = timer.due(began)
        try:
            claim = self._claim(timer, due, began)
        except _LeftToOthers as reason:
            _log.info("timer %s: %s", timer.name, reason, extra={"timer": timer.name})
            return False
        try:
            work()
        except BaseException as error:
            with suppress(Exception):  # the work's own error matters more; the lease runs out by itself
                self._end(claim, {"failedAt": self._clock(), "failure": error_type_of(error)})
            raise
        self._end(claim, {"succeededAt": self._clock(), "due": due})
        return True

    def heartbeats(self) -> list[Heartbeat]:
        """Return what is known of every timer; one that nobody knew, or by another schedule, is expected from now."""
        found = {row.key: row for row in self._table.query(self._partition)}
        return [_heartbeat(timer, self._expect(timer, found.get(timer.name))) for timer in self._timers.values()]

    def _claim(self, timer: Timer, due: datetime, began: datetime) -> Claim:
        """Claim the row, waiting for whoever has it. _LeftToOthers; Busy when it is never free."""
        waited = 0.0
        while True:
            values = self._cells(timer, None)
            look = partial(self._look, timer, due, began, values)
            found = self._rows.claim(self._partition, timer.name, values, LEASE, is_new=False, refuse=look)
            if isinstance(found, Claim):
                return found
            if lease_end(found) >= due + timer.every:
                raise _LeftToOthers("another instance is at it, and the next run comes before it could be taken over")
            left = (lease_end(found) - self._clock()).total_seconds()
            if waited > 2 * LEASE:
                raise Busy(f"timer {timer.name} is being run by somebody else", retry_after=max(left, _PAUSE))
            pause = min(max(left, 0.05), _PAUSE)
            self._sleep(pause)
            waited += pause

    def _look(self, timer: Timer, due: datetime, began: datetime, values: dict[str, Value], row: Row) -> None:
        """Look at the row that is about to be claimed: refuse what is done, keep what the last run left in it."""
        done, at = row.values.get("due"), row.values.get("succeededAt")
        if isinstance(done, datetime) and isinstance(at, datetime) and done >= due:
            by_the_timer, meanwhile = began < due + AT_ONCE, at > began
            if by_the_timer or meanwhile:
                raise _LeftToOthers("another instance has done this")
        values.update(self._cells(timer, row))

    def _cells(self, timer: Timer, row: Row | None) -> dict[str, Value]:
        """Return the cells of a run that begins now."""
        return {**self._known(timer, row), "startedAt": self._clock(), "instance": self._instance}

    def _known(self, timer: Timer, row: Row | None) -> dict[str, Value]:
        """Return what is kept of the runs before; another schedule is one that is expected from now on."""
        kept = {name: value for name, value in (row.values if row else {}).items() if name in _KEPT}
        if kept.get("schedule") != timer.schedule:
            kept |= {"schedule": timer.schedule, "knownSince": self._clock()}
        return kept

    def _end(self, claim: Claim, outcome: Mapping[str, Value]) -> None:
        try:
            self._rows.write(claim, {**_own(claim.row.values), **outcome}, self._clock())
        except LeaseLost:
            _log.warning("timer %s took so long that another instance took over", claim.row.key)

    def _expect(self, timer: Timer, row: Row | None) -> Row:
        """Return the timer's row; a timer that nobody knew, or by another schedule, is expected from now on."""
        if row and row.values.get("schedule") == timer.schedule:
            return row
        now = self._clock()
        values = {**self._known(timer, row), "leaseToken": lease_token(row), "leaseUntil": now}
        # A run that goes on writes the same itself.
        if row is None or lease_end(row) <= now:
            with suppress(RowExists, RowChanged):
                if row:
                    self._table.replace(row, values)
                else:
                    self._table.insert(self._partition, timer.name, values)
        return Row(self._partition, timer.name, values, "")


_KEPT = ("schedule", "knownSince", "due", "succeededAt", "failedAt", "failure")


def _own(values: Mapping[str, Value]) -> dict[str, Value]:
    return {name: value for name, value in values.items() if name not in ("leaseToken", "leaseUntil")}


def _heartbeat(timer: Timer, row: Row) -> Heartbeat:
    def instant(name: str) -> datetime | None:
        value = row.values.get(name)
        return value if isinstance(value, datetime) else None

    known_since = instant("knownSince")
    assert known_since
    return Heartbeat(
        timer.name,
        known_since,
        instant("startedAt"),
        instant("succeededAt"),
        instant("failedAt"),
        str(row.values.get("failure", "")),
        str(row.values.get("instance", "")),
    )
