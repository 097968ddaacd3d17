"""The sales system: takes orders in, each once by its idempotency key, and remembers how it was told of them."""

import json
from decimal import Decimal
from threading import Lock
from typing import Any


class OrderRefused(Exception):
    """An order is refused."""

    def __init__(self, status: int, message: str) -> None:
        """Keep the HTTP status."""
        super().__init__(message)
        self.status = status


class OrderDesk:
    """What the sales system has booked."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._lock = Lock()
        self._answers: dict[str, tuple[bytes, dict[str, str]]] = {}
        self.orders: list[dict[str, Any]] = []
        self.calls: list[dict[str, str]] = []
        self.repeats = 0

    def note(self, key: str, correlation_id: str) -> None:
        """Remember a call, whatever becomes of it."""
        with self._lock:
            self.calls.append({"idempotencyKey": key, "correlationId": correlation_id})

    def receive(self, key: str, body: bytes) -> dict[str, str]:
        """Book an order; the same key again gives the same answer. OrderRefused."""
        if not key:
            raise OrderRefused(400, "X-Idempotency-Key is missing")
        with self._lock:
            if key in self._answers:
                before, answer = self._answers[key]
                if before != body:
                    raise OrderRefused(409, "this idempotency key was used for another order")
                self.repeats += 1
                return answer
            order = json.loads(body)
            total = sum((Decimal(one["unitPrice"]) * one["quantity"] for one in order["items"]), Decimal(0))
            if total != Decimal(order["totalAmount"]):
                raise OrderRefused(422, f"totalAmount is {order['totalAmount']}, the items come to {total}")
            number = f"SO-{len(self.orders) + 1:06d}"
            self.orders.append(order | {"salesOrderNumber": number})
            answer = {"externalOrderId": order["externalOrderId"], "salesOrderNumber": number, "status": "Accepted"}
            self._answers[key] = (body, answer)
            return answer

    def ledger(self) -> dict[str, Any]:
        """Return what was booked, and every call that came."""
        with self._lock:
            return {"orders": list(self.orders), "calls": list(self.calls), "repeats": self.repeats}
