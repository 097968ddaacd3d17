"""How an outcome changes a circuit: pybreaker decides (RES-03).

It is asked about outcomes that are known already, on a snapshot, instead of being put around the call itself: it
holds a lock for a whole call, and it writes its counters one by one where instances need one compare-and-swap.
"""

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

from pybreaker import CircuitBreaker, CircuitBreakerStorage

from shared.adapters.resilience.circuit import Circuit
from shared.adapters.resilience.policies import BreakerPolicy


class _FailedCall(Exception):
    """Stands for the failure, which pybreaker need not see itself."""


def judge(circuit: Circuit, policy: BreakerPolicy, now: datetime, *, failed: bool) -> Circuit:
    """Return the circuit after a call that was let through and has now ended."""
    snapshot = Snapshot(circuit, now)
    breaker = CircuitBreaker(
        fail_max=policy.failures,
        reset_timeout=policy.reset_timeout,
        success_threshold=policy.successes,
        state_storage=snapshot,
        throw_new_error_on_trip=False,
    )

    def outcome() -> None:
        if failed:
            raise _FailedCall

    with suppress(_FailedCall):
        breaker.call(outcome)
    return snapshot.circuit


class Snapshot(CircuitBreakerStorage):
    """pybreaker's storage on a value in memory."""

    def __init__(self, circuit: Circuit, now: datetime) -> None:
        """Begin with a circuit; `now` is the injected clock's."""
        super().__init__("snapshot")
        self.circuit = circuit
        self._now = now

    @property
    def state(self) -> str:
        """The state."""
        return self.circuit.state

    @state.setter
    def state(self, state: str) -> None:
        self.circuit = replace(self.circuit, state=state)

    def increment_counter(self) -> None:
        """One failure more."""
        self.circuit = replace(self.circuit, failures=self.circuit.failures + 1)

    def reset_counter(self) -> None:
        """No failures."""
        self.circuit = replace(self.circuit, failures=0)

    def increment_success_counter(self) -> None:
        """One success more."""
        self.circuit = replace(self.circuit, successes=self.circuit.successes + 1)

    def reset_success_counter(self) -> None:
        """No successes."""
        self.circuit = replace(self.circuit, successes=0)

    @property
    def counter(self) -> int:
        """Failures in a row."""
        return self.circuit.failures

    @property
    def success_counter(self) -> int:
        """Successes of probes in a row."""
        return self.circuit.successes

    @property
    def opened_at(self) -> datetime | None:
        """As the wall clock shows it, with which pybreaker compares it; ours is injected."""
        opened = self.circuit.opened_at
        return opened and datetime.now(UTC) - (self._now - opened)

    @opened_at.setter
    def opened_at(self, _wall_clock: datetime) -> None:
        self.circuit = replace(self.circuit, opened_at=self._now)
