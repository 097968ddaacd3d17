"""RES-01: order intake over HTTP, with the sandbox's sales system behind it."""

import json
from collections.abc import Iterator
from typing import Any

import azure.functions as func
import pytest

from functions.answering import respond
from functions.endpoints.orders import take_in
from local.sandbox.faults import Fault
from local.sandbox.generator import Shape
from local.sandbox.server import Sandbox
from shared.access.routes import ROUTES
from shared.adapters.settings import Settings
from shared.hub import Hub, replaced_hub
from shared.kernel.errors import ConfigurationError
from tests.component.import_hub import environment
from tests.contract.test_adapters_contract import sales_environment
from tests.fakes.tables import MemoryTables
from tests.unit.orders.test_order import BODY

ROUTE = next(route for route in ROUTES if route.function == "TakeInOrder")


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(Shape(records=1)) as running:
        yield running


def hub_of(settings: dict[str, str]) -> Hub:
    return Hub(settings, tables=MemoryTables(), sleep=lambda _: None)


def post(hub: Hub, sandbox: Sandbox, body: object, request_id: str = "request-0001") -> tuple[int, Any]:
    headers = {"Authorization": f"Bearer {sandbox.identity.token('admin')}", "X-Request-ID": request_id}
    content = json.dumps(body).encode()
    request = func.HttpRequest(method="POST", url="http://127.0.0.1/api/v1/orders", headers=headers, body=content)
    with replaced_hub(hub):
        answer = respond(ROUTE, take_in, request)
    return answer.status_code, json.loads(answer.get_body())


def test_an_order_is_booked_once_and_repeats_get_the_same_answer(sandbox: Sandbox) -> None:
    hub = hub_of(sales_environment(sandbox))
    status, first = post(hub, sandbox, BODY)
    assert status == 201
    assert first["data"] == {"orderId": "O-1", "salesOrderNumber": "SO-000001", "status": "Accepted"}
    status, again = post(hub, sandbox, BODY, "request-0002")
    assert (status, again["data"]) == (201, first["data"])
    ledger = sandbox.order_desk.ledger()
    assert ledger["calls"] == [{"idempotencyKey": "default:O-1", "correlationId": "request-0001"}]
    assert [order["totalAmount"] for order in ledger["orders"]] == ["39.80"]


def test_wrong_fields_are_named(sandbox: Sandbox) -> None:
    hub = hub_of(sales_environment(sandbox))
    for change, field in (({"total": "39.81"}, "total"), ({"total": 39.8}, "total"), ({"currency": "x"}, "currency")):
        status, answer = post(hub, sandbox, BODY | change)
        assert status == 400
        assert f'"field": "{field}"' in json.dumps(answer)
    assert sandbox.order_desk.calls == []


@pytest.mark.parametrize(
    ("partner", "status"), [(422, 400), (503, 503), (403, 500)], ids=["unfit order", "away", "does not let us in"]
)
def test_what_the_sales_system_says_is_told_by_who_must_act(sandbox: Sandbox, partner: int, status: int) -> None:
    sandbox.faults.add([Fault("sales.orders", "status", status=partner, times=4)])
    assert post(hub_of(sales_environment(sandbox)), sandbox, BODY)[0] == status


def test_without_a_sales_system_the_route_names_the_setting_and_nothing_is_missing(sandbox: Sandbox) -> None:
    settings = environment(sandbox)
    status, answer = post(hub_of(settings), sandbox, BODY)
    assert status == 409
    assert "SALES_BASE_URL is not set" in json.dumps(answer)
    assert [one.field for one in Settings(settings).problems() if one.field.startswith("SALES_")] == []
    with pytest.raises(KeyError):
        hub_of(settings).health.run(["sales"])


def test_with_a_sales_system_what_is_missing_is_named_and_health_looks_at_it(sandbox: Sandbox) -> None:
    settings = sales_environment(sandbox)
    (finding,) = hub_of(settings).health.run(["sales"])
    assert finding.verdict.value == "pass"
    del settings["SALES_CLIENT_SECRET"]
    with pytest.raises(ConfigurationError, match="SALES_CLIENT_SECRET"):
        _ = hub_of(settings).orders
    assert "SALES_CLIENT_SECRET" in {one.field for one in Settings(settings).problems()}
