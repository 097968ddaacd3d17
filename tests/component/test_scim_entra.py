"""INC-33: the requests of Entra ID's provisioning service, as its documentation prints them, over HTTP."""

import json
import logging
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from local.azurite_process import Azurite
from shared.provisioning.attributes import ENTERPRISE_SCHEMA, GROUP_SCHEMA, USER_SCHEMA
from tests.component.scim_host import ScimClient, scim_host

PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
LIST = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"
NOBODY = "0193c2a0-0000-7000-8000-000000000000"
_numbers = count(1)


@pytest.fixture(scope="module")
def client(azurite: Azurite) -> Iterator[ScimClient]:
    with scim_host(azurite, "scimentra") as found:
        yield found


def ask(client: ScimClient, method: str, path: str, body: Any = None, **options: Any) -> tuple[int, Any]:
    answer = client.request(method, path, json=body, **options)
    assert answer.status_code in (204, 304) or answer.headers["Content-Type"] == "application/scim+json; charset=utf-8"
    return answer.status_code, answer.json() if answer.text else None


def new_user(client: ScimClient, **more: Any) -> dict[str, Any]:
    number = next(_numbers)
    body = {
        "schemas": [USER_SCHEMA, ENTERPRISE_SCHEMA],
        "externalId": f"0a21f0f2-{number}",
        "userName": f"Test_User_{number}@testuser.example",
        "active": True,
        "emails": [{"primary": True, "type": "work", "value": f"Test_{number}@testuser.example"}],
        "meta": {"resourceType": "User"},
        "name": {"formatted": "givenName familyName", "familyName": "familyName", "givenName": "givenName"},
        "roles": [],
        **more,
    }
    status, user = ask(client, "POST", "/Users", body)
    assert status == 201, user
    created: dict[str, Any] = user
    return created


def new_group(client: ScimClient) -> dict[str, Any]:
    number = next(_numbers)
    microsoft = "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"
    body = {
        "schemas": [GROUP_SCHEMA, microsoft],
        "externalId": f"8aa1a0c0-{number}",
        "displayName": f"Group {number}",
        "meta": {"resourceType": "Group"},
    }
    status, group = ask(client, "POST", "/Groups", body)
    assert status == 201, group
    created: dict[str, Any] = group
    return created


def patch(client: ScimClient, path: str, *operations: dict[str, Any]) -> tuple[int, Any]:
    return ask(client, "PATCH", path, {"schemas": [PATCH_OP], "Operations": list(operations)})


def test_the_connection_is_tested_by_asking_for_somebody_who_is_not_there(client: ScimClient) -> None:
    status, found = ask(client, "GET", f'/Users?filter=userName eq "{NOBODY}"')
    assert (status, found) == (
        200,
        {"schemas": [LIST], "totalResults": 0, "startIndex": 1, "itemsPerPage": 0, "Resources": []},
    )


def test_a_user_is_created_as_sent(client: ScimClient) -> None:
    user = new_user(client)
    assert user["schemas"] == [USER_SCHEMA]
    assert user["emails"] == [{"primary": True, "type": "work", "value": user["emails"][0]["value"]}]
    assert user["name"] == {"formatted": "givenName familyName", "familyName": "familyName", "givenName": "givenName"}
    assert user["active"] is True
    assert "roles" not in user
    assert user["meta"]["resourceType"] == "User"
    assert user["meta"]["location"].endswith(f"/api/v1/scim/v2/Users/{user['id']}")
    assert ask(client, "GET", f"/Users/{user['id']}") == (200, user)


def test_a_user_is_matched(client: ScimClient) -> None:
    user = new_user(client)
    for text in (
        f'userName eq "{user["userName"]}"',
        f'userName eq "{user["userName"].upper()}"',
        f'externalId eq "{user["externalId"]}"',
        f'id eq "{user["id"]}"',
        f'emails[type eq "work"].value eq "{user["emails"][0]["value"]}"',
        f'userName eq "{user["userName"]}" and active eq true',
    ):
        status, found = ask(client, "GET", "/Users", params={"filter": text})
        assert (status, found["totalResults"], found["Resources"]) == (200, 1, [user]), text


def test_the_flag_for_standard_behaviour_in_the_address_does_no_harm(client: ScimClient) -> None:
    user = new_user(client)
    assert ask(client, "GET", f'/Users?aadOptscim062020&filter=id eq "{user["id"]}"')[1]["Resources"] == [user]


def test_a_second_user_of_the_same_name_is_refused(client: ScimClient) -> None:
    user = new_user(client)
    status, error = ask(client, "POST", "/Users", {"userName": user["userName"].lower()})
    assert (status, error["schemas"], error["status"], error["scimType"]) == (409, [ERROR], "409", "uniqueness")
    assert user["userName"].lower() not in json.dumps(error).lower()
    other = new_user(client)
    operation = {"op": "Replace", "path": "userName", "value": user["userName"]}
    assert patch(client, f"/Users/{other['id']}", operation)[0] == 409
    assert ask(client, "GET", f"/Users/{other['id']}") == (200, other)


def test_a_user_is_changed(client: ScimClient) -> None:
    user = new_user(client)
    status, changed = patch(
        client,
        f"/Users/{user['id']}",
        {"op": "Replace", "path": 'emails[type eq "work"].value', "value": "updatedEmail@testuser.example"},
        {"op": "Replace", "path": "name.familyName", "value": "updatedFamilyName"},
        {"op": "Add", "path": f"{ENTERPRISE_SCHEMA}:department", "value": "Retail"},
    )
    assert (status, changed["emails"][0]["value"], changed["name"]["familyName"]) == (
        200,
        "updatedEmail@testuser.example",
        "updatedFamilyName",
    )
    assert changed["schemas"] == [USER_SCHEMA, ENTERPRISE_SCHEMA]
    assert changed["meta"]["version"] == 'W/"2"'


@pytest.mark.parametrize("value", [False, "False"])
def test_a_user_is_disabled_and_still_found(client: ScimClient, value: Any) -> None:
    user = new_user(client)
    status, changed = patch(client, f"/Users/{user['id']}", {"op": "Replace", "path": "active", "value": value})
    assert (status, changed["active"]) == (200, False)
    found = ask(client, "GET", f'/Users?filter=userName eq "{user["userName"]}"')[1]
    assert found["Resources"] == [changed]


def test_a_user_is_deleted_and_may_come_again(client: ScimClient) -> None:
    user = new_user(client)
    assert ask(client, "DELETE", f"/Users/{user['id']}") == (204, None)
    for method in ("GET", "DELETE"):
        status, error = ask(client, method, f"/Users/{user['id']}")
        assert (status, error["schemas"], error["status"]) == (404, [ERROR], "404")
    assert patch(client, f"/Users/{user['id']}", {"op": "Replace", "path": "active", "value": True})[0] == 404
    assert ask(client, "GET", f'/Users?filter=userName eq "{user["userName"]}"')[1]["totalResults"] == 0
    assert new_user(client, userName=user["userName"])["id"] != user["id"]


def test_a_group_is_created_matched_and_renamed_without_its_members_being_shown(client: ScimClient) -> None:
    group = new_group(client)
    path = f"/Groups/{group['id']}"
    assert group["schemas"] == [GROUP_SCHEMA]
    for operation in (
        {"op": "Add", "path": "members", "value": [{"$ref": None, "value": "f648f8d5"}, {"value": "a1b2"}]},
        {"op": "Remove", "path": "members", "value": [{"$ref": None, "value": "f648f8d5"}]},
        {"op": "Replace", "path": "displayName", "value": f"{group['displayName']} updated"},
    ):
        assert patch(client, path, operation) == (204, None)
    status, shown = ask(client, "GET", f"{path}?excludedAttributes=members")
    assert (status, shown["displayName"], "members" in shown) == (200, f"{group['displayName']} updated", False)
    text = f'displayName eq "{group["displayName"]} updated"'
    found = ask(client, "GET", "/Groups", params={"filter": text, "excludedAttributes": "members"})[1]
    assert found["Resources"] == [shown]
    assert ask(client, "GET", path)[1]["members"] == [{"value": "a1b2"}]
    text = f'id eq "{group["id"]}" and members eq "a1b2"'
    assert ask(client, "GET", "/Groups", params={"filter": text, "attributes": "id"})[1]["Resources"] == [
        {"schemas": [GROUP_SCHEMA], "id": group["id"]}
    ]
    status, shown = ask(
        client, "PATCH", f"{path}?attributes=displayName", {"Operations": [{"op": "remove", "path": "members"}]}
    )
    assert (status, set(shown)) == (200, {"schemas", "id", "displayName"})
    assert ask(client, "DELETE", path)[0] == 204


@pytest.mark.parametrize(
    "media_type", ["application/scim+json", "application/json", "application/scim+json; charset=utf-8"]
)
def test_a_body_may_come_as_either_media_type(client: ScimClient, media_type: str) -> None:
    body = json.dumps({"userName": f"Ünï-{next(_numbers)}"}, ensure_ascii=False).encode()
    answer = client.request("POST", "/Users", data=body, headers={"Content-Type": media_type})
    assert answer.status_code == 201
    assert answer.json()["userName"].startswith("Ünï-")


@pytest.mark.parametrize(
    ("query", "start", "shown"),
    [
        ("", 1, 5),
        ("startIndex=1&count=2", 1, 2),
        ("startIndex=5&count=2", 5, 1),
        ("startIndex=6&count=2", 6, 0),
        ("startIndex=0&count=2", 1, 2),
        ("startIndex=-7&count=2", 1, 2),
        ("count=0", 1, 0),
        ("count=-1", 1, 0),
        ("count=999999999", 1, 5),
    ],
)
def test_pages_have_bounds(azurite: Azurite, client: ScimClient, query: str, start: int, shown: int) -> None:
    """RFC 7644, 3.4.2.4."""
    if ask(client, "GET", '/Groups?count=0&filter=displayName sw "Page"')[1]["totalResults"] == 0:
        for number in range(5):
            assert ask(client, "POST", "/Groups", {"displayName": f"Page {number}"})[0] == 201
    status, found = ask(client, "GET", f'/Groups?filter=displayName sw "page"&{query}')
    assert (status, found["totalResults"], found["startIndex"]) == (200, 5, start)
    assert (found["itemsPerPage"], len(found["Resources"])) == (shown, shown)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "", 404),
        ("GET", "/Nothing", 404),
        ("GET", "/Users/a/b", 404),
        ("POST", "/Users/x", 405),
        ("DELETE", "/Users", 405),
        ("PUT", "/Groups", 405),
        ("PATCH", "/Schemas", 405),
        ("POST", "/ServiceProviderConfig", 405),
        ("POST", "/Bulk", 501),
        ("GET", "/Me", 501),
        ("POST", "/.search", 501),
        ("POST", "/Users/.search", 501),
    ],
)
def test_what_there_is_not_is_told_as_scim_tells_it(client: ScimClient, method: str, path: str, status: int) -> None:
    answer = client.request(method, path, json={} if method != "GET" else None)
    assert (answer.status_code, answer.json()["status"]) == (status, str(status))
    assert ("Allow" in answer.headers) == (status == 405)


def test_the_path_may_be_in_any_case(client: ScimClient) -> None:
    """The host finds routes so."""
    user = new_user(client)
    answer = client._session.get(client._url.replace("/scim/", "/SCIM/") + f"/USERS/{user['id']}", timeout=10)
    assert (answer.status_code, answer.json()["id"]) == (200, user["id"])
    assert ask(client, "GET", "/schemas")[1]["totalResults"] == 3
    assert ask(client, "GET", "/resourcetypes")[1]["totalResults"] == 2


def test_versions_spare_reading_and_guard_writing(client: ScimClient) -> None:
    user = new_user(client)
    path, version = f"/Users/{user['id']}", user["meta"]["version"]
    assert ask(client, "GET", path, headers={"If-None-Match": version}) == (304, None)
    body = {"userName": user["userName"], "title": "x"}
    assert ask(client, "PUT", path, body, headers={"If-Match": version})[0] == 200
    assert ask(client, "PUT", path, body, headers={"If-Match": version})[0] == 412
    assert ask(client, "GET", path, headers={"If-None-Match": version})[1]["title"] == "x"


def test_neither_names_nor_addresses_nor_filters_are_logged(
    client: ScimClient, caplog: pytest.LogCaptureFixture
) -> None:
    """RES-12, of requests that succeed and of those that are refused for whatever reason."""
    secret = "zaphod"
    mail = f"{secret}@heartofgold.example"
    with caplog.at_level(logging.DEBUG):
        user = new_user(client, userName=mail, displayName=secret, title=secret, externalId=secret)
        path = f"/Users/{user['id']}"
        statuses = [
            ask(client, "POST", "/Users", {"userName": mail})[0],
            ask(client, "POST", "/Users", {"userName": [mail]})[0],
            ask(client, "GET", f'/Users?filter=userName eq "{mail}"')[0],
            ask(client, "GET", f'/Users?filter=userName eq "{mail}')[0],
            ask(client, "GET", f'/Users?filter={secret} eq "{mail}"')[0],
            ask(client, "GET", f"/Users?count={secret}")[0],
            ask(client, "GET", f"/Users/{secret}")[0],
            ask(client, "GET", f"/{secret}")[0],
            patch(client, path, {"op": "replace", "path": f"{secret}", "value": mail})[0],
            patch(client, path, {"op": "replace", "path": "active", "value": mail})[0],
            ask(client, "PUT", path, {"userName": mail}, headers={"If-Match": f'W/"{secret}"'})[0],
            ask(client, "POST", "/Groups", {"displayName": secret, "members": [{"value": 7, "display": mail}]})[0],
            client.request("POST", "/Users", data=f'{{"userName": "{mail}"'.encode()).status_code,
            client.request("GET", f"/Users/{secret}", headers={"Authorization": f"Bearer {secret}"}).status_code,
        ]
    assert statuses == [409, 400, 200, 400, 400, 400, 404, 404, 400, 400, 412, 400, 400, 401]
    hub = [one for one in caplog.records if one.name.startswith(("functions", "shared"))]
    assert len(hub) >= 13
    told = [f"{one.getMessage()} {one.exc_text or ''} {vars(one)}".lower() for one in hub]
    assert [line for line in told if secret in line] == []
