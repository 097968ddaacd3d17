"""What every HTTP function does before its endpoint sees the request, and after it failed."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import azure.functions as func
import pytest
from pydantic import BaseModel

from functions.answering import MAX_IDENTIFIER, ApiRequest, ApiResult, respond
from functions.endpoints.unmatched import decline
from shared.access.principal import ANONYMOUS
from shared.access.routes import ROUTES
from shared.hub import Hub, replaced_hub
from shared.kernel.errors import FieldProblem, InvalidRequest, NotFound, StorageUnavailable


def request(identifier: str) -> ApiRequest:
    http = func.HttpRequest("GET", "https://hub.example.com/x", body=b"", route_params={"id": identifier})
    return ApiRequest(http, ANONYMOUS, "request-1")


def test_an_identifier_that_nothing_can_have_is_not_found() -> None:
    """A key of a table may have 512 characters, and each one that is escaped takes three."""
    longest = "/" * MAX_IDENTIFIER
    assert request(longest).path("id") == longest
    with pytest.raises(NotFound, match="an identifier of 129 characters"):
        request(longest + "/").path("id")


def test_while_storage_is_away_the_caller_is_told_when_to_come_back() -> None:
    def endpoint(hub: Hub, request: ApiRequest) -> ApiResult:
        raise StorageUnavailable("tables", "answered 503 ServerBusy")

    route = next(route for route in ROUTES if route.function == "GetLiveness")
    with replaced_hub(Hub({})):
        answer = respond(route, endpoint, func.HttpRequest("GET", "https://hub.example.com/x", body=b""))
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "30")
    assert json.loads(answer.get_body())["error"]["code"] == "StorageUnavailable"


@pytest.mark.parametrize(
    ("method", "header", "status"),
    [
        ("GET", '"7-a"', 304),
        ("HEAD", 'W/"7-a"', 304),
        ("GET", '"6-b", "7-a"', 304),
        ("GET", "*", 304),
        ("GET", '"6-b"', 200),
        ("GET", "7-a", 200),
        ("POST", "*", 200),
    ],
)
def test_what_a_caller_has_is_not_sent_again(method: str, header: str, status: int) -> None:
    """RFC 9110, 13.1.2."""
    route = next(route for route in ROUTES if route.function == "GetLiveness")
    asked = func.HttpRequest(method, "https://hub.example.com/x", headers={"If-None-Match": header}, body=b"")
    with replaced_hub(Hub({})):
        answer = respond(route, lambda _hub, _request: ApiResult({"a": 1}, etag="7-a"), asked)
    assert (answer.status_code, answer.headers["ETag"], bool(answer.get_body())) == (status, '"7-a"', status == 200)


def test_half_a_character_is_answered_as_json_writes_it() -> None:
    route = next(route for route in ROUTES if route.function == "GetLiveness")
    asked = func.HttpRequest("GET", "https://hub.example.com/x", body=b"")
    with replaced_hub(Hub({})):
        answer = respond(route, lambda _hub, _request: ApiResult({"a": "\ud800"}), asked)
    assert json.loads(answer.get_body().decode())["data"] == {"a": "\ud800"}


def test_what_cannot_be_served_now_says_when_to_come_back() -> None:
    route = next(route for route in ROUTES if route.function == "GetHealth")
    asked = func.HttpRequest("GET", "https://hub.example.com/x", body=b"")
    with replaced_hub(Hub({})):
        answer = respond(route, lambda _hub, _request: ApiResult({}, 503), asked)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "15")


def test_an_unknown_address_is_no_label_of_any_measurement() -> None:
    """RES-08: whoever tries addresses must not make up a series for each."""
    route = next(route for route in ROUTES if route.function == "UnmatchedPath")
    seen: list[tuple[object, ...]] = []

    class Work:
        @contextmanager
        def request(self, *about: object) -> Iterator[Callable[[int], None]]:
            seen.append(about)
            yield lambda status: seen.append((status,))

    hub = Hub({})
    hub.__dict__["work"] = Work()
    with replaced_hub(hub):
        for path in ("wp-login.php", "v1/secret"):
            respond(route, decline, func.HttpRequest("GET", f"https://hub.example.com/api/{path}", body=b""))
    assert [one[:3] for one in seen] == [("UnmatchedPath", "{*path}", "GET"), (404,)] * 2


class _Amount(BaseModel):
    amount: str


@pytest.mark.parametrize(
    ("body", "field", "problem"),
    [
        (b'{"amount": "1", "amount": "2"}', "amount", "gives 'amount' more than once"),
        (b'{"amount": "1", "x": [{"y": 1, "y": 2}]}', "y", "gives 'y' more than once"),
        (b'{"amount": ' + b"9" * 5000 + b"}", "body", "has a number of 5000 digits"),
        (b'{"amount": NaN}', "body", "has NaN, which is no number of JSON"),
        (b"[" * 100_000, "body", "is nested too deeply"),
        ('{"amount": "\u00e4"}'.encode("latin-1"), "body", "is not valid JSON: byte 12 is not UTF-8"),
    ],
    ids=["twice", "twice inside", "digits", "NaN", "deep", "latin-1"],
)
def test_a_body_that_has_no_one_meaning_is_refused_by_field(body: bytes, field: str, problem: str) -> None:
    asked = replace(request("x"), http=func.HttpRequest("POST", "https://hub.example.com/x", body=body))
    with pytest.raises(InvalidRequest) as caught:
        asked.body(_Amount)
    assert caught.value.details == (FieldProblem(field, problem),)
