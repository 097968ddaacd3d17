"""How every HTTP function answers: access, the body's limits, the envelope, errors, security headers."""

import logging
import math
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TypeVar
from urllib.parse import unquote

import azure.functions as func
from pydantic import BaseModel, ValidationError

from functions.query_parameters import check_query
from shared.access.principal import ANONYMOUS, Principal
from shared.access.routes import Contract, Route, methods_at, methods_of
from shared.adapters.telemetry.current import current_traceparent
from shared.hub import Hub, current_hub
from shared.kernel.clock import from_iso, plausible
from shared.kernel.entity_tags import Preconditions, is_sound, tags_of
from shared.kernel.envelope import failure, success
from shared.kernel.errors import (
    Busy,
    CallerError,
    CircuitOpen,
    ConfigurationError,
    FieldProblem,
    Forbidden,
    HubError,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    PartnerUnavailable,
    StorageUnavailable,
    TooLarge,
    Unauthenticated,
)
from shared.kernel.field_problems import refused_body, unreadable_body
from shared.kernel.pay_period import parse_period
from shared.kernel.strict_json import NotJson, read_model

_log = logging.getLogger(__name__)

MAX_BODY_BYTES = 1024 * 1024
MAX_PAGE_SIZE = 1000
MAX_IDENTIFIER = 128
"""Characters of the longest identifier that is accepted anywhere."""
_UNHEALTHY_RETRY_AFTER = 15
"""Seconds: a part that failed is looked at again no sooner."""
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "Cache-Control": "no-store",
}
"""INC-34. The host adds the same (host.json) to what it answers itself, such as 404."""

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True)
class ApiRequest:
    """A request that has passed the access check and the limit of its body."""

    http: func.HttpRequest
    principal: Principal
    request_id: str

    def query(self, name: str) -> str | None:
        """Return a query parameter, None when absent or empty."""
        return self.http.params.get(name) or None

    def path(self, name: str) -> str:
        """Return a route parameter. NotFound for what no identifier can be: too long, or half a character."""
        value = str(self.http.route_params[name])
        if len(value) > MAX_IDENTIFIER:
            raise NotFound(f"there is nothing with an identifier of {len(value)} characters")
        if not value.isascii() and value.encode(errors="replace").decode() != value:
            raise NotFound("there is nothing with an identifier that is no Unicode text")
        return value

    def path_period(self, name: str) -> str:
        """Return a route parameter that is a pay period. InvalidRequest, NotFound as `path`."""
        try:
            return parse_period(self.path(name)).name
        except ValueError as error:
            raise _invalid(name, str(error)) from None

    def address(self) -> str:
        """Return the path below `/api/`, percent-decoded."""
        return address_of(self.http)

    def choice(self, name: str, allowed: Iterable[str]) -> str | None:
        """Return a query parameter that has one of some values. InvalidRequest says which."""
        value, choices = self.query(name), list(allowed)
        if value is not None and value not in choices:
            raise _invalid(name, f"must be one of {', '.join(choices)}")
        return value

    def identifier(self, name: str) -> str | None:
        """Return a query parameter that is an identifier. InvalidRequest for one longer than any."""
        value = self.query(name)
        if value is not None and len(value) > MAX_IDENTIFIER:
            raise _invalid(name, f"must have at most {MAX_IDENTIFIER} characters")
        return value

    def day(self, name: str) -> date | None:
        """Return a query parameter that is a day. InvalidRequest."""
        text = self.query(name)
        try:
            if text is None or re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII):
                return plausible(date.fromisoformat(text)) if text else None
        except ValueError:
            pass
        raise _invalid(name, "must be a date such as 2025-01-31")

    def if_match(self) -> frozenset[str]:
        """Return the entity tags of `If-Match`, without quotes; none for `*`, which names no version. InvalidRequest.

        A tag without quotes, as the envelope shows it, is taken as well.
        """
        header = self.http.headers.get("If-Match", "").strip()
        quoted = header if not header or is_sound(header) else f'"{header}"'
        if quoted and not is_sound(quoted):
            raise _invalid("If-Match", 'must be the etag of what you saw, such as "3-0123456789abcdef"')
        return frozenset(tag.strip('"') for tag in tags_of(quoted))

    def instant(self, name: str) -> datetime | None:
        """Return a query parameter that is an instant. InvalidRequest."""
        text = self.query(name)
        try:
            return from_iso(text) if text else None
        except (ValueError, OverflowError):
            raise _invalid(name, "must be ISO 8601 with an offset, such as 2025-01-15T00:00:00Z") from None

    def page_size(self) -> int:
        """Return `pageSize` (1 to 1000, 100 by default). InvalidRequest."""
        text = self.query("pageSize") or "100"
        if not re.fullmatch(r"[0-9]{1,4}", text) or not 1 <= int(text) <= MAX_PAGE_SIZE:
            raise _invalid("pageSize", f"must be a whole number from 1 to {MAX_PAGE_SIZE}")
        return int(text)

    def body(self, model: type[Model]) -> Model:
        """Return the JSON body as a model, an absent one as `{}`. InvalidRequest names each wrong field."""
        try:
            return read_model(model, self.http.get_body() or b"{}")
        except NotJson as error:
            raise unreadable_body("the request", error) from None
        except ValidationError as error:
            raise refused_body("the request", error) from None


@dataclass(frozen=True)
class ApiResult:
    """What an endpoint answers: data for the envelope, status, metadata."""

    data: object
    status: int = 200
    metadata: Mapping[str, object] = field(default_factory=dict)
    etag: str = ""
    """Of what the data shows, without quotes; it becomes the header `ETag`."""


@dataclass(frozen=True)
class ApiFile:
    """A file that an endpoint answers with, instead of the envelope."""

    content: bytes = field(repr=False)
    media_type: str
    name: str


Endpoint = Callable[[Hub, ApiRequest], ApiResult | ApiFile]


def respond(route: Route, endpoint: Endpoint, request: func.HttpRequest) -> func.HttpResponse:
    """Answer a request: check access, call the endpoint, map what comes back. Never raises."""
    hub = current_hub()
    request_id = request_id_of(hub, request)
    with observed(hub, route, request, request_id) as tell:
        response = _answer(hub, route, endpoint, request, request_id)
        tell(response.status_code)
        return response


def observed(
    hub: Hub, route: Route, request: func.HttpRequest, request_id: str
) -> AbstractContextManager[Callable[[int], None]]:
    """Observe the answering of a request, in the trace of its caller; what is given is told the status."""
    traceparent = request.headers.get("traceparent")
    return hub.work.request(route.function, route.path, str(request.method), traceparent, request_id)


def standing_headers(request_id: str) -> dict[str, str]:
    """Return the headers of every answer; `traceresponse` says where in the caller's trace we were."""
    return {**SECURITY_HEADERS, "X-Request-ID": request_id, "traceresponse": current_traceparent()}


def _answer(
    hub: Hub, route: Route, endpoint: Endpoint, request: func.HttpRequest, request_id: str
) -> func.HttpResponse:
    if request.method == "OPTIONS":
        return _response("", 204, request_id, {"Allow": ", ".join(options_of(route, request))})
    try:
        result = endpoint(hub, admit(hub, route, request, request_id))
        if isinstance(result, ApiFile):
            return _file(result, request_id)
        return _shown(hub, request, result, request_id)
    except HubError as error:
        return _refused(hub, route, request_id, error)
    except Exception:  # noqa: BLE001 - logged whole
        return _broken(hub, route, request_id)


def _shown(hub: Hub, request: func.HttpRequest, result: ApiResult, request_id: str) -> func.HttpResponse:
    """Answer with what an endpoint returned, but for a caller who has it already."""
    headers = {"Retry-After": str(_UNHEALTHY_RETRY_AFTER)} if result.status == 503 else {}
    if result.etag:
        headers["ETag"] = tag = f'"{result.etag}"'
        known = Preconditions(if_none_match=request.headers.get("If-None-Match")).is_known(tag)
        if known and request.method in ("GET", "HEAD"):
            return _response("", 304, request_id, headers)
    return _response(success(request_id, hub.clock(), result.data, result.metadata), result.status, request_id, headers)


def options_of(route: Route, request: func.HttpRequest) -> tuple[str, ...]:
    """Return the methods that the address of a request answers, for the header `Allow`."""
    return (*methods_at(address_of(request)), "OPTIONS") if route.takes_every_path else methods_of(route.path)


def address_of(request: func.HttpRequest) -> str:
    """Return the path of a request below `/api/`, percent-decoded; "" where it has none."""
    found = re.search(r"/api/([^?#]*)", str(request.url), re.IGNORECASE)
    return unquote(found[1]) if found else ""


def admit(hub: Hub, route: Route, request: func.HttpRequest, request_id: str) -> ApiRequest:
    """Let a request in. Unauthenticated, Forbidden, InvalidRequest for its query, TooLarge."""
    principal = ANONYMOUS
    if not route.requirement.anonymous:
        tokens = hub.provisioning_tokens if route.contract is Contract.SCIM else hub.access_tokens
        principal = tokens.principal(request.headers.get("Authorization"))
        if not route.requirement.met_by(principal):
            raise Forbidden(f"this needs {route.requirement.describe()}")
        if route.contract is None:
            check_query(route, request)
    size = len(request.get_body())
    if size > MAX_BODY_BYTES:
        raise TooLarge(f"the body has {size} bytes, at most {MAX_BODY_BYTES} are accepted")
    return ApiRequest(request, principal, request_id)


def _file(file: ApiFile, request_id: str) -> func.HttpResponse:
    disposition = f'attachment; filename="{file.name}"'
    headers = {**standing_headers(request_id), "Content-Disposition": disposition}
    return func.HttpResponse(file.content, status_code=200, headers=headers, mimetype=file.media_type)


def retry_after_of(error: HubError | None) -> str | None:
    """Return the header `Retry-After` for what passes by itself; None for what does not."""
    if isinstance(error, PartnerUnavailable | CircuitOpen | Busy | StorageUnavailable):
        return str(max(1, math.ceil(error.retry_after or 1)))
    return None


def headers_of(error: HubError) -> dict[str, str]:
    """Return the headers that belong to a refusal, whichever contract words it."""
    match error:
        case Unauthenticated():
            return {"WWW-Authenticate": f'Bearer error="invalid_token", error_description="{error.message}"'}
        case MethodNotAllowed():
            return {"Allow": ", ".join(error.allowed)}
        case _:
            return {}


def _refused(hub: Hub, route: Route, request_id: str, error: HubError) -> func.HttpResponse:
    """Answer an error of ours by who must act."""
    headers: dict[str, str] = headers_of(error)
    details: tuple[FieldProblem, ...] = ()
    match error:
        case CallerError():
            status, details = error.status, error.details
        case ConfigurationError():
            status, details = 500, error.problems
        case _ if wait := retry_after_of(error):
            status = 503
            headers["Retry-After"] = wait
        case _:
            return _broken(hub, route, request_id)
    if status >= 500:
        extra = {"function": route.function, "reason": error.code}
        _log.error("request %s to %s failed: %s", request_id, route.function, error.code, extra=extra)
    body = failure(request_id, hub.clock(), error.code, error.message, details)
    return _response(body, status, request_id, headers)


def _broken(hub: Hub, route: Route, request_id: str) -> func.HttpResponse:
    """Answer an error that the caller can do nothing about: the log has it under the request's ID."""
    _log.exception("request %s to %s failed", request_id, route.function)
    message = f"something went wrong here: quote {request_id}"
    return _response(failure(request_id, hub.clock(), "InternalError", message), 500, request_id)


def _response(body: str, status: int, request_id: str, headers: Mapping[str, str] | None = None) -> func.HttpResponse:
    everything = {**standing_headers(request_id), **(headers or {})}
    # Half a character, which JSON can write and UTF-8 cannot, is answered as JSON writes it: \ud800.
    content = body.encode(errors="backslashreplace")
    return func.HttpResponse(
        content, status_code=status, headers=everything, mimetype="application/json", charset="utf-8"
    )


def request_id_of(hub: Hub, request: func.HttpRequest) -> str:
    """Return the ID that the caller gave a request, where it is a sound one, else a new one."""
    given = request.headers.get("X-Request-ID", "")
    return given if re.fullmatch(r"[A-Za-z0-9._-]{8,100}", given) else hub.new_id()


def _invalid(name: str, message: str) -> InvalidRequest:
    return InvalidRequest(f"{name} is not valid", (FieldProblem(name, message),))
