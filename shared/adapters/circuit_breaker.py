"""Circuit breakers whose state all instances share (RES-03): pybreaker on a table row.

Table CircuitBreakers: partition tenant, row key partner. The row is read at most every two seconds and written on
change alone, so a healthy partner costs nearly nothing. When the table itself cannot be reached, calls go on under
what this process knows: a breaker must never be the reason that a healthy partner is not called.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

from shared.adapters.resilience.policies import BreakerPolicy
from shared.kernel.clock import Clock, from_iso, to_iso
from shared.kernel.errors import (
    CircuitOpen,
    MalformedResponse,
    NetworkFailure,
    PartnerTimeout,
    ServerFailure,
)
from shared.kernel.table import Row, RowChanged, RowExists, Table, Value

if TYPE_CHECKING:
    from pybreaker import CircuitBreaker

Result = TypeVar("Result")

COUNTED = (NetworkFailure, PartnerTimeout, ServerFailure, MalformedResponse)
"""Failures that say something about the partner. A 4xx says something about our request, a 429 about our pace."""

METRIC = {"closed": 0, "half-open": 1, "open": 2}
"""The states as the metric `integration_circuit_breaker_state` (RES-09)."""

CACHED_SECONDS = 2.0


@dataclass(frozen=True)
class CircuitState:
    """What is known of a circuit."""

    state: str = "closed"
    failures: int = 0
    successes: int = 0
    opened_at: datetime | None = None
    probe_until: datetime | None = None
    """While half-open: until when the one call that is let through may take."""


class SharedCircuit:
    """The state of one partner's circuit, shared by all instances."""

    def __init__(self, table: Table, tenant: str, partner: str, clock: Clock) -> None:
        """Keep table and clock; nothing is read yet."""
        self._table, self._tenant, self.partner, self._clock = table, tenant, partner, clock
        self._known = CircuitState()
        self._row: Row | None = None
        self._read_at: datetime | None = None
        self._lock = threading.RLock()

    def current(self, *, fresh: bool = False) -> CircuitState:
        """Return the state, at most two seconds old."""
        with self._lock:
            now = self._clock()
            stale = self._read_at is None or now - self._read_at > timedelta(seconds=CACHED_SECONDS)
            if fresh or stale:
                self._read(now)
            return self._known

    def change(self, step: Callable[[CircuitState], CircuitState | None]) -> CircuitState | None:
        """Apply a step to the newest state; None from the step leaves it. Returns what was written, or None."""
        with self._lock:
            while True:
                wanted = step(self.current(fresh=True))
                if wanted is None:
                    return None
                try:
                    self._write(wanted)
                except (RowChanged, RowExists):
                    continue
                return wanted

    def _read(self, now: datetime) -> None:
        self._read_at = now
        try:
            self._row = self._table.get(self._tenant, self.partner)
        except Exception:  # noqa: BLE001 - fails open, see above
            return
        self._known = _state(self._row)

    def _write(self, wanted: CircuitState) -> None:
        values = _values(wanted)
        try:
            if self._row:
                etag = self._table.replace(self._row, values)
            else:
                etag = self._table.insert(self._tenant, self.partner, values)
            self._row = Row(self._tenant, self.partner, values, etag)
        except (RowChanged, RowExists):
            raise
        except Exception:  # noqa: BLE001, S110 - fails open: this process goes by its own count
            pass
        self._known = wanted


class Breaker:
    """Lets calls to one partner through, or holds them back."""

    def __init__(self, circuit: SharedCircuit, policy: BreakerPolicy, clock: Clock) -> None:
        """Guard with the shared circuit."""
        self._circuit, self._policy, self._clock = circuit, policy, clock
        self._threads = threading.local()

    def call(self, call: Callable[[], Result]) -> Result:
        """Return the call's result. CircuitOpen while the partner is left alone."""
        from pybreaker import CircuitBreakerError

        self._admit()
        try:
            return self._of_this_thread().call(call)
        except CircuitBreakerError as error:
            if isinstance(error.__context__, COUNTED):
                raise error.__context__ from None
            raise self._open() from None

    def state(self) -> CircuitState:
        """Return the state of the circuit."""
        return self._circuit.current()

    def reset(self) -> None:
        """Close the circuit by hand."""
        self._circuit.change(lambda _: CircuitState())

    def _admit(self) -> None:
        """While the circuit is half-open, let one call at a time through, of all instances."""
        if self._circuit.current().state != "half-open":
            return
        until = self._clock() + timedelta(seconds=self._policy.call_timeout)

        def claim(known: CircuitState) -> CircuitState | None:
            if known.state != "half-open":
                return known
            taken = known.probe_until is not None and known.probe_until > self._clock()
            return None if taken else replace(known, probe_until=until)

        if self._circuit.change(claim) is None:
            raise CircuitOpen(self._circuit.partner, self._policy.call_timeout)

    def _open(self) -> CircuitOpen:
        opened_at = self._circuit.current().opened_at or self._clock()
        left = opened_at + timedelta(seconds=self._policy.reset_timeout) - self._clock()
        return CircuitOpen(self._circuit.partner, max(1.0, left.total_seconds()))

    def _of_this_thread(self) -> "CircuitBreaker":
        """pybreaker holds a lock during a call, so each thread has an object of its own over the shared state."""
        found: CircuitBreaker | None = getattr(self._threads, "breaker", None)
        if found is None:
            found = self._threads.breaker = _pybreaker(self._circuit, self._policy, self._clock)
        return found


def _pybreaker(circuit: SharedCircuit, policy: BreakerPolicy, clock: Clock) -> "CircuitBreaker":
    from pybreaker import CircuitBreaker, CircuitBreakerStorage

    class TableStorage(CircuitBreakerStorage):
        """pybreaker's storage interface on the shared circuit."""

        @property
        def state(self) -> str:
            return circuit.current().state

        @state.setter
        def state(self, state: str) -> None:
            if state == "half-open":
                until = clock() + timedelta(seconds=policy.call_timeout)
                if circuit.change(lambda known: _begin_probe(known, until)) is None:
                    raise CircuitOpen(circuit.partner, policy.call_timeout)
            elif state == "closed":
                circuit.change(lambda _: CircuitState())
            else:
                opened = CircuitState("open", opened_at=clock())
                circuit.change(lambda known: replace(opened, failures=known.failures))

        def increment_counter(self) -> None:
            circuit.change(lambda known: replace(known, failures=known.failures + 1, probe_until=None))

        def reset_counter(self) -> None:
            if circuit.current().failures and circuit.current().state == "closed":
                circuit.change(lambda known: replace(known, failures=0))

        def increment_success_counter(self) -> None:
            circuit.change(lambda known: replace(known, successes=known.successes + 1, probe_until=None))

        def reset_success_counter(self) -> None:
            """Starting a probe and opening both begin at zero already."""

        @property
        def counter(self) -> int:
            return circuit.current().failures

        @property
        def success_counter(self) -> int:
            return circuit.current().successes

        @property
        def opened_at(self) -> datetime | None:
            """As seen by the wall clock that pybreaker compares it with."""
            opened = circuit.current().opened_at
            return datetime.now(UTC) - (clock() - opened) if opened else None

        @opened_at.setter
        def opened_at(self, opened_at: datetime) -> None:
            """Written together with the state."""

    return CircuitBreaker(
        fail_max=policy.failures,
        reset_timeout=policy.reset_timeout,
        success_threshold=policy.successes,
        exclude=[lambda error: not isinstance(error, COUNTED)],
        state_storage=TableStorage(circuit.partner),
        throw_new_error_on_trip=False,
    )


def _begin_probe(known: CircuitState, until: datetime) -> CircuitState | None:
    """Turn an open circuit half-open; None when another instance did and its probe is on the way."""
    if known.state == "open":
        return CircuitState("half-open", opened_at=known.opened_at, probe_until=until)
    return known if known.state == "closed" else None


def _state(row: Row | None) -> CircuitState:
    if row is None:
        return CircuitState()
    opened, probe = row.values.get("openedAt"), row.values.get("probeUntil")
    return CircuitState(
        str(row.values["state"]),
        int(str(row.values["failures"])),
        int(str(row.values["successes"])),
        from_iso(str(opened)) if opened else None,
        from_iso(str(probe)) if probe else None,
    )


def _values(state: CircuitState) -> dict[str, Value]:
    values: dict[str, Value] = {
        "state": state.state,
        "failures": state.failures,
        "successes": state.successes,
    }
    if state.opened_at:
        values["openedAt"] = to_iso(state.opened_at)
    if state.probe_until:
        values["probeUntil"] = to_iso(state.probe_until)
    return values
