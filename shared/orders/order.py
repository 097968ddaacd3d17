"""An order, the rules that it keeps, and what the sales system gets of it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from shared.kernel.errors import FieldProblem
from shared.kernel.money import amount_text, to_minor

MAX_LINES = 500
MAX_QUANTITY = 1_000_000
_MAX_MINOR = 10**12
_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_RULE = "must be 1 to 64 letters, digits, dots, underscores or hyphens, and begin with a letter or digit"
_PRICE_RULE = "must be an amount with at most two decimals, 0 or more"
_CURRENCY = re.compile(r"[A-Z]{3}")


@dataclass(frozen=True)
class OrderLine:
    """So many of one article, at a price for each."""

    sku: str
    quantity: int
    unit_price: Decimal


@dataclass(frozen=True)
class Order:
    """What a customer orders; `total` is what he was told that it comes to."""

    order_id: str
    customer_id: str
    currency: str
    requested_date: date
    lines: tuple[OrderLine, ...]
    total: Decimal


def problems_of(order: Order) -> tuple[FieldProblem, ...]:
    """Return every rule that an order breaks, by the name of the field."""
    return tuple(_problems(order))


def total_minor(order: Order) -> int:
    """Return what the lines come to in minor units. ValueError when a price is no amount of money."""
    return sum(line.quantity * to_minor(line.unit_price) for line in order.lines)


def intake_body(order: Order) -> dict[str, object]:
    """Return the sales system's body for an order; amounts as decimal text. ValueError for what is no amount."""
    return {
        "externalOrderId": order.order_id,
        "customerNumber": order.customer_id,
        "currencyCode": order.currency,
        "requestedDeliveryDate": order.requested_date.isoformat(),
        "items": [
            {
                "position": position,
                "sku": line.sku,
                "quantity": line.quantity,
                "unitPrice": amount_text(to_minor(line.unit_price)),
                "lineTotal": amount_text(line.quantity * to_minor(line.unit_price)),
            }
            for position, line in enumerate(order.lines, 1)
        ],
        "totalAmount": amount_text(total_minor(order)),
    }


def _problems(order: Order) -> Iterator[FieldProblem]:
    for name, value in (("orderId", order.order_id), ("customerId", order.customer_id)):
        if not _IDENTIFIER.fullmatch(value):
            yield FieldProblem(name, _RULE)
    if not _CURRENCY.fullmatch(order.currency):
        yield FieldProblem("currency", "must be an ISO 4217 code such as EUR")
    if not 1 <= len(order.lines) <= MAX_LINES:
        yield FieldProblem("lines", f"must be 1 to {MAX_LINES} lines")
    for number, line in enumerate(order.lines):
        yield from _line_problems(f"lines.{number}", line)
    if not _is_amount(order.total):
        yield FieldProblem("total", _PRICE_RULE)
    elif all(_is_amount(line.unit_price) for line in order.lines) and total_minor(order) != to_minor(order.total):
        yield FieldProblem("total", f"is {order.total}, and the lines come to {amount_text(total_minor(order))}")


def _line_problems(where: str, line: OrderLine) -> Iterator[FieldProblem]:
    if not _IDENTIFIER.fullmatch(line.sku):
        yield FieldProblem(f"{where}.sku", _RULE)
    if not 1 <= line.quantity <= MAX_QUANTITY:
        yield FieldProblem(f"{where}.quantity", f"must be a whole number from 1 to {MAX_QUANTITY}")
    if not _is_amount(line.unit_price):
        yield FieldProblem(f"{where}.unitPrice", _PRICE_RULE)


def _is_amount(amount: Decimal) -> bool:
    try:
        return 0 <= to_minor(amount) <= _MAX_MINOR
    except ValueError:
        return False
