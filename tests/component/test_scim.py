"""INC-33: the SCIM server as Entra ID sees it."""

import json
from collections.abc import Iterator
from typing import Any

import azure.functions as func
import pytest

from functions.http_routes import ENDPOINTS, _handler
from local.sandbox.generator import Shape
from local.sandbox.server import Sandbox
from shared.access.routes import ROUTES, Contract
from shared.adapters.settings import Settings
from shared.adapters.settings.secret_settings import SECRETS
from shared.hub import Hub, replaced_hub
from tests.component.import_hub import environment
from tests.fakes.invocation import context
from tests.fakes.secrets import RotatingSecrets
from tests.fakes.tables import MemoryTables

BASE = "http://127.0.0.1/api/v1/scim/v2"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(Shape(records=1)) as running:
        yield running


class Client:
    """Calls the server."""

    def __init__(self, token: str) -> None:
        self.token = token

    def __call__(
        self, function: str, body: Any = None, *, of: str | None = None, headers: Any = None, **query: str
    ) -> tuple[int, Any]:
        route = next(one for one in ROUTES if one.function == function)
        assert function in ENDPOINTS
        request = func.HttpRequest(
            method=route.method,
            url=f"http://127.0.0.1/api/{route.path}".replace("{id}", of or ""),
            headers={"Authorization": f"Bearer {self.token}", **(headers or {})},
            params=query,
            route_params={"id": of} if of else {},
            body=body if isinstance(body, bytes) else json.dumps(body or {}).encode(),
        )
        answer = _handler(route)(request, context())
        assert answer.mimetype == "application/scim+json"
        return answer.status_code, json.loads(answer.get_body() or b"{}")


@pytest.fixture
def call(sandbox: Sandbox) -> Iterator[Client]:
    with replaced_hub(Hub(environment(sandbox), tables=MemoryTables())):
        yield Client(sandbox.identity.token("admin"))


def test_a_user_lives_from_creation_to_deletion(call: Client) -> None:
    status, user = call("CreateUser", {"userName": "Ada@example.com", "active": True, "externalId": "x1"})
    assert (status, user["meta"]["location"]) == (201, f"{BASE}/Users/{user['id']}")
    assert call("GetUser", of=user["id"]) == (200, user)
    status, error = call("CreateUser", {"userName": "ADA@example.com"})
    assert (status, error["status"], error["scimType"]) == (409, "409", "uniqueness")
    operation = {"op": "Replace", "path": "active", "value": "False"}
    status, changed = call("PatchUser", {"Operations": [operation]}, of=user["id"])
    assert (status, changed["active"], changed["meta"]["version"]) == (200, False, 'W/"2"')
    old = {"If-Match": user["meta"]["version"]}
    assert call("ReplaceUser", {"userName": "b"}, of=user["id"], headers=old)[0] == 412
    assert call("ReplaceUser", {"userName": "b"}, of=user["id"])[1]["userName"] == "b"
    assert call("CreateUser", {"userName": "ada@example.com"})[0] == 201
    assert call("DeleteUser", of=user["id"])[0] == 204
    assert [call(name, of=user["id"])[0] for name in ("GetUser", "DeleteUser")] == [404, 404]
    assert call("CreateUser", {"userName": "b"})[0] == 201


def test_users_are_found_and_paged(call: Client) -> None:
    for number in range(5):
        call("CreateUser", {"userName": f"user{number}", "externalId": f"X{number % 2}", "title": "t"})
    found = call("ListUsers", filter='userName eq "USER3"')[1]
    assert [one["userName"] for one in found["Resources"]] == ["user3"]
    assert call("ListUsers", filter='externalId eq "X1"')[1]["totalResults"] == 2
    assert call("ListUsers", filter='externalId eq "x1"')[1]["totalResults"] == 0
    page = call("ListUsers", startIndex="4", count="3", attributes="userName")[1]
    assert (page["totalResults"], page["itemsPerPage"]) == (5, 2)
    assert [one["userName"] for one in page["Resources"]] == ["user3", "user4"]
    assert {name for one in page["Resources"] for name in one} == {"schemas", "id", "userName"}


def test_a_group_of_thousands_is_kept_and_shown_without_its_members(call: Client) -> None:
    members = [{"value": f"{number:036d}"} for number in range(5000)]
    group = call("CreateGroup", {"displayName": "All", "members": members})[1]
    assert call("GetGroup", of=group["id"])[1]["members"] == members
    (listed,) = call("ListGroups", filter='displayName eq "all"', excludedAttributes="members")[1]["Resources"]
    assert "members" not in listed


@pytest.mark.parametrize(
    ("function", "body", "query", "status", "scim_type"),
    [
        ("CreateUser", b"{torn", {}, 400, "invalidSyntax"),
        ("CreateUser", b"[]", {}, 400, "invalidSyntax"),
        ("CreateUser", {"displayName": "x"}, {}, 400, "invalidValue"),
        ("CreateGroup", {"displayName": 1}, {}, 400, "invalidValue"),
        ("CreateUser", b" " * (1024 * 1024 + 1), {}, 413, None),
        ("ListUsers", None, {"filter": 'userName like "a"'}, 400, "invalidFilter"),
        ("ListUsers", None, {"count": "many"}, 400, "invalidValue"),
    ],
    ids=["torn", "no object", "no name", "type", "large", "filter", "count"],
)
def test_what_is_refused_has_the_shape_of_scim(
    call: Client, function: str, body: Any, query: dict[str, str], status: int, scim_type: str | None
) -> None:
    answered, error = call(function, body, **query)
    assert (answered, error["status"], error.get("scimType")) == (status, str(status), scim_type)
    assert error["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:Error"]


@pytest.mark.parametrize(("user", "status"), [("stranger", 403), (None, 401)])
def test_who_may_not_is_told_so_in_the_shape_of_scim(
    call: Client, sandbox: Sandbox, user: str | None, status: int
) -> None:
    call.token = sandbox.identity.token(user) if user else "none"
    assert call("ListUsers")[1]["status"] == str(status)


def test_the_server_says_what_it_can(call: Client) -> None:
    assert call("GetScimConfiguration")[1]["patch"] == {"supported": True}
    for listing, one in (("ListScimSchemas", "GetScimSchema"), ("ListScimResourceTypes", "GetScimResourceType")):
        for item in call(listing)[1]["Resources"]:
            assert call(one, of=item["id"]) == (200, item)
        assert call(one, of="unknown")[0] == 404


TOKEN, NEXT_TOKEN = "t" * 40, "n" * 40


def function(name: str, path: str, token: str) -> int:
    """Call a function of any route with a token; return the status."""
    route = next(one for one in ROUTES if one.function == name)
    headers = {"Authorization": f"Bearer {token}"}
    request = func.HttpRequest("GET", f"http://127.0.0.1/api/{path}", headers=headers, body=b"")
    status: int = _handler(route)(request, context()).status_code
    return status


@pytest.mark.parametrize(
    ("setting", "token", "status"),
    [
        (TOKEN, TOKEN, 200),
        (f"{NEXT_TOKEN},{TOKEN}", TOKEN, 200),
        (f"{NEXT_TOKEN},{TOKEN}", NEXT_TOKEN, 200),
        (NEXT_TOKEN, TOKEN, 401),
        (TOKEN, TOKEN[:-1], 401),
        (TOKEN, f"{TOKEN},{TOKEN}", 401),
        ("", TOKEN, 401),
        ("", "", 401),
        ("short", "short", 500),
    ],
    ids=["right", "old", "new", "taken away", "shortened", "twice", "none is set", "nothing", "one that is no token"],
)
def test_the_provisioning_service_shows_a_token_of_its_own(
    sandbox: Sandbox, setting: str, token: str, status: int
) -> None:
    settings = environment(sandbox, SCIM_TOKEN=setting)
    with replaced_hub(Hub(settings, tables=MemoryTables())):
        assert function("ListUsers", "v1/scim/v2/Users", token) == status


def test_the_token_of_the_provisioning_service_opens_nothing_else(sandbox: Sandbox) -> None:
    with replaced_hub(Hub(environment(sandbox, SCIM_TOKEN=TOKEN), tables=MemoryTables())):
        others = [one for one in ROUTES if one.contract is not Contract.SCIM and not one.requirement.anonymous]
        assert len(others) > 30
        assert {function(one.function, one.path, TOKEN) for one in others} == {401}
        assert function("ListUsers", "v1/scim/v2/Users", sandbox.identity.token("admin")) == 200
        assert function("ListUsers", "v1/scim/v2/Users", sandbox.identity.token("reader")) == 403


def test_a_token_that_was_just_rotated_in_the_vault_is_accepted_at_once(sandbox: Sandbox) -> None:
    vault = RotatingSecrets((TOKEN,), (NEXT_TOKEN, TOKEN))
    settings = environment(sandbox, KEY_VAULT_URL="https://hub.vault.azure.net")
    hub = Hub(settings, tables=MemoryTables())
    hub.__dict__["settings"] = Settings(settings, lambda: vault)
    with replaced_hub(hub):
        shown = [(token, function("ListUsers", "v1/scim/v2/Users", token)) for token in (TOKEN, NEXT_TOKEN, TOKEN, "x")]
    assert shown == [(TOKEN, 200), (NEXT_TOKEN, 200), (TOKEN, 200), ("x", 401)]
    assert vault.refreshed == {SECRETS["SCIM_TOKEN"].path("default"): 2}, "when one was not known, and not before"


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ({"count": "2147483647"}, (1, 3)),
        ({"count": "9" * 5000}, (1, 3)),
        ({"count": "-" + "9" * 5000}, (1, 0)),
        ({"count": "000000000000000000000002"}, (1, 2)),
        ({"startIndex": "2147483647"}, (2147483647, 0)),
        ({"startIndex": "9" * 5000, "filter": 'title eq "t"'}, (10**18, 0)),
        ({"startIndex": "-" + "9" * 5000}, (1, 3)),
        ({"startIndex": "0", "count": "0"}, (1, 0)),
    ],
    ids=lambda given: str(given)[:40],
)
def test_numbers_of_any_length_are_understood(call: Client, query: dict[str, str], told: tuple[int, int]) -> None:
    """RFC 7644, 3.4.2.4."""
    for name in ("ada", "bob", "cyd"):
        call("CreateUser", {"userName": name, "title": "t"})
    status, found = call("ListUsers", **query)
    assert (status, found["totalResults"]) == (200, 3)
    assert (found["startIndex"], found["itemsPerPage"]) == told


@pytest.mark.parametrize("number", ["", "+5", " 5", "5 ", "\uff15", "1_000", "1e3", "5.0", "0x5", "--5", "five"])
@pytest.mark.parametrize("name", ["count", "startIndex"])
def test_what_is_no_number_is_refused_by_name(call: Client, name: str, number: str) -> None:
    status, error = call("ListUsers", **{name: number})
    assert (status, error["scimType"], error["detail"]) == (400, "invalidValue", f"{name} must be a whole number")


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ('W/"1"', 304),
        ('"1"', 304),
        ("*", 304),
        ('W/"7", W/"1"', 304),
        ('"7","1" ', 304),
        ('W/"2"', 200),
        ("1", 200),
        ("", 200),
    ],
)
def test_a_user_is_not_sent_to_who_has_it(call: Client, header: str, status: int) -> None:
    """RFC 9110, 13.1.2."""
    user = call("CreateUser", {"userName": "ada"})[1]
    assert call("GetUser", of=user["id"], headers={"If-None-Match": header}) == (status, {} if status == 304 else user)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"If-Match": 'W/"1"'}, 204),
        ({"If-Match": '"7", "1"'}, 204),
        ({"If-Match": "*"}, 204),
        ({"If-None-Match": 'W/"7"'}, 204),
        ({"If-Match": '"7"'}, 412),
        ({"If-Match": "1"}, 412),
        ({"If-Match": ""}, 412),
        ({"If-None-Match": "*"}, 412),
        ({"If-Match": "*", "If-None-Match": '"1"'}, 412),
    ],
    ids=str,
)
def test_a_change_is_made_where_its_preconditions_hold(call: Client, headers: dict[str, str], status: int) -> None:
    """RFC 7644, 3.14; RFC 9110, 13.1."""
    change = {"Operations": [{"op": "add", "value": {"title": "t"}}]}
    for function, body in (("PatchUser", change), ("ReplaceUser", {"userName": "bob"}), ("DeleteUser", {})):
        user = call("CreateUser", {"userName": function})[1]
        answered = call(function, body, of=user["id"], headers=headers)[0]
        assert answered == (status if status == 412 or function == "DeleteUser" else 200), function


@pytest.mark.parametrize(
    ("function", "of"),
    [
        ("GetScimConfiguration", None),
        ("ListScimSchemas", None),
        ("ListScimResourceTypes", None),
        ("GetScimResourceType", "User"),
        ("GetScimSchema", "urn:ietf:params:scim:schemas:core:2.0:User"),
    ],
)
@pytest.mark.parametrize("text", ['name eq "User"', "(", ""])
def test_what_the_server_says_of_itself_cannot_be_filtered(
    call: Client, function: str, of: str | None, text: str
) -> None:
    """RFC 7644, 4."""
    assert call(function, of=of)[0] == 200
    status, error = call(function, of=of, filter=text)
    assert (status, error["status"]) == (403, "403")
