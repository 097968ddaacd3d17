"""What an outside system is answered when its request is refused or fails, and what an alert counts of it (INC-73)."""

import json
import logging

import azure.functions as func
import pytest

from functions.answering import ApiRequest
from functions.partner_contract import respond_to_partner
from shared.access.routes import ROUTES
from shared.hub import Hub, replaced_hub
from shared.kernel.errors import HubError, NetworkFailure, StorageUnavailable, Unauthenticated
from shared.workforce.receive import Receipt

ROUTE = next(route for route in ROUTES if route.function == "ReceiveHrEvent")


def answer(error: Exception) -> func.HttpResponse:
    def endpoint(hub: Hub, request: ApiRequest) -> Receipt:
        raise error

    request = func.HttpRequest("POST", "http://127.0.0.1/api/v1/webhooks/hr", body=b"{}")
    with replaced_hub(Hub({})):
        return respond_to_partner(ROUTE, endpoint, request)


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
