"""What is measured from outside of any instance: queues, circuits, heartbeats (INC-73, RES-09).

In a serverless hub a gauge that each instance sets for itself is wrong: one timer measures what all of them share.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from shared.kernel.message import Queues
from shared.kernel.timer import Heartbeat

_OPEN = 2


@dataclass(frozen=True)
class Measurement:
    """A value of a metric, by its name."""

    metric: str
    value: float
    labels: Mapping[str, str]


def measured(
    queues: Queues,
    names: Iterable[str],
    circuits: Mapping[str, int],
    heartbeats: Iterable[Heartbeat],
    now: datetime,
) -> Iterator[Measurement]:
    """Yield every measurement. `circuits` are 0 closed, 1 half-open, 2 open by adapter ID; ages are seconds."""
    for name in names:
        yield Measurement("integration.queue_depth", queues.depth(name), {"queue": name})
    for adapter_id, state in circuits.items():
        labels = {"adapter_id": adapter_id}
        yield Measurement("integration_circuit_breaker_state", state, labels)
        yield Measurement("integration.circuit_open", float(state == _OPEN), labels)
    for beat in heartbeats:
        yield Measurement("integration.heartbeat_age", beat.age(now), {"timer": beat.name})
