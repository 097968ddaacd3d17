"""RES-01: an order's rules, and what the sales system gets of it."""

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from shared.kernel.adapter import CallContext, semantic_version
from shared.orders.order import Order, OrderLine, intake_body, problems_of
from shared.orders.order_body import OrderBody

LINE = OrderLine("A-1", 2, Decimal("19.90"))
ORDER = Order("O-1", "C-1", "EUR", date(2025, 2, 1), (LINE,), Decimal("39.8"))
BODY: dict[str, Any] = {
    "orderId": "O-1",
    "customerId": "C-1",
    "currency": "EUR",
    "requestedDate": "2025-02-01",
    "lines": [{"sku": "A-1", "quantity": 2, "unitPrice": "19.90"}],
    "total": "39.80",
}


def test_a_body_becomes_the_order_and_the_order_the_sales_system_s_body() -> None:
    order = OrderBody.model_validate(BODY).order()
    assert order == ORDER
    assert problems_of(order) == ()
    assert intake_body(order) == {
        "externalOrderId": "O-1",
        "customerNumber": "C-1",
        "currencyCode": "EUR",
        "requestedDeliveryDate": "2025-02-01",
        "items": [{"position": 1, "sku": "A-1", "quantity": 2, "unitPrice": "19.90", "lineTotal": "39.80"}],
        "totalAmount": "39.80",
    }


def with_line(**more: Any) -> Order:
    return replace(ORDER, lines=(replace(LINE, **more),))


@pytest.mark.parametrize(
    ("order", "field"),
    [
        (replace(ORDER, order_id=""), "orderId"),
        (replace(ORDER, order_id="a/b"), "orderId"),
        (replace(ORDER, customer_id="x" * 65), "customerId"),
        (replace(ORDER, currency="eur"), "currency"),
        (replace(ORDER, lines=(), total=Decimal(0)), "lines"),
        (replace(ORDER, total=Decimal("39.79")), "total"),
        (replace(ORDER, total=Decimal("NaN")), "total"),
        (with_line(sku=" "), "lines.0.sku"),
        (replace(with_line(quantity=0), total=Decimal(0)), "lines.0.quantity"),
        (with_line(unit_price=Decimal("19.905")), "lines.0.unitPrice"),
        (with_line(unit_price=Decimal(-1)), "lines.0.unitPrice"),
    ],
)
def test_a_broken_rule_is_told_by_the_name_of_the_field(order: Order, field: str) -> None:
    assert [problem.field for problem in problems_of(order)] == [field]


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"total": 39.8}, ("total",)),
        ({"total": "many"}, ("total",)),
        ({"requestedDate": "tomorrow"}, ("requestedDate",)),
        ({"lines": [{"sku": "A", "quantity": "2", "unitPrice": "1"}]}, ("lines", 0, "quantity")),
        ({"more": 1}, ("more",)),
    ],
    ids=["a float", "no number", "no date", "a quantity as text", "an unknown field"],
)
def test_a_body_of_another_shape_is_refused_by_the_place(change: dict[str, Any], place: tuple[object, ...]) -> None:
    with pytest.raises(ValidationError) as caught:
        OrderBody.model_validate(BODY | change)
    assert [error["loc"] for error in caught.value.errors()] == [place]


@given(st.lists(st.tuples(st.integers(1, 10**6), st.integers(0, 10**10)), min_size=1, max_size=20))
def test_the_cents_of_the_lines_add_up_to_the_total(given_lines: list[tuple[int, int]]) -> None:
    lines = tuple(OrderLine("A", quantity, Decimal(cents).scaleb(-2)) for quantity, cents in given_lines)
    total = Decimal(sum(quantity * cents for quantity, cents in given_lines)).scaleb(-2)
    body: Any = intake_body(replace(ORDER, lines=lines, total=total))
    assert sum(Decimal(item["lineTotal"]) for item in body["items"]) == Decimal(body["totalAmount"]) == total
    off = replace(ORDER, lines=lines, total=total + Decimal("0.01"))
    assert "total" in {problem.field for problem in problems_of(off)}


@pytest.mark.parametrize("text", ["1", "1.0", "01.0.0", "1.0.0-", "v1.0.0", "1.0.0\n", ""])
def test_a_version_that_is_not_semantic_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="semantic version"):
        semantic_version(text)


@pytest.mark.parametrize("text", ["1.0.0", "0.10.2", "1.0.0-rc.1", "1.2.3+build.5"])
def test_a_semantic_version_is_kept(text: str) -> None:
    assert semantic_version(text) == text


@pytest.mark.parametrize(
    "change",
    [{"timestamp": datetime(2025, 1, 1, tzinfo=UTC).replace(tzinfo=None)}, {"retry_count": -1}],
    ids=["naive time", "negative count"],
)
def test_a_context_that_makes_no_sense_is_refused(change: dict[str, Any]) -> None:
    given_context: dict[str, Any] = {"timestamp": datetime(2025, 1, 1, tzinfo=UTC)} | change
    with pytest.raises(ValueError, match="must be"):
        CallContext("c", "t", "u", **given_context)
