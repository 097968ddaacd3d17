"""What every HTTP function does before its endpoint sees the request."""

import azure.functions as func
import pytest

from functions.answering import MAX_IDENTIFIER, ApiRequest
from shared.access.principal import ANONYMOUS
from shared.kernel.errors import NotFound


def request(identifier: str) -> ApiRequest:
    http = func.HttpRequest("GET", "https://hub.example.com/x", body=b"", route_params={"id": identifier})
    return ApiRequest(http, ANONYMOUS, "request-1")


def test_an_identifier_that_nothing_can_have_is_not_found() -> None:
    """A key of a table may have 512 characters, and each one that is escaped takes three."""
    longest = "/" * MAX_IDENTIFIER
    assert request(longest).path("id") == longest
    with pytest.raises(NotFound, match="an identifier of 129 characters"):
        request(longest + "/").path("id")
