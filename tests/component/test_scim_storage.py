"""INC-33: the SCIM server on real tables: large groups, many users, many clients at once."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest

from local.azurite_process import Azurite
from shared.adapters.identifiers import new_uuid7
from shared.adapters.storage_account import StorageAccount
from shared.adapters.tables import AzureTables
from shared.kernel.clock import utc_now
from shared.provisioning.attributes import GROUP, USER
from shared.provisioning.directory import Directory
from shared.provisioning.patch import patched
from shared.provisioning.store import ResourceStore
from tests.component.scim_host import ScimClient, scim_host

MEMBERS = 20_000
USERS = 1_100
"""More than Azure Tables gives in one answer."""


def member(number: int) -> dict[str, str]:
    """Return a member with an ID that compresses as badly as real ones."""
    return {"value": str(UUID(int=(number + 1) * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128))}


@pytest.fixture(scope="module")
def client(azurite: Azurite) -> Iterator[ScimClient]:
    with scim_host(azurite, "scimstorage") as found:
        yield found


def ask(client: ScimClient, method: str, path: str, status: int, **options: Any) -> Any:
    """Send a request; return the body of its answer."""
    answer = client.request(method, path, **options)
    assert answer.status_code == status, answer.text
    assert status == 204 or answer.headers["Content-Type"] == "application/scim+json; charset=utf-8"
    return answer.json() if answer.text else None


def patch(client: ScimClient, group_id: str, op: str, members: list[dict[str, str]]) -> None:
    operation = {"op": op, "path": "members", "value": members}
    ask(client, "PATCH", f"/Groups/{group_id}", 204, json={"Operations": [operation]})


def members_of(client: ScimClient, group_id: str) -> list[dict[str, str]]:
    found: list[dict[str, str]] = ask(client, "GET", f"/Groups/{group_id}", 200)["members"]
    return found


def test_a_large_group_is_filled_changed_and_shown(client: ScimClient) -> None:
    """Far beyond what one cell of a row (64 KB) and one request (1 MB) can hold."""
    group = ask(client, "POST", "/Groups", 201, json={"displayName": "All", "members": [member(0)]})["id"]
    for start in range(0, MEMBERS, 5_000):
        patch(client, group, "Add", [member(number) for number in range(start, start + 5_000)])
    assert members_of(client, group) == [member(number) for number in range(MEMBERS)]
    patch(client, group, "Add", [member(MEMBERS)])
    patch(client, group, "Remove", [member(0), member(7_777)])
    path = f"members[value eq {json.dumps(member(5)['value'])}]"
    ask(client, "PATCH", f"/Groups/{group}", 204, json={"Operations": [{"op": "remove", "path": path}]})
    expected = [member(number) for number in range(MEMBERS + 1) if number not in (0, 5, 7_777)]
    assert members_of(client, group) == expected
    (listed,) = ask(client, "GET", '/Groups?filter=displayName eq "all"&excludedAttributes=members', 200)["Resources"]
    assert "members" not in listed
    asked = f'id eq "{group}" and members eq "{member(9)["value"]}"'
    assert ask(client, "GET", "/Groups", 200, params={"filter": asked, "attributes": "id"})["totalResults"] == 1
    patch(client, group, "Remove", [])
    assert len(members_of(client, group)) == len(expected)
    ask(client, "DELETE", f"/Groups/{group}", 204)
    ask(client, "GET", f"/Groups/{group}", 404)


def test_changes_of_one_group_at_once_are_all_kept(client: ScimClient) -> None:
    group = ask(client, "POST", "/Groups", 201, json={"displayName": "Busy"})["id"]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda number: patch(client, group, "Add", [member(number)]), range(12)))
    assert sorted(map(json.dumps, members_of(client, group))) == sorted(json.dumps(member(n)) for n in range(12))


def test_of_many_who_create_one_user_at_once_one_does(client: ScimClient) -> None:
    def create(number: int) -> int:
        name = "Race@example.com" if number % 2 else "race@example.com"
        return client.request("POST", "/Users", json={"userName": name, "externalId": f"x{number}"}).status_code

    with ThreadPoolExecutor(8) as pool:
        assert Counter(pool.map(create, range(16))) == {201: 1, 409: 15}
    found = ask(client, "GET", '/Users?filter=userName eq "RACE@example.com"', 200)
    assert found["totalResults"] == 1
    asked = [ask(client, "GET", f'/Users?filter=externalId eq "x{n}"', 200)["totalResults"] for n in range(16)]
    assert sum(asked) == 1


def test_lists_go_on_over_more_rows_than_the_table_gives_at_once(
    azurite: Azurite, unique: Callable[[str], str]
) -> None:
    account = StorageAccount(azurite.connection_string)
    store = ResourceStore(AzureTables(account).table(unique("Users")), "many", USER)
    directory = Directory(USER, store, utc_now, new_uuid7)

    def create(number: int) -> None:
        directory.create({"userName": f"user{number:05d}", "externalId": f"x{number}", "active": number % 2 == 0})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(create, range(USERS)))
    everybody = {f"user{number:05d}" for number in range(USERS)}
    for text, wanted in (
        ("", everybody),
        ('userName sw "USER"', everybody),
        ("active eq false", {f"user{number:05d}" for number in range(1, USERS, 2)}),
    ):
        seen: list[str] = []
        pages = 0
        while True:
            found = directory.search(text, len(seen) + 1, 200)
            assert found.total == len(wanted)
            if not found.items:
                break
            pages += 1
            seen += [one.resource["userName"] for one in found.items]
        assert (len(seen), set(seen), pages) == (len(wanted), wanted, -(-len(wanted) // 200))
    before = account.transactions.total
    assert [one.resource["userName"] for one in directory.search('userName eq "user00234"', 1, 200).items] == [
        "user00234"
    ]
    assert [one.resource["userName"] for one in directory.search('externalId eq "x1001"', 1, 200).items] == [
        "user01001"
    ]
    assert account.transactions.total - before == 4
    before = account.transactions.total
    assert len(directory.search("", 901, 200).items) == 200
    # Two to count, and one, or two where the service ends a page early, for those that are shown.
    assert account.transactions.total - before <= 4


def test_another_tenant_sees_nothing_and_may_have_the_same_name(azurite: Azurite, unique: Callable[[str], str]) -> None:
    table = AzureTables(StorageAccount(azurite.connection_string)).table(unique("Users"))
    one, other = (
        Directory(USER, ResourceStore(table, tenant, USER), utc_now, new_uuid7) for tenant in ("one", "other")
    )
    created = one.create({"userName": "ada", "externalId": "x"})
    assert [other.search(text, 1, 10).total for text in ("", 'userName eq "ada"', 'externalId eq "x"')] == [0, 0, 0]
    assert other.search(f'id eq "{created.resource_id}"', 1, 10).total == 0
    other.create({"userName": "ada"})
    assert one.search("", 1, 10).total == 1


def test_a_group_can_have_as_many_members_as_documented(azurite: Azurite, unique: Callable[[str], str]) -> None:
    """docs/provisioning.md says 33,000."""
    table = AzureTables(StorageAccount(azurite.connection_string)).table(unique("Groups"))
    directory = Directory(GROUP, ResourceStore(table, "large", GROUP), utc_now, new_uuid7)
    group = directory.create({"displayName": "All"})
    everybody = [member(number) for number in range(33_000)]
    operation = {"op": "add", "path": "members", "value": everybody}
    directory.change(group.resource_id, lambda before: patched(GROUP, before, {"Operations": [operation]}))
    assert directory.get(group.resource_id).resource["members"] == everybody
