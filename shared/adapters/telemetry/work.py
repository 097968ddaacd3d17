"""The hub's own work as it is seen from outside: requests, messages, timers and files (RES-08, RES-12)."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from shared.adapters.logs import correlated
from shared.adapters.telemetry import metrics
from shared.adapters.telemetry.current import current_trace
from shared.adapters.telemetry.recorder import Value
from shared.adapters.telemetry.telemetry import Telemetry
from shared.kernel.message import Message
from shared.kernel.trace_context import parse_traceparent


class ObservedWork:
    """Observes the work of one tenant: a span each, and the correlation ID for what is logged meanwhile."""

    def __init__(self, telemetry: Telemetry, tenant: Callable[[], str]) -> None:
        """Keep whose work it is; settings are read when work begins."""
        self._telemetry, self._tenant = telemetry, tenant

    @contextmanager
    def request(
        self, function: str, route: str, method: str, traceparent: str | None, request_id: str
    ) -> Iterator[Callable[[int], None]]:
        """Observe the answering of a request; what is yielded is told the status.

        The caller's trace is continued where its `traceparent` is sound.
        """
        attributes: dict[str, Value] = {
            "http.request.method": method,
            "http.route": f"/api/{route}",
            "integration.correlation_id": request_id,
        }
        parent = parse_traceparent(traceparent)
        with (
            correlated(request_id),
            self._telemetry.span(f"request {function}", "server", attributes, parent=parent) as span,
        ):
            yield lambda status: span.set("http.response.status_code", status)

    @contextmanager
    def message(self, queue: str, message: Message) -> Iterator[Callable[[str], None]]:
        """Observe the processing of a message; what is yielded is told the outcome. Implements `Observe`.

        The message's own trace is continued. Where the host has one for the invocation, its ID is noted beside it.
        """
        attributes: dict[str, Value] = {
            "messaging.destination.name": queue,
            "messaging.message.id": message.id,
            "messaging.message.type": message.type,
            "integration.attempt": message.attempt,
            "integration.correlation_id": message.correlationid,
            "integration.tenant": message.tenant,
        }
        told = ["failed"]
        parent, host = parse_traceparent(message.traceparent), current_trace()
        if host and parent and host.trace_id != parent.trace_id:
            attributes["integration.host_trace"] = host.trace_id
        with (
            correlated(message.correlationid),
            self._telemetry.span(f"process {queue}", "consumer", attributes, parent=parent) as span,
        ):
            try:
                yield lambda outcome: told.append(outcome)
            finally:
                span.set("integration.outcome", told[-1])
                self._telemetry.measure(metrics.THROUGHPUT, 1, {"queue": queue, "outcome": told[-1]})

    @contextmanager
    def task(self, function: str, correlation_id: str) -> Iterator[None]:
        """Observe what a timer or a file makes the hub do."""
        attributes: dict[str, Value] = {
            "integration.correlation_id": correlation_id,
            "integration.tenant": self._tenant(),
        }
        with correlated(correlation_id), self._telemetry.span(f"task {function}", "internal", attributes):
            yield
