"""An order as callers send it."""

from datetime import date
from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from shared.kernel.money import parse_amount
from shared.orders.order import MAX_LINES, Order, OrderLine


def _decimal(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError('must be decimal text such as "19.90"')  # noqa: TRY004 - pydantic asks for it
    return parse_amount(value)


Amount = Annotated[Decimal, BeforeValidator(_decimal)]


class LineBody(BaseModel):
    """`{"sku": "A-1", "quantity": 2, "unitPrice": "19.90"}`."""

    model_config = ConfigDict(extra="forbid")

    sku: str
    quantity: int = Field(strict=True)
    unit_price: Amount = Field(alias="unitPrice")


class OrderBody(BaseModel):
    """`{"orderId", "customerId", "currency", "requestedDate", "lines": [...], "total"}`; amounts as decimal text."""

    model_config = ConfigDict(extra="forbid")

    order_id: str = Field(alias="orderId")
    customer_id: str = Field(alias="customerId")
    currency: str
    requested_date: date = Field(alias="requestedDate")
    lines: list[LineBody] = Field(max_length=MAX_LINES)
    total: Amount

    def order(self) -> Order:
        """Return the order; whether it keeps the rules is looked at when it is taken in."""
        lines = tuple(OrderLine(line.sku, line.quantity, line.unit_price) for line in self.lines)
        return Order(self.order_id, self.customer_id, self.currency, self.requested_date, lines, self.total)
