"""Addresses and methods that no other function answers."""

from typing import NoReturn

from functions.answering import ApiRequest
from shared.access.routes import methods_at
from shared.hub import Hub
from shared.kernel.errors import CallerError, MethodNotAllowed, NotFound


def decline(hub: Hub, request: ApiRequest) -> NoReturn:  # noqa: ARG001 - an endpoint's signature
    """Refuse. MethodNotAllowed, NotFound."""
    raise refusal(request)


def refusal(request: ApiRequest) -> CallerError:
    """Return MethodNotAllowed where the address answers other methods, NotFound where nothing is."""
    if allowed := methods_at(request.address()):
        return MethodNotAllowed(str(request.http.method), (*allowed, "OPTIONS"))
    return NotFound("there is nothing at this address")
