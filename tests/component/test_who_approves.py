"""INC-33, INC-42: whoever signs in is looked up in what HR, SCIM and Microsoft Graph tell; storage is in memory."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.access.bearer import BearerTokens
from shared.hub import Hub
from shared.incentives import decide
from shared.incentives.approvers import Actor
from shared.incentives.calculation import Calculation, Kind
from shared.incentives.calculation_id import calculation_id
from shared.incentives.decide import Outcome
from shared.provisioning.attributes import ENTERPRISE_SCHEMA, USER, USER_SCHEMA
from shared.provisioning.reading import read_resource
from shared.workforce.apply import apply_event
from tests.fakes.blobs import MemoryBlobs
from tests.fakes.queues import MemoryQueues
from tests.fakes.tables import MemoryTables
from tests.unit.incentives.world import seen_now

NOW = datetime(2025, 2, 1, tzinfo=UTC)
PERIOD = "2025-01"
SETTINGS = {
    "HUB_PAGE_TOKEN_SECRET": "a secret for page tokens",
    "HR_BASE_URL": "https://hr.example",
    "HR_TOKEN_URL": "https://id.example/token",
    "HR_CLIENT_ID": "c",
    "HR_CLIENT_SECRET": "a client secret",
    "HR_WEBHOOK_SECRET": "a-webhook-secret-that-is-long-enough",
}
OBJECT_ID = "00000000-0000-0000-0000-0000000000aa"
UPN = "aabel@retail.onmicrosoft.com"


class Claims:
    """Takes every token for good."""

    def __init__(self, claims: Mapping[str, Any]) -> None:
        self._claims = claims

    def claims(self, _token: str) -> Mapping[str, Any]:
        return {"sub": "pairwise", "oid": OBJECT_ID, "roles": ["DSIF.Approver"], **self._claims}


def a_hub() -> Hub:
    queues = MemoryQueues(lambda: NOW)
    return Hub(SETTINGS, clock=lambda: NOW, tables=MemoryTables(), blobs=MemoryBlobs(), queues=queues)


def hire(hub: Hub, number: int, **fields: object) -> None:
    data = {"employeeId": f"H{number}", "firstName": "Ada", "lastName": "Abel", **fields}
    event = {"eventId": f"e{number}", "eventType": "employee.created", "timestamp": "2024-01-01T00:00:00Z"}
    apply_event(hub.workforce, json.dumps({**event, "data": data}).encode())


def provision(hub: Hub, number: str | None = None, mail: str | None = None, **attributes: object) -> None:
    resource: dict[str, Any] = {"schemas": [USER_SCHEMA, ENTERPRISE_SCHEMA], **attributes}
    if mail:
        resource["emails"] = [{"type": "work", "value": mail}]
    if number:
        resource[ENTERPRISE_SCHEMA] = {"employeeNumber": number}
    hub.directories[USER.endpoint].create(read_resource(USER, resource))


def click(hub: Hub, **claims: object) -> Outcome:
    """Let whom a token speaks for approve what H1 is paid."""
    one = calculation_id(PERIOD, "H1", "plan:a")
    made = Calculation(one, "H1", PERIOD, Kind.PLAN, "plan:a", 500_00, 500_00, "EUR").begun(at=NOW, by="Calculation")
    hub.incentives.calculations.change(PERIOD, [one], lambda _key, _standing: made)
    context = hub.incentives
    decide.submit(context, [one], Actor("clerk"), seen=seen_now(context, [one]))
    caller = BearerTokens(Claims(claims)).principal("Bearer a.b.c")
    who = Actor(caller.subject, caller.identities, caller.address)
    return decide.approve(context, [one], who, seen=seen_now(context, [one]))[0]


@pytest.mark.parametrize(
    ("employee", "claims"),
    [
        ({"email": "Ada.Abel@retail.example"}, {"email": "ada.abel@RETAIL.example"}),
        ({"email": "ada.abel@retail.example "}, {"upn": "ada.abel@retail.example"}),
        ({"employeeNumber": " 4711"}, {"employeeId": "4711"}),
        ({"employeeNumber": "4711"}, {"employeeid": 4711}),
        ({"userId": 815}, {"employeeId": "815"}),
        ({"userId": OBJECT_ID.upper()}, {}),
        ({"email": "ada@retail.example"}, {"verified_primary_email": ["Ada@Retail.example"]}),
    ],
)
def test_nobody_approves_their_own_however_hr_and_the_token_write_it(
    employee: dict[str, object], claims: dict[str, object]
) -> None:
    hub = a_hub()
    hire(hub, 1, **employee)
    outcome = click(hub, **claims)
    assert (outcome.state, outcome.code) == ("PendingApproval", "Forbidden")
    assert "is your own" in outcome.reason


def test_an_address_that_hr_has_replaced_is_still_known() -> None:
    hub = a_hub()
    hire(hub, 1, email="ada.abel@retail.example")
    change = {"field": "email", "oldValue": "ada.abel@retail.example", "newValue": "ada.smith@retail.example"}
    data = {"employeeId": "H1", "changes": [change], "effectiveDate": "2025-03-01T00:00:00Z", "modifiedBy": "hr"}
    event = {"eventId": "u1", "eventType": "employee.updated", "timestamp": "2025-01-02T00:00:00Z", "data": data}
    apply_event(hub.workforce, json.dumps(event).encode())
    for address in ("ada.abel@retail.example", "ada.smith@retail.example"):
        assert "is your own" in click(hub, email=address).reason


@pytest.mark.parametrize(
    ("entry", "claims"),
    [
        ({"userName": UPN, "mail": "ada.abel@retail.example"}, {"upn": UPN}),
        ({"userName": UPN, "externalId": OBJECT_ID, "number": "4711"}, {}),
        ({"userName": " " + UPN.upper(), "number": "004711"}, {"preferred_username": UPN}),
        ({"userName": "somebody", "mail": "private@mail.example", "number": "4711"}, {"email": "Private@mail.example"}),
    ],
    ids=["user name", "object ID", "user name written otherwise", "address"],
)
def test_what_the_directory_knows_of_a_caller_counts(entry: dict[str, Any], claims: dict[str, object]) -> None:
    hub = a_hub()
    hire(hub, 1, email="ada.abel@retail.example", employeeNumber="4711")
    provision(hub, userName="another@retail.example", mail="another@retail.example", number="HQ-2")
    provision(hub, **entry)
    outcome = click(hub, **claims)
    assert (outcome.state, outcome.code) == ("PendingApproval", "Forbidden")
    assert "is your own" in outcome.reason


def test_whom_neither_the_token_nor_the_directory_tells_apart_does_not_approve() -> None:
    hub = a_hub()
    hire(hub, 1, email="ada.abel@retail.example", employeeNumber="4711")
    outcome = click(hub, upn=UPN, preferred_username=UPN)
    assert (outcome.state, outcome.code) == ("PendingApproval", "Forbidden")
    assert "nobody can tell" in outcome.reason


@pytest.mark.parametrize(
    "entry", [{}, {"userName": UPN, "number": "HQ-1"}, {"userName": UPN, "mail": "eve@retail.example"}]
)
def test_an_approver_who_is_no_employee_approves(entry: dict[str, Any]) -> None:
    hub = a_hub()
    hire(hub, 1, email="ada.abel@retail.example", employeeNumber="4711")
    if entry:
        provision(hub, **entry)
    claims = {"upn": UPN} if entry else {"email": "eve@retail.example"}
    assert click(hub, **claims).state == "Approved"
