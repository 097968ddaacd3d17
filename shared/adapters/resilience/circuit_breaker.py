"""A circuit breaker whose state all instances share (RES-03, INC-70)."""

from collections.abc import Callable
from typing import TypeVar

from shared.adapters.resilience.circuit import CLOSED, HALF_OPEN, STATE_VALUES, Circuit
from shared.adapters.resilience.circuit_store import CircuitStore
from shared.adapters.resilience.policies import BreakerPolicy
from shared.kernel.clock import Clock, utc_now
from shared.kernel.errors import (
    CircuitOpen,
    MalformedResponse,
    NetworkFailure,
    PartnerRefused,
    PartnerTimeout,
    ServerFailure,
)
from shared.kernel.table import Tables

Result = TypeVar("Result")
OnChange = Callable[[str, str, str], None]
"""Is told the adapter ID, the state before and the state after."""

FAILURES = (NetworkFailure, PartnerTimeout, ServerFailure, MalformedResponse)
"""What says that the partner is ill. A 4xx says that our request is wrong, a 429 that our pace is."""
ANSWERS = (PartnerRefused,)
"""Errors that prove the partner alive: they count as successes. Every other error says nothing about it."""


class CircuitBreaker:
    """Lets calls to one adapter through, or holds them back. Thread-safe; calls run in parallel.

    Half-open, one probe at a time goes through, of all instances: it is claimed by the row's ETag, for the call
    timeout at most, so a crashed probe blocks nobody for longer. Storage failures: see `CircuitStore`.
    """

    def __init__(
        self,
        tables: Tables,
        tenant: str,
        adapter_id: str,
        policy: BreakerPolicy,
        *,
        clock: Clock = utc_now,
        on_change: OnChange | None = None,
    ) -> None:
        """Read nothing yet."""
        self._store = CircuitStore(tables, tenant, adapter_id, clock)
        self._adapter_id = adapter_id
        self._policy = policy
        self._clock = clock
        self._on_change = on_change

    def call(self, call: Callable[[], Result]) -> Result:
        """Return the call's result and learn from it. CircuitOpen, with the seconds to wait, while it is held back."""
        generation = self._admit()
        try:
            result = call()
        except FAILURES:
            self._learn(generation, failed=True)
            raise
        except ANSWERS:
            self._learn(generation, failed=False)
            raise
        except BaseException:
            self._give_back(generation)
            raise
        self._learn(generation, failed=False)
        return result

    def state(self) -> str:
        """Return `closed`, `half-open` (the next call is a probe) or `open`, at most a few seconds old."""
        return self._store.current().seen(self._policy, self._clock()).state

    def metric(self) -> int:
        """Return the state as a number: 0 closed, 1 half-open, 2 open (RES-09)."""
        return STATE_VALUES[self.state()]

    def reset(self) -> None:
        """Close the circuit by hand; calls on their way do not count any more."""
        self._change(lambda known: Circuit(generation=known.generation + 1))

    def _admit(self) -> int:
        """Return the generation that the call belongs to."""
        circuit = self._store.current()
        while circuit.state != CLOSED:
            now = self._clock()
            if wait := circuit.blocked_for(self._policy, now):
                raise CircuitOpen(self._adapter_id, wait)
            probing = circuit.probing(self._policy, now)
            if self._store.write(circuit, probing):
                self._tell(circuit, probing)
                return probing.generation
            circuit = self._store.newest()
        return circuit.generation

    def _learn(self, generation: int, *, failed: bool) -> None:
        def judged(known: Circuit) -> Circuit:
            if known.generation != generation:
                return known
            return known.after(self._policy, self._clock(), failed=failed)

        settled = self._change(judged)
        if not failed and settled.state == CLOSED:
            self._store.confirm()

    def _give_back(self, generation: int) -> None:
        """A probe that says nothing about the partner makes room for the next one."""

        def freed(known: Circuit) -> Circuit:
            if known.generation != generation or known.state != HALF_OPEN:
                return known
            return Circuit(HALF_OPEN, known.failures, known.successes, known.generation, known.opened_at)

        self._change(freed)

    def _change(self, step: Callable[[Circuit], Circuit]) -> Circuit:
        """Apply a step to the newest state; a step that changes nothing writes nothing."""
        known = self._store.known()
        while (wanted := step(known)) != known:
            if self._store.write(known, wanted):
                self._tell(known, wanted)
                return wanted
            known = self._store.newest()
        return known

    def _tell(self, before: Circuit, after: Circuit) -> None:
        if self._on_change and before.state != after.state:
            self._on_change(self._adapter_id, before.state, after.state)
