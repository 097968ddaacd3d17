"""Every metric of the hub: name, kind, unit, labels (RES-09, INC-73)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Metric:
    """A metric. Labels are few and have few values: never an ID, a name or an address. Buckets in its unit."""

    name: str
    kind: Literal["counter", "histogram", "gauge"]
    unit: str
    description: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] | None = None


_SECONDS = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)

REQUESTS = Metric(
    "integration_requests_total", "counter", "1", "Calls to partners, retries not counted.", ("adapter_id", "status")
)
DURATION = Metric(
    "integration_request_duration_seconds",
    "histogram",
    "s",
    "How long a call to a partner took, retries and waits included.",
    ("adapter_id",),
    _SECONDS,
)
ERRORS = Metric(
    "integration_errors_total", "counter", "1", "Calls that failed in the end.", ("adapter_id", "error_type")
)
RETRIES = Metric("integration_retries_total", "counter", "1", "Attempts after the first.", ("adapter_id",))
CIRCUIT_STATE = Metric(
    "integration_circuit_breaker_state", "gauge", "1", "0 closed, 1 half-open, 2 open.", ("adapter_id",)
)
LATENCY = Metric("integration.latency", "histogram", "s", "As the duration above.", ("adapter_id",), _SECONDS)
ERROR_RATE = Metric(
    "integration.error_rate",
    "histogram",
    "1",
    "0 for a call that went well, 1 for one that failed: the mean is the share of failures, of any set of instances.",
    ("adapter_id",),
    (0.5,),
)
THROUGHPUT = Metric("integration.throughput", "counter", "1", "Messages that were settled.", ("queue", "outcome"))
QUEUE_DEPTH = Metric("integration.queue_depth", "gauge", "1", "Messages that wait.", ("queue",))
CIRCUIT_OPEN = Metric("integration.circuit_open", "gauge", "1", "1 while the circuit is not closed.", ("adapter_id",))
HEARTBEAT_AGE = Metric("integration.heartbeat_age", "gauge", "s", "Time since a timer last succeeded.", ("timer",))

METRICS: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        REQUESTS,
        DURATION,
        ERRORS,
        RETRIES,
        CIRCUIT_STATE,
        LATENCY,
        ERROR_RATE,
        THROUGHPUT,
        QUEUE_DEPTH,
        CIRCUIT_OPEN,
        HEARTBEAT_AGE,
    )
}
