"""How a function answers an outside system whose contract says what answers look like (INC-21, INC-33)."""

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import azure.functions as func

from functions.answering import (
    ApiRequest,
    admit,
    headers_of,
    observed,
    options_of,
    request_id_of,
    retry_after_of,
    standing_headers,
)
from shared.access.routes import Contract, Route
from shared.hub import Hub, current_hub
from shared.kernel.envelope import plain
from shared.kernel.errors import CallerError, HubError

_log = logging.getLogger(__name__)

SCIM_ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"


@dataclass(frozen=True)
class PartnerAnswer:
    """What an outside system is told."""

    status: int
    body: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)


PartnerEndpoint = Callable[[Hub, ApiRequest], PartnerAnswer]


@dataclass(frozen=True)
class Shape:
    """How a contract words answers."""

    media_type: str
    logged: Callable[[Route, str], Mapping[str, str]]
    """The fields of the log line about a request that was refused or failed, from its route and the reason."""
    refused: Callable[[CallerError], PartnerAnswer]
    failed: Callable[[HubError | None, str], PartnerAnswer]
    """From the error, where it is one of ours, and the request's ID."""


def respond_to_partner(route: Route, endpoint: PartnerEndpoint, request: func.HttpRequest) -> func.HttpResponse:
    """Answer a request in the shape of the route's contract. Never raises."""
    assert route.contract
    shape = _SHAPES[route.contract]
    hub = current_hub()
    request_id = request_id_of(hub, request)
    with observed(hub, route, request, request_id) as tell:
        if request.method == "OPTIONS":
            allowed = {"Allow": ", ".join(options_of(route, request))}
            return _response(shape, PartnerAnswer(204, {}, allowed), request_id)
        answer = _answer(hub, route, shape, endpoint, request, request_id)
        tell(answer.status)
        return _response(shape, answer, request_id)


def _answer(
    hub: Hub, route: Route, shape: Shape, endpoint: PartnerEndpoint, request: func.HttpRequest, request_id: str
) -> PartnerAnswer:
    failed: HubError | None = None
    try:
        return endpoint(hub, admit(hub, route, request, request_id))
    except CallerError as error:
        _log.warning("%s refused a request: %s", route.function, error.code, extra=shape.logged(route, error.code))
        return shape.refused(error)
    except HubError as error:
        failed = error
        _log.error("%s failed: %s", route.function, error.code, extra=shape.logged(route, error.code))
    except Exception:  # noqa: BLE001 - logged whole
        _log.exception("%s failed", route.function, extra=shape.logged(route, "InternalError"))
    return shape.failed(failed, request_id)


def _webhook_logged(route: Route, reason: str) -> Mapping[str, str]:
    """An alert counts the deliveries: the HR system tells nobody that we do not understand it."""
    if not route.requirement.signed:
        return {"function": route.function, "reason": reason}
    return {"event": "webhook.failed", "function": route.function, "reason": reason}


def _webhook_refused(error: CallerError) -> PartnerAnswer:
    body = {"error": error.message, "details": [plain(one) for one in error.details]}
    return PartnerAnswer(error.status, body, headers_of(error))


def _webhook_failed(_error: HubError | None, request_id: str) -> PartnerAnswer:
    return PartnerAnswer(500, {"error": f"something went wrong here: quote {request_id}", "retry": True})


def _scim_logged(route: Route, reason: str) -> Mapping[str, str]:
    """No alert counts these: Entra ID tells its administrators what is refused, and 5xx has the alert of all routes."""
    return {"function": route.function, "reason": reason}


def _scim_refused(error: CallerError) -> PartnerAnswer:
    return scim_error(error.status, error.message, getattr(error, "scim_type", ""), headers_of(error))


def _scim_failed(error: HubError | None, request_id: str) -> PartnerAnswer:
    if error and (wait := retry_after_of(error)):
        return scim_error(503, error.message, "", {"Retry-After": wait})
    return scim_error(500, f"something went wrong here: quote {request_id}", "", {})


def scim_error(status: int, detail: str, scim_type: str, headers: Mapping[str, str]) -> PartnerAnswer:
    """Return an error as SCIM words it (RFC 7644, 3.12)."""
    body = {"schemas": [SCIM_ERROR], "status": str(status), "detail": detail}
    return PartnerAnswer(status, body | ({"scimType": scim_type} if scim_type else {}), headers)


_SHAPES = {
    Contract.HR_WEBHOOK: Shape("application/json", _webhook_logged, _webhook_refused, _webhook_failed),
    Contract.SCIM: Shape("application/scim+json", _scim_logged, _scim_refused, _scim_failed),
}


def _response(shape: Shape, answer: PartnerAnswer, request_id: str) -> func.HttpResponse:
    headers = {**standing_headers(request_id), **answer.headers}
    body = "" if answer.status in (204, 304) else json.dumps(answer.body)
    return func.HttpResponse(
        body, status_code=answer.status, headers=headers, mimetype=shape.media_type, charset="utf-8"
    )
