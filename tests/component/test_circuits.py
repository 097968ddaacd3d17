"""RES-03: an operator sees every circuit, and closes one by hand, over HTTP."""

import json
import logging
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import azure.functions as func
import pytest

from functions.answering import respond
from functions.endpoints import circuits
from local.sandbox.generator import Shape
from local.sandbox.server import Sandbox
from shared.access.routes import ROUTES
from shared.hub import Hub, replaced_hub
from shared.kernel.clock import to_iso, utc_now
from shared.kernel.errors import CircuitOpen, ServerFailure
from tests.component.import_hub import environment
from tests.fakes.tables import MemoryTables
from tests.unit.adapters.manual_time import CountingHook


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(Shape(records=1)) as running:
        yield running


class Operated:
    """Two instances of the hub on the same tables, on one clock."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.now, self.sandbox, self.hook = utc_now(), sandbox, CountingHook()
        tables = MemoryTables(self.hook)
        self.one, self.other = (
            Hub(environment(sandbox), clock=lambda: self.now, tables=tables, sleep=lambda _: None) for _ in range(2)
        )

    def ask(self, function: str, adapter_id: str = "") -> tuple[int, Any]:
        route = next(one for one in ROUTES if one.function == function)
        headers = {"Authorization": f"Bearer {self.sandbox.identity.token('admin')}"}
        url, given = f"http://127.0.0.1/api/{route.path}", {"adapterId": adapter_id}
        request = func.HttpRequest(route.method, url, headers=headers, route_params=given, body=b"")
        endpoint = circuits.reset if adapter_id else circuits.list_all
        with replaced_hub(self.one):
            answer = respond(route, endpoint, request)
        return answer.status_code, json.loads(answer.get_body())

    def circuit(self, adapter_id: str) -> Any:
        status, answer = self.ask("ListCircuits")
        assert status == 200
        (found,) = [one for one in answer["data"] if one["adapterId"] == adapter_id]
        return found

    def open(self) -> None:
        for _ in range(3):
            with pytest.raises(ServerFailure):
                self.other.erp_breaker.call(down)


@pytest.fixture
def operated(sandbox: Sandbox) -> Operated:
    return Operated(sandbox)


def down() -> None:
    raise ServerFailure("erp", "down")


def test_the_list_says_since_when_and_when_it_may_be_tried_again(operated: Operated) -> None:
    closed = {"state": "closed", "failures": 0, "openedAt": None, "retryAt": None}
    assert operated.circuit("erp") == {"adapterId": "erp", **closed}
    begin = operated.now
    operated.open()
    times = {"openedAt": to_iso(begin), "retryAt": to_iso(begin + timedelta(seconds=120))}
    operated.now += timedelta(seconds=60)
    assert operated.circuit("erp") == {"adapterId": "erp", "state": "open", "failures": 3, **times}
    operated.now += timedelta(seconds=60)
    waiting = {"state": "half-open", "failures": 3, "openedAt": to_iso(begin), "retryAt": None}
    assert operated.circuit("erp") == {"adapterId": "erp", **waiting}
    assert operated.circuit("payroll") == {"adapterId": "payroll", **closed}


def test_a_circuit_that_is_closed_by_hand_lets_every_instance_call_and_the_log_says_who_did_it(
    operated: Operated, caplog: pytest.LogCaptureFixture
) -> None:
    operated.open()
    with pytest.raises(CircuitOpen):
        operated.other.erp_breaker.call(lambda: None)
    with caplog.at_level(logging.WARNING):
        status, answer = operated.ask("ResetCircuit", "erp")
    assert (status, answer["data"]["state"]) == (200, "closed")
    (line,) = [vars(record) for record in caplog.records if "closed by hand" in record.getMessage()]
    assert (line["adapterId"], line["by"]) == ("erp", "admin")
    operated.now += timedelta(seconds=2.1)
    assert operated.other.erp_breaker.call(lambda: "called") == "called"


def test_what_is_no_circuit_is_not_found(operated: Operated) -> None:
    status, answer = operated.ask("ResetCircuit", "erq")
    assert (status, answer["error"]["code"]) == (404, "NotFound")


def test_a_reset_that_storage_did_not_take_is_no_success(operated: Operated, monkeypatch: pytest.MonkeyPatch) -> None:
    operated.open()

    def fail(operation: str, place: str, item: str) -> None:
        if operation == "replace":
            raise OSError(f"{place} {item}: storage is away")

    monkeypatch.setattr(operated.hook, "before", fail)
    status, answer = operated.ask("ResetCircuit", "erp")
    assert (status, answer["error"]["code"]) == (503, "Busy")
    assert operated.circuit("erp")["state"] == "open"
