"""What is known of a circuit, as a value, and its cells in a table (RES-03)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared.adapters.resilience.policies import BreakerPolicy
from shared.kernel.table import Value

CLOSED, HALF_OPEN, OPEN = "closed", "half-open", "open"
STATE_VALUES: Mapping[str, int] = {CLOSED: 0, HALF_OPEN: 1, OPEN: 2}
"""The states as the metric `integration_circuit_breaker_state` has them (RES-09)."""


@dataclass(frozen=True)
class Circuit:
    """The shared state of one adapter's circuit.

    `generation` grows with each change of state and each probe: an outcome of an earlier generation counts no more.
    `probe_until` says until when a probe holds the half-open circuit for itself.
    """

    state: str = CLOSED
    failures: int = 0
    successes: int = 0
    generation: int = 0
    opened_at: datetime | None = None
    probe_until: datetime | None = None

    def retry_at(self, policy: BreakerPolicy) -> datetime | None:
        """Return when the next call or probe may go; None when nothing holds it back."""
        if self.state == OPEN and self.opened_at:
            return self.opened_at + timedelta(seconds=policy.reset_timeout)
        return self.probe_until if self.state == HALF_OPEN else None

    def blocked_for(self, policy: BreakerPolicy, now: datetime) -> float:
        """Return for how many seconds nobody may call; 0 when a call or probe may go."""
        return max(0.0, ((self.retry_at(policy) or now) - now).total_seconds())

    def seen(self, policy: BreakerPolicy, now: datetime) -> "Circuit":
        """Return the circuit as it is to be told: one whose reset timeout has passed is half-open.

        Its row says so only once somebody calls; without traffic it would be open for ever.
        """
        if self.state == OPEN and not self.blocked_for(policy, now):
            return replace(self, state=HALF_OPEN, successes=0)
        return self

    @property
    def value(self) -> int:
        """The state as the metric has it."""
        return STATE_VALUES[self.state]

    def probing(self, policy: BreakerPolicy, now: datetime) -> "Circuit":
        """Return the circuit with a probe on its way, for the call timeout at most."""
        return replace(
            self,
            state=HALF_OPEN,
            successes=0 if self.state == OPEN else self.successes,
            generation=self.generation + 1,
            probe_until=now + timedelta(seconds=policy.call_timeout),
        )

    def after(self, policy: BreakerPolicy, now: datetime, *, failed: bool) -> "Circuit":
        """Return the circuit after a call that was let through while closed, or as the probe while half-open."""
        if not failed and self.state == CLOSED and not self.failures:
            return self
        from shared.adapters.resilience.circuit_rules import judge

        settled = judge(replace(self, probe_until=None), policy, now, failed=failed)
        return replace(settled, generation=self.generation + (settled.state != self.state))


def to_values(circuit: Circuit) -> dict[str, Value]:
    """Return the cells of a circuit."""
    values: dict[str, Value] = {
        "state": circuit.state,
        "failures": circuit.failures,
        "successes": circuit.successes,
        "generation": circuit.generation,
    }
    if circuit.opened_at:
        values["openedAt"] = circuit.opened_at
    if circuit.probe_until:
        values["probeUntil"] = circuit.probe_until
    return values


def from_values(values: Mapping[str, Value]) -> Circuit:
    """Read the cells of a circuit; what is missing or odd reads as closed, so that it never blocks for good."""

    def number(name: str) -> int:
        value = values.get(name)
        return value if isinstance(value, int) else 0

    def instant(name: str) -> datetime | None:
        value = values.get(name)
        return value if isinstance(value, datetime) else None

    state = str(values.get("state"))
    return Circuit(
        state if state in STATE_VALUES else CLOSED,
        number("failures"),
        number("successes"),
        number("generation"),
        instant("openedAt"),
        instant("probeUntil"),
    )
