"""What an outside system is answered when its request is refused or fails, and what an alert counts of it (INC-73)."""

import json
import logging

import azure.functions as func
import pytest

from functions.answering import ApiRequest
from functions.partner_contract import PartnerAnswer, respond_to_partner
from shared.access.principal import ADMIN, Principal
from shared.access.routes import ROUTES, Route
from shared.hub import Hub, replaced_hub
from shared.kernel.errors import Busy, HubError, NetworkFailure, NotFound, StorageUnavailable, Unauthenticated
from shared.provisioning.refusal import ScimRefused

WEBHOOK, SCIM = (next(one for one in ROUTES if one.function == name) for name in ("ReceiveHrEvent", "ListUsers"))


class Administrator:
    """Takes everybody for an administrator."""

    def principal(self, _authorization: str | None) -> Principal:
        return Principal("somebody", frozenset({ADMIN}))


def answer(error: Exception, route: Route = WEBHOOK) -> func.HttpResponse:
    def endpoint(hub: Hub, request: ApiRequest) -> PartnerAnswer:
        raise error

    request = func.HttpRequest(route.method, f"http://127.0.0.1/api/{route.path}", body=b"{}")
    hub = Hub({})
    hub.__dict__["provisioning_tokens"] = Administrator()
    with replaced_hub(hub):
        return respond_to_partner(route, endpoint, request)


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (Unauthenticated("wrong signature"), 401, "Unauthenticated"),
        (NetworkFailure("storage", "gone"), 500, NetworkFailure.code),
        (StorageUnavailable("tables", "does not answer"), 500, "StorageUnavailable"),
        (ZeroDivisionError("a defect"), 500, "InternalError"),
    ],
    ids=["refused", "passing failure", "storage is away", "defect"],
)
def test_each_failure_is_one_line_that_an_alert_counts(
    error: HubError | ZeroDivisionError, status: int, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        response = answer(error)
    assert response.status_code == status
    assert json.loads(response.get_body()).get("retry", False) is (status == 500)
    (line,) = [vars(record) for record in caplog.records]
    assert (line["event"], line["function"], line["reason"]) == ("webhook.failed", "ReceiveHrEvent", reason)


@pytest.mark.parametrize(
    ("error", "status", "scim_type", "header"),
    [
        (ScimRefused("invalidFilter", "wrong"), 400, "invalidFilter", None),
        (
            Unauthenticated("expired"),
            401,
            None,
            ("WWW-Authenticate", 'Bearer error="invalid_token", error_description="expired"'),
        ),
        (NotFound("nobody"), 404, None, None),
        (NetworkFailure("storage", "gone"), 503, None, ("Retry-After", "1")),
        (NetworkFailure("storage", "slower", retry_after=6.5), 503, None, ("Retry-After", "7")),
        (Busy("others", retry_after=1), 503, None, ("Retry-After", "1")),
        (StorageUnavailable("tables", "does not answer"), 503, None, ("Retry-After", "30")),
        (HubError("a defect"), 500, None, None),
        (ZeroDivisionError("a defect with a name"), 500, None, None),
    ],
    ids=[
        "refused",
        "no token",
        "nothing there",
        "passing",
        "passing, later",
        "busy",
        "storage is away",
        "ours",
        "defect",
    ],
)
def test_scim_is_told_in_its_own_words_and_no_alert_of_the_hub_counts_it(
    error: Exception,
    status: int,
    scim_type: str | None,
    header: tuple[str, str] | None,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        response = answer(error, SCIM)
    body = json.loads(response.get_body())
    assert (response.status_code, response.mimetype) == (status, "application/scim+json")
    assert body["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:Error"]
    assert (body["status"], body.get("scimType")) == (str(status), scim_type)
    assert "defect" not in body["detail"]
    if header:
        assert response.headers[header[0]] == header[1]
    (line,) = [vars(record) for record in caplog.records]
    assert (line["function"], "event" in line) == ("ListUsers", False)
