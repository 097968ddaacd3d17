"""How a function answers an outside system whose contract says what answers look like (INC-21)."""

import json
import logging
from collections.abc import Callable

import azure.functions as func

from functions.answering import ApiRequest, observed, request_id_of, standing_headers
from shared.access.principal import ANONYMOUS
from shared.access.routes import Route, methods_of
from shared.hub import Hub, current_hub
from shared.kernel.envelope import plain
from shared.kernel.errors import CallerError, HubError
from shared.workforce.receive import Receipt

_log = logging.getLogger(__name__)

PartnerEndpoint = Callable[[Hub, ApiRequest], Receipt]


def respond_to_partner(route: Route, endpoint: PartnerEndpoint, request: func.HttpRequest) -> func.HttpResponse:
    """Answer a request: refusals as `{error, details}`, our own failure as `{error, retry: true}`. Never raises."""
    hub = current_hub()
    request_id = request_id_of(hub, request)
    with observed(hub, route, request, request_id) as tell:
        if request.method == "OPTIONS":
            return _answer(Receipt(204, {}), request_id, {"Allow": ", ".join(methods_of(route.path))})
        receipt = _receipt(hub, route, endpoint, ApiRequest(request, ANONYMOUS, request_id))
        tell(receipt.status)
        return _answer(receipt, request_id)


def _receipt(hub: Hub, route: Route, endpoint: PartnerEndpoint, request: ApiRequest) -> Receipt:
    try:
        return endpoint(hub, request)
    except CallerError as error:
        _log.warning("%s refused a request: %s", route.function, error.code, extra=_failed(route, error.code))
        details = [plain(problem) for problem in error.details]
        return Receipt(error.status, {"error": error.message, "details": details})
    except HubError as error:
        _log.error("%s failed: %s", route.function, error.code, extra=_failed(route, error.code))
    except Exception:  # noqa: BLE001 - logged whole
        _log.exception("%s failed", route.function, extra=_failed(route, "InternalError"))
    return Receipt(500, {"error": f"something went wrong here: quote {request.request_id}", "retry": True})


def _failed(route: Route, reason: str) -> dict[str, str]:
    """Return the fields that an alert rule counts."""
    return {"event": "webhook.failed", "function": route.function, "reason": reason}


def _answer(receipt: Receipt, request_id: str, more: dict[str, str] | None = None) -> func.HttpResponse:
    headers = {**standing_headers(request_id), **(more or {})}
    body = "" if receipt.status == 204 else json.dumps(receipt.body)
    kind = "application/json"
    return func.HttpResponse(body, status_code=receipt.status, headers=headers, mimetype=kind, charset="utf-8")
