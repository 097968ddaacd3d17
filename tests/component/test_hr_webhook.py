"""INC-20, INC-21, INC-25: the HR webhook as the HR system sees it, answer by answer."""

import json
from collections.abc import Iterator, Mapping
from random import Random
from typing import Any

import azure.functions as func
import pytest

from functions.endpoints.hr_webhook import receive
from functions.partner_contract import respond_to_partner
from local.sandbox.generator import Shape
from local.sandbox.server import Sandbox
from shared.access.routes import ROUTES
from shared.hub import Hub, replaced_hub
from shared.kernel.webhook_signature import sign
from tests.component.import_hub import environment
from tests.fakes.blobs import MemoryBlobs
from tests.fakes.hook import Hook
from tests.fakes.queues import MemoryQueues
from tests.fakes.tables import MemoryTables

SECRET = "a secret of the HR system"
NEXT_SECRET = "the secret that follows it"
ROUTE = next(route for route in ROUTES if route.function == "ReceiveHrEvent")
BODY = json.dumps(
    {
        "eventId": "event-1",
        "eventType": "employee.updated",
        "timestamp": "2025-01-10T12:00:00Z",
        "data": {
            "employeeId": "H1",
            "changes": [{"field": "lastName", "oldValue": "Abel", "newValue": "Berg"}],
            "effectiveDate": "2025-01-10",
            "modifiedBy": "hr",
        },
    }
).encode()


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(Shape(records=1)) as running:
        yield running


class Outage(Hook):
    """Storage that can be down."""

    down = False

    def before(self, operation: str, place: str, item: str) -> None:
        """Fail while it is."""
        if self.down:
            raise OSError("storage is down")


@pytest.fixture
def storage() -> Outage:
    return Outage()


@pytest.fixture
def hub(sandbox: Sandbox, storage: Outage) -> Iterator[Hub]:
    blobs = MemoryBlobs()
    given = environment(sandbox, HR_WEBHOOK_SECRET=f"{SECRET},{NEXT_SECRET}")
    hub = Hub(given, tables=MemoryTables(storage), blobs=blobs)
    hub.__dict__["queues"] = MemoryQueues(hub.clock, blobs)
    with replaced_hub(hub):
        yield hub


def headers(body: bytes, secret: str = SECRET, **more: str) -> dict[str, str]:
    return {
        "Authorization": f"Bearer {secret}",
        "X-Webhook-Signature": sign(secret, body),
        "X-Event-Type": "employee.updated",
        "X-Delivery-Id": "delivery-1",
        **{name.replace("_", "-"): value for name, value in more.items()},
    }


def deliver(body: bytes, given: Mapping[str, str]) -> tuple[int, Any]:
    request = func.HttpRequest(
        method="POST", url="http://127.0.0.1/api/v1/webhooks/hr", headers=given, params={}, route_params={}, body=body
    )
    answer = respond_to_partner(ROUTE, receive, request)
    return answer.status_code, json.loads(answer.get_body())


def test_an_event_is_received_once_and_a_repeat_is_told_to_be_one(hub: Hub) -> None:
    status, answer = deliver(BODY, headers(BODY))
    assert (status, answer["received"], answer["correlationId"]) == (200, True, "delivery-1")
    assert answer.keys() == {"received", "processedAt", "correlationId"}
    assert deliver(BODY, headers(BODY)) == (200, {"received": True, "duplicate": True})
    assert hub.queues.depth("hr-events") == 1


@pytest.mark.parametrize("secret", [SECRET, NEXT_SECRET], ids=["present", "next"])
def test_both_secrets_are_accepted_while_they_overlap(hub: Hub, secret: str) -> None:
    assert deliver(BODY, headers(BODY, secret))[0] == 200


@pytest.mark.parametrize(
    ("body", "given", "status"),
    [
        (BODY, {"X_Webhook_Signature": ""}, 401),
        (BODY, {"X_Webhook_Signature": "sha256=" + "0" * 64}, 401),
        (BODY, {"Authorization": "Bearer another secret"}, 401),
        (BODY, {"X_Event_Type": "employee.created"}, 400),
        (BODY, {"X_Delivery_Id": ""}, 400),
        (b"{not json", {}, 400),
        (b"\xff\xfe\x00", {}, 400),
        (b" " * (1024 * 1024 + 1), {}, 413),
    ],
    ids=["no signature", "wrong signature", "wrong secret", "types disagree", "no ID", "no JSON", "no UTF-8", "large"],
)
def test_what_is_refused_is_told_why(hub: Hub, body: bytes, given: dict[str, str], status: int) -> None:
    answered, answer = deliver(body, headers(body, **given))
    assert answered == status
    assert answer["error"]
    assert bool(answer["details"]) is (status == 400)
    assert hub.queues.depth("hr-events") == 0


def test_an_unknown_event_type_is_kept_for_review_and_not_sent_again_for_ever(hub: Hub) -> None:
    body = BODY.replace(b"employee.updated", b"employee.promoted")
    status, answer = deliver(body, headers(body, X_Event_Type="employee.promoted"))
    assert (status, answer["received"]) == (202, True)
    assert [one.delivery_id for one in hub.workforce.deliveries.for_review(10, None)[0]] == ["delivery-1"]


def test_our_own_failure_asks_for_a_retry_and_the_retry_is_taken_in(hub: Hub, storage: Outage) -> None:
    storage.down = True
    status, answer = deliver(BODY, headers(BODY))
    assert (status, answer["retry"]) == (500, True)
    assert "storage is down" not in answer["error"]
    storage.down = False
    assert deliver(BODY, headers(BODY))[0] == 200
    assert hub.queues.depth("hr-events") == 1


HEADER_CHANGES: dict[str, Any] = {
    "drop": lambda _draw, _value: None,
    "double": lambda _draw, value: f"{value},{value}",
    "cut": lambda draw, value: value[: draw.randrange(len(value))],
    "garble": lambda draw, value: "".join(draw.choice("\x7f ,;=üAz09") for _ in value),
    "long": lambda _draw, value: value * 500,
}


def mutated(draw: Random) -> tuple[bytes, dict[str, str]]:
    """Return a request that was valid, with a change to its body, its headers or both."""
    body = BODY
    what = draw.choice(("body", "headers", "both"))
    if what != "headers":
        at, kind = draw.randrange(len(body)), draw.choice(("flip", "cut", "insert", "repeat"))
        piece = bytes(draw.randrange(256) for _ in range(draw.randrange(1, 8)))
        after = {"flip": at + len(piece), "cut": len(body), "insert": at, "repeat": at // 2}[kind]
        body = body[:at] + (piece if kind in ("flip", "insert") else b"") + body[after:]
    given = headers(body if draw.random() < 0.7 else BODY)
    if what != "body":
        name = draw.choice(sorted(given))
        changed = HEADER_CHANGES[draw.choice(sorted(HEADER_CHANGES))](draw, given.pop(name))
        given |= {} if changed is None else {name: changed}
    return body, given


@pytest.mark.parametrize("seed", range(200))
def test_a_mutated_request_never_causes_a_500(hub: Hub, seed: int) -> None:
    body, given = mutated(Random(seed))
    status, answer = deliver(body, given)
    assert status in (200, 202, 400, 401)
    assert answer.get("received") is (True if status < 300 else None)
