"""How every HTTP function answers: access, the body's limits, the envelope, errors, security headers."""

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import azure.functions as func
from pydantic import BaseModel, ValidationError

from shared.access.principal import Principal
from shared.access.routes import Route
from shared.hub import Hub, current_hub
from shared.kernel.envelope import failure, success
from shared.kernel.errors import (
    CallerError,
    ConfigurationError,
    FieldProblem,
    Forbidden,
    HubError,
    InvalidRequest,
    TooLarge,
)

_log = logging.getLogger(__name__)

MAX_BODY_BYTES = 1024 * 1024
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "Cache-Control": "no-store",
}
"""INC-34."""

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True)
class ApiRequest:
    """A request that has passed the access check."""

    http: func.HttpRequest
    principal: Principal
    request_id: str

    def query(self, name: str) -> str | None:
        """Return a query parameter, None when absent or empty."""
        return self.http.params.get(name) or None

    def path(self, name: str) -> str:
        """Return a route parameter."""
        return str(self.http.route_params[name])

    def page_size(self) -> int:
        """Return `pageSize` (1 to 1000, 100 by default). InvalidRequest."""
        text = self.query("pageSize") or "100"
        if not text.isdecimal() or not 1 <= int(text) <= 1000:
            problem = FieldProblem("pageSize", "must be a whole number from 1 to 1000")
            raise InvalidRequest("pageSize is not valid", (problem,))
        return int(text)

    def body(self, model: type[Model]) -> Model:
        """Return the JSON body as a model. InvalidRequest names each wrong field; TooLarge above 1 MB."""
        raw = self.http.get_body()
        if len(raw) > MAX_BODY_BYTES:
            raise TooLarge(f"the body has {len(raw)} bytes, at most {MAX_BODY_BYTES} are accepted")
        try:
            return model.model_validate_json(raw or b"{}")
        except ValidationError as error:
            problems = tuple(
                FieldProblem(".".join(map(str, item["loc"])) or "body", item["msg"].removeprefix("Value error, "))
                for item in error.errors()
            )
            raise InvalidRequest("the request is not valid: " + problems[0].message, problems) from None


@dataclass(frozen=True)
class ApiResult:
    """What an endpoint answers: data for the envelope, status, metadata."""

    data: object
    status: int = 200
    metadata: Mapping[str, object] = field(default_factory=dict)


Endpoint = Callable[[Hub, ApiRequest], ApiResult]


def respond(route: Route, endpoint: Endpoint, request: func.HttpRequest) -> func.HttpResponse:
    """Answer a request: check access, call the endpoint, map what comes back. Never raises."""
    hub = current_hub()
    request_id = _request_id(hub, request)
    if request.method == "OPTIONS":
        return _response("", 204, request_id, {"Allow": f"{route.method}, OPTIONS"})
    try:
        principal = Principal("anonymous")
        if not route.requirement.anonymous:
            principal = hub.access_tokens.principal(request.headers.get("Authorization"))
            if not route.requirement.met_by(principal):
                raise Forbidden(f"this needs {route.requirement.describe()}")  # noqa: TRY301 - mapped below
        result = endpoint(hub, ApiRequest(request, principal, request_id))
        body = success(request_id, hub.clock(), result.data, result.metadata)
        return _response(body, result.status, request_id)
    except HubError as error:
        return _failed(hub, request_id, error)
    except Exception:  # noqa: BLE001 - logged whole
        # The caller learns nothing of our insides; the log has it under the request's ID.
        _log.exception("request %s to %s failed", request_id, route.function)
        body = failure(request_id, hub.clock(), "InternalError", f"something went wrong here: quote {request_id}")
        return _response(body, 500, request_id)


def _failed(hub: Hub, request_id: str, error: HubError) -> func.HttpResponse:
    status = 500
    details: tuple[FieldProblem, ...] = ()
    headers: dict[str, str] = {}
    if isinstance(error, CallerError):
        status, details = error.status, error.details
        if status == 401:
            headers["WWW-Authenticate"] = 'Bearer error="invalid_token"'
    elif isinstance(error, ConfigurationError):
        details = error.problems
    elif error.retryable:
        status = 503
        headers["Retry-After"] = str(max(1, round(getattr(error, "retry_after", None) or 1)))
    if status >= 500:
        _log.error("request %s failed: %s", request_id, error.code)
    body = failure(request_id, hub.clock(), error.code, error.message, details)
    return _response(body, status, request_id, headers)


def _response(body: str, status: int, request_id: str, headers: Mapping[str, str] | None = None) -> func.HttpResponse:
    everything = {**SECURITY_HEADERS, "X-Request-ID": request_id, **(headers or {})}
    return func.HttpResponse(body, status_code=status, headers=everything, mimetype="application/json", charset="utf-8")


def _request_id(hub: Hub, request: func.HttpRequest) -> str:
    given = request.headers.get("X-Request-ID", "")
    return given if re.fullmatch(r"[A-Za-z0-9._-]{8,100}", given) else hub.new_id()
