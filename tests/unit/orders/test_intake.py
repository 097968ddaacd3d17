"""RES-01: what the sales system's own words about an order come to."""

from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from shared.kernel.adapter import CallContext
from shared.kernel.errors import Busy, InvalidRequest, MalformedResponse
from shared.orders.intake import OrderIntake, OrderTaken
from shared.orders.order import Order, OrderLine

ORDER = Order("O-1", "C-1", "EUR", date(2025, 3, 1), (OrderLine("A-1", 2, Decimal("19.90")),), Decimal("39.80"))
CONTEXT = CallContext("correlation-1", "default", "user-1", datetime(2025, 2, 1, tzinfo=UTC))
TAKEN = {"externalOrderId": "O-1", "salesOrderNumber": "SO-1", "status": "Open"}


class Sales:
    """A sales system that gives one answer."""

    def __init__(self, answer: object) -> None:
        self._answer = answer

    def get_json(self, path: str, params: object = None, *, check: object = None) -> Any:
        raise NotImplementedError

    def post_body(
        self,
        path: str,
        body: bytes,
        *,
        idempotency_key: str,
        check: Callable[[Any], object] | None = None,
        accept: frozenset[int] = frozenset(),
    ) -> Any:
        if check:
            check(self._answer)
        return self._answer


class Once:
    """Runs what it is given."""

    def run(self, operation: str, key: str, call: Callable[[], Any], payload: object = None) -> Any:
        return call()


def take_in(answer: object) -> OrderTaken:
    intake = OrderIntake(Sales(answer), Once(), lambda _correlation: nullcontext())
    return intake.execute(ORDER, CONTEXT)


@pytest.mark.parametrize("status", ["Open", "Confirmed", "Pending", "Bestaetigt"])
def test_an_order_that_has_a_number_is_taken_and_the_caller_sees_its_status(status: str) -> None:
    assert take_in(TAKEN | {"status": status}) == OrderTaken("O-1", "SO-1", status)


@pytest.mark.parametrize("status", ["Rejected", "ERROR", "not accepted", "CANCELLED"])
def test_an_order_that_is_numbered_and_refused_is_refused(status: str) -> None:
    with pytest.raises(InvalidRequest, match=f"says '{status}' of order O-1"):
        take_in(TAKEN | {"status": status})


@pytest.mark.parametrize("answer", [{"error": {"code": "idempotency_key_in_use"}}, {"status": "Processing"}], ids=repr)
def test_an_order_that_is_being_worked_on_is_to_be_sent_again(answer: object) -> None:
    with pytest.raises(Busy, match="still working on order O-1") as waiting:
        take_in(answer)
    assert waiting.value.retry_after > 0


def test_any_other_answer_breaks_the_contract() -> None:
    with pytest.raises(MalformedResponse):
        take_in({"error": "this idempotency key was used for another order"})
