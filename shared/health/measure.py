"""What is measured from outside of any instance: queues, circuits, heartbeats (INC-73, RES-09).

In a serverless hub a gauge that each instance sets for itself is wrong: one timer measures what all of them share.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from shared.kernel.message import Queues
from shared.kernel.timer import Heartbeat

_log = logging.getLogger(__name__)
_OPEN = 2


@dataclass(frozen=True)
class Measurement:
    """A value of a metric, by its name."""

    metric: str
    value: float
    labels: Mapping[str, str]


@dataclass(frozen=True)
class Source:
    """Something that can be measured, and fail to be, by itself."""

    name: str
    measure: Callable[[], Iterable[Measurement]]


def sources_of(
    heartbeats: Callable[[], Iterable[Heartbeat]],
    circuits: Callable[[], Mapping[str, int]],
    queues: Queues,
    names: Iterable[str],
    now: datetime,
) -> Iterator[Source]:
    """Yield every source. `circuits` are 0 closed, 1 half-open, 2 open by adapter ID; ages are seconds.

    Heartbeats come first: without them, an alert would take every timer for dead.
    """
    yield Source("heartbeats", lambda: _ages(heartbeats(), now))
    yield Source("circuits", lambda: _states(circuits()))
    for name in names:
        yield Source(f"queue {name}", partial(_depth, queues, name))


def measure_all(sources: Iterable[Source], tell: Callable[[Measurement], None]) -> None:
    """Tell what every source measures.

    One that fails is logged and keeps no other from being told. The first error is raised at the end.
    """
    failures: list[Exception] = []
    for source in sources:
        try:
            for one in source.measure():
                tell(one)
        except Exception as error:  # noqa: BLE001 - raised below
            _log.warning("%s cannot be measured: %s", source.name, type(error).__name__)
            failures.append(error)
    if failures:
        raise failures[0]


def _ages(heartbeats: Iterable[Heartbeat], now: datetime) -> Iterator[Measurement]:
    for beat in heartbeats:
        yield Measurement("integration.heartbeat_age", beat.age(now), {"timer": beat.name})


def _states(circuits: Mapping[str, int]) -> Iterator[Measurement]:
    for adapter_id, state in circuits.items():
        labels = {"adapter_id": adapter_id}
        yield Measurement("integration_circuit_breaker_state", state, labels)
        yield Measurement("integration.circuit_open", float(state == _OPEN), labels)


def _depth(queues: Queues, name: str) -> Iterator[Measurement]:
    yield Measurement("integration.queue_depth", queues.depth(name), {"queue": name})
