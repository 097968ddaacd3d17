"""Order intake to the sales system: `POST /api/v2/orders/intake` (RES-01)."""

import json
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared.kernel.adapter import AdapterHealth, CallContext, Health, semantic_version
from shared.kernel.errors import Busy, HubError, InvalidRequest, MalformedResponse, PartnerRefused
from shared.kernel.json_client import JsonPoster
from shared.kernel.once import RunOnce
from shared.kernel.partner_status import Verdict, is_under_way, verdict_of
from shared.orders.order import Order, intake_body, problems_of

PARTNER = "sales"
PATH = "/api/v2/orders/intake"
HEALTH_PATH = "/api/health"
_OPERATION = "order-intake"
_KNOWN_KEY = frozenset({409})
"""With this some systems answer a key that they know: the first answer in the body is the answer, and a key that is
being worked on is waited for."""
_ASK_AGAIN_AFTER = 5.0
"""Seconds, where the sales system is still at it and does not say when it will be done."""
_UNFIT = frozenset({400, 409, 422})
"""With these the sales system refuses the order itself, not us."""
SLOW_AFTER = 2000.0
"""Milliseconds: a health check that takes longer is told as degraded."""


class SalesSystem(JsonPoster, Protocol):
    """The port to the sales system."""

    def get_json(self, path: str) -> Any:  # noqa: ANN401 - JSON
        """Return the parsed answer."""
        ...


@dataclass(frozen=True)
class OrderTaken:
    """What became of an order at the sales system."""

    order_id: str
    sales_order_number: str
    status: str


class _Answer(BaseModel):
    model_config = ConfigDict(extra="ignore")

    externalOrderId: str  # noqa: N815 - the partner's own names
    salesOrderNumber: str = Field(min_length=1, max_length=100)  # noqa: N815
    status: str = Field(min_length=1, max_length=100)


class OrderIntake:
    """Implements `Adapter[Order, OrderTaken]`."""

    def __init__(
        self,
        sales: SalesSystem,
        once: RunOnce,
        correlated: Callable[[str], AbstractContextManager[None]],
        *,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        """Connect to nothing yet. Calls inside `correlated` carry that correlation ID; `timer` in seconds."""
        self._sales, self._once, self._correlated, self._timer = sales, once, correlated, timer
        self.adapter_id = PARTNER
        self.version = semantic_version("1.0.0")

    def validate(self, order: Order) -> None:
        """Refuse an order that breaks a rule. InvalidRequest names each field."""
        problems = problems_of(order)
        if problems:
            first = problems[0]
            raise InvalidRequest(f"the order is not valid: {first.field} {first.message}", problems)

    def transform(self, order: Order) -> Mapping[str, object]:
        """Return the sales system's body."""
        return intake_body(order)

    def execute(self, order: Order, context: CallContext) -> OrderTaken:
        """Bring an order to the sales system, once by tenant and order ID; a repeat gets the first answer.

        InvalidRequest, also where the sales system finds the order unfit or gives it a status that says so; Conflict
        when the ID was used for another order in the last 24 h; Busy, also while the sales system works on the same
        order; partner errors, after which the same order may be sent again: the sales system knows it by its key.
        """
        self.validate(order)
        content = self.transform(order)
        key = f"{context.tenant_id}:{order.order_id}"
        with self._correlated(context.correlation_id):
            taken = self._once.run(_OPERATION, key, lambda: asdict(self._post(order, content, key)), content)
        return OrderTaken(**taken)

    def health_check(self) -> AdapterHealth:
        """Ask the sales system: degraded when it says so or is slow, unhealthy when it does not answer."""
        begin = self._timer()
        status, reason = Health.HEALTHY, ""
        try:
            answer = self._sales.get_json(HEALTH_PATH)
        except HubError as error:
            status, reason = Health.UNHEALTHY, error.code
        else:
            if not isinstance(answer, dict) or answer.get("status") != Health.HEALTHY.value:
                status, reason = Health.DEGRADED, "it does not say that it is healthy"
        latency = (self._timer() - begin) * 1000
        if status is Health.HEALTHY and latency > SLOW_AFTER:
            status, reason = Health.DEGRADED, f"it took longer than {SLOW_AFTER / 1000:g} s to answer"
        return AdapterHealth(status, latency, reason)

    def _post(self, order: Order, content: Mapping[str, object], key: str) -> OrderTaken:
        def check(answer: object) -> None:
            try:
                _read(answer, order.order_id)
            except MalformedResponse:
                if not is_under_way(answer):
                    raise
                text = f"the sales system is still working on order {order.order_id}"
                raise Busy(text, retry_after=_ASK_AGAIN_AFTER) from None

        body = json.dumps(content, separators=(",", ":")).encode()
        try:
            answer = self._sales.post_body(PATH, body, idempotency_key=key, check=check, accept=_KNOWN_KEY)
        except PartnerRefused as error:
            if error.status not in _UNFIT:
                raise
            text = f"the sales system refuses order {order.order_id} ({error.status}): correct it and send it again"
            raise InvalidRequest(text) from error
        taken = _read(answer, order.order_id)
        if verdict_of(taken.status) is Verdict.FAILED:
            said = f"the sales system says {taken.status!r} of order {order.order_id} ({taken.sales_order_number})"
            raise InvalidRequest(f"{said}: correct it and send it again")
        return taken


def _read(answer: object, order_id: str) -> OrderTaken:
    """Read the sales system's answer. MalformedResponse when it breaks the contract or is about another order."""
    try:
        found = _Answer.model_validate(answer)
    except ValidationError as error:
        fields = ", ".join(sorted({str(item["loc"][0]) if item["loc"] else "body" for item in error.errors()}))
        raise MalformedResponse(PARTNER, f"the answer to order {order_id} breaks the contract in {fields}") from None
    if found.externalOrderId != order_id:
        raise MalformedResponse(PARTNER, f"the answer to order {order_id} is about {found.externalOrderId[:60]!r}")
    return OrderTaken(order_id, found.salesOrderNumber, found.status)
