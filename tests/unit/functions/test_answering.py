"""What every HTTP function does before its endpoint sees the request, and after it failed."""

import json

import azure.functions as func
import pytest

from functions.answering import MAX_IDENTIFIER, ApiRequest, ApiResult, respond
from shared.access.principal import ANONYMOUS
from shared.access.routes import ROUTES
from shared.hub import Hub, replaced_hub
from shared.kernel.errors import NotFound, StorageUnavailable


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
