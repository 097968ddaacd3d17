"""RES-01: what every adapter promises, held against its partner over HTTP. A line in `CASES` puts another one in."""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from local.sandbox.faults import Fault
from local.sandbox.generator import Shape
from local.sandbox.server import Sandbox
from shared.hub import Hub
from shared.kernel.adapter import Adapter, CallContext, Health, semantic_version
from shared.kernel.errors import Conflict, HubError, InvalidRequest
from shared.orders.order import Order, OrderLine
from tests.component.import_hub import environment
from tests.fakes.tables import MemoryTables

NOW = datetime(2025, 1, 15, tzinfo=UTC)
CONTEXT = CallContext("correlation-1", "default", "somebody", NOW)


@dataclass(frozen=True)
class Case:
    """An adapter under test, and how its partner is looked at. Faults go to routes `calls` and `health`."""

    adapter: Adapter[Any, Any]
    sound: object
    other: object
    """Another request with the same business identity."""
    unfit: object
    field: str
    booked: Callable[[], int]
    calls: Callable[[], list[dict[str, str]]]
    """`idempotencyKey` and `correlationId` of each call that arrived."""
    calls_route: str
    health_route: str
    health_slow: Adapter[Any, Any]
    """The same adapter with a timer by which every answer is slow."""


def sales_environment(sandbox: Sandbox) -> dict[str, str]:
    return environment(
        sandbox,
        SALES_BASE_URL=f"{sandbox.url}/sales",
        SALES_TOKEN_URL=f"{sandbox.url}/identity/oauth2/v2.0/token",
        SALES_CLIENT_ID="hub-sales",
        SALES_CLIENT_SECRET="sales-secret",
        SALES_RETRY_FIRST_DELAY="0",
    )


def order_intake(sandbox: Sandbox) -> Case:
    def build(step: float) -> Adapter[Order, Any]:
        intake = Hub(sales_environment(sandbox), tables=MemoryTables(), sleep=lambda _: None).orders
        ticks = iter(range(100))
        intake._timer = lambda: next(ticks) * step
        return intake

    lines = (OrderLine("A-1", 2, Decimal("19.90")), OrderLine("B-2", 1, Decimal("0.05")))
    sound = Order("O-1", "C-1", "EUR", date(2025, 2, 1), lines, Decimal("39.85"))
    desk = sandbox.order_desk
    return Case(
        adapter=build(0.1),
        sound=sound,
        other=replace(sound, customer_id="C-2"),
        unfit=replace(sound, total=Decimal("39.86")),
        field="total",
        booked=lambda: len(desk.orders),
        calls=lambda: desk.ledger()["calls"],
        calls_route="sales.orders",
        health_route="sales.health",
        health_slow=build(5),
    )


CASES: dict[str, Callable[[Sandbox], Case]] = {"order intake": order_intake}


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(Shape(records=1)) as running:
        yield running


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest, sandbox: Sandbox) -> Case:
    return CASES[request.param](sandbox)


def test_it_has_an_id_and_a_semantic_version(case: Case) -> None:
    assert case.adapter.adapter_id
    assert semantic_version(case.adapter.version) == case.adapter.version


def test_an_unfit_request_is_refused_by_field_and_nobody_is_called(case: Case) -> None:
    for refuse in (case.adapter.validate, lambda request: case.adapter.execute(request, CONTEXT)):
        with pytest.raises(InvalidRequest) as caught:
            refuse(case.unfit)
        assert case.field in {problem.field for problem in caught.value.details}
    assert case.calls() == []
    case.adapter.validate(case.sound)


def test_transforming_is_pure(case: Case) -> None:
    before = copy.deepcopy(case.sound)
    assert case.adapter.transform(case.sound) == case.adapter.transform(case.sound)
    assert case.sound == before
    assert case.calls() == []


def test_twice_the_same_calls_once_and_gives_the_same(case: Case) -> None:
    first = case.adapter.execute(case.sound, CONTEXT)
    assert case.adapter.execute(case.sound, replace(CONTEXT, correlation_id="correlation-2", retry_count=1)) == first
    assert len(case.calls()) == case.booked() == 1


def test_something_else_under_the_same_identity_is_refused(case: Case) -> None:
    case.adapter.execute(case.sound, CONTEXT)
    with pytest.raises(Conflict):
        case.adapter.execute(case.other, CONTEXT)
    assert case.booked() == 1


def test_every_attempt_has_the_same_key_and_the_correlation_id(case: Case, sandbox: Sandbox) -> None:
    sandbox.faults.add([Fault(case.calls_route, "status", status=503, times=2)])
    case.adapter.execute(case.sound, CONTEXT)
    calls = case.calls()
    assert len(calls) == 3
    assert len({call["idempotencyKey"] for call in calls}) == 1
    assert calls[0]["idempotencyKey"]
    assert {call["correlationId"] for call in calls} == {"correlation-1"}


@pytest.mark.parametrize("kind", ["answer-lost", "known-key", "expired-token", "not-json"])
def test_a_passing_fault_books_once(case: Case, sandbox: Sandbox, kind: str) -> None:
    sandbox.faults.add([Fault(case.calls_route, kind)])
    case.adapter.execute(case.sound, CONTEXT)
    assert case.booked() == 1


def test_a_lost_answer_then_a_repeat_by_the_caller_books_once(case: Case, sandbox: Sandbox) -> None:
    sandbox.faults.add([Fault(case.calls_route, "answer-lost"), Fault(case.calls_route, "status", times=3)])
    with pytest.raises(HubError):
        case.adapter.execute(case.sound, CONTEXT)
    assert case.booked() == 1
    case.adapter.execute(case.sound, CONTEXT)
    assert case.booked() == 1
    assert len({call["idempotencyKey"] for call in case.calls()}) == 1


def test_health_is_told_in_three_states_with_its_latency(case: Case, sandbox: Sandbox) -> None:
    well, slow = case.adapter.health_check(), case.health_slow.health_check()
    sandbox.faults.add([Fault(case.health_route, "status", times=4)])
    away = case.adapter.health_check()
    assert [one.status for one in (well, slow, away)] == [Health.HEALTHY, Health.DEGRADED, Health.UNHEALTHY]
    assert [round(one.latency) for one in (well, slow, away)] == [100, 5000, 100]
    assert (well.reason, away.reason) == ("", "ServerFailure")
    assert slow.reason
