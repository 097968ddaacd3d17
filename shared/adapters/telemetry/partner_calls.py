"""The calls to one partner as they are seen from outside: a span and the metrics of each (RES-08, RES-09, INC-73)."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from shared.adapters.logs import current_correlation_id
from shared.adapters.telemetry import metrics
from shared.adapters.telemetry.recorder import Span, Value
from shared.adapters.telemetry.telemetry import Telemetry, error_type_of
from shared.kernel.errors import Busy, CircuitOpen
from shared.kernel.trace_context import parse_traceparent

ADAPTER_VERSION = "1.0.0"
"""Semantic version of our side of the partners' contracts (RES-01)."""


class PartnerCall:
    """One call, with all its attempts."""

    def __init__(self, span: Span, monotonic: Callable[[], float]) -> None:
        """Begin without an attempt."""
        self._span, self._monotonic = span, monotonic
        self.attempts = 0

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Observe one attempt: an event of the call's span."""
        self.attempts += 1
        began, error_type = self._monotonic(), ""
        try:
            yield
        except BaseException as error:
            error_type = error_type_of(error)
            raise
        finally:
            told: dict[str, Value] = {"attempt": self.attempts, "seconds": self._monotonic() - began}
            self._span.event("attempt", told | ({"error.type": error_type} if error_type else {}))

    def answered(self, status: int, traceresponse: str) -> None:
        """Note what came back, the partner's own position in the trace where it tells one."""
        self._span.set("http.response.status_code", status)
        if trace := parse_traceparent(traceresponse):
            self._span.set("integration.partner_trace", trace.traceparent())


class PartnerCalls:
    """Observes the calls to one partner."""

    def __init__(
        self,
        telemetry: Telemetry,
        adapter_id: str,
        tenant: str = "default",
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Keep who is called on whose behalf."""
        self._telemetry, self._adapter_id, self._tenant = telemetry, adapter_id, tenant
        self._monotonic = monotonic

    @contextmanager
    def call(self, operation: str) -> Iterator[PartnerCall]:
        """Observe a call from its first attempt to its end. `operation` is method and path, or a verb."""
        attributes: dict[str, Value] = {
            "integration.adapter_id": self._adapter_id,
            "integration.adapter_version": ADAPTER_VERSION,
            "integration.operation": operation,
            "integration.tenant": self._tenant,
            "integration.correlation_id": current_correlation_id(),
        }
        with self._telemetry.span("integration.execute", "client", attributes) as span:
            call, began = PartnerCall(span, self._monotonic), self._monotonic()
            status, error_type = "success", ""
            try:
                yield call
            except Busy:  # the partner answers, though it is not done
                raise
            except BaseException as error:
                status, error_type = "held" if isinstance(error, CircuitOpen) else "error", error_type_of(error)
                raise
            finally:
                span.set("integration.retry_count", max(0, call.attempts - 1))
                span.set("integration.status", status)
                self._measure(status, error_type, self._monotonic() - began, call.attempts)

    def _measure(self, status: str, error_type: str, seconds: float, attempts: int) -> None:
        measure, adapter = self._telemetry.measure, {"adapter_id": self._adapter_id}
        measure(metrics.REQUESTS, 1, {**adapter, "status": status})
        if error_type:
            measure(metrics.ERRORS, 1, {**adapter, "error_type": error_type})
        if attempts > 1:
            measure(metrics.RETRIES, attempts - 1, adapter)
        if status != "held":  # a call that an open circuit held back says nothing new of the partner
            measure(metrics.DURATION, seconds, adapter)
            measure(metrics.LATENCY, seconds, adapter)
            measure(metrics.ERROR_RATE, float(bool(error_type)), adapter)
