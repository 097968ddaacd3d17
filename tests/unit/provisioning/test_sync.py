"""INC-33: users are pulled from Microsoft Graph; what a pull does, and what it refuses."""

from datetime import timedelta
from typing import Any

import pytest

from shared.kernel.errors import Busy, ContractBroken, MalformedResponse, NotFound, PartnerRefused
from shared.provisioning.attributes import ENTERPRISE_SCHEMA
from shared.provisioning.context import NOTIFICATION_QUEUE, SYNC_QUEUE
from shared.provisioning.graph_pages import MAX_LINK, SELECT, fetch_page
from shared.provisioning.sync import start_sync, summary
from shared.provisioning.sync_runs import SyncRun, SyncRunStore, SyncStatus
from tests.unit.provisioning.graph_world import BASE_URL, World


def named(name: str, **more: Any) -> dict[str, Any]:
    return {"add": {"id": f"id-{name}", "userPrincipalName": f"{name}@x.example", **more}}


def counts(run: SyncRun) -> dict[str, int]:
    assert run.status is SyncStatus.SUCCEEDED, run.failure
    return {name: number for name, number in vars(run.counts).items() if number}


def test_everybody_comes_once_and_after_that_what_changed() -> None:
    world = World(people=5)
    run = world.pull()
    assert (counts(run), run.pages, run.full) == ({"created": 5}, 3, True)
    assert world.calls[0][1] == {"$select": SELECT}
    run = world.pull()
    assert (counts(run), run.pages, run.full) == ({}, 1, False)
    one, other, *_ = world.graph.users()
    world.graph.change([{"id": one["id"], "set": {"jobTitle": None, "mail": "new@x.example"}}, named("ada")])
    world.graph.change([{"id": other["id"], "set": {"accountEnabled": False}}])
    assert counts(world.pull()) == {"created": 1, "changed": 1, "deactivated": 1}
    changed = world.users()[one["userPrincipalName"]]
    assert "title" not in changed
    assert changed["emails"] == [{"value": "new@x.example", "type": "work", "primary": True}]
    assert counts(world.pull(full=True)) == {"unchanged": 6}


def test_a_user_has_what_entra_id_would_push() -> None:
    world = World(people=1)
    world.pull()
    (given,) = world.graph.users()
    assert world.users()[given["userPrincipalName"]] == {
        "externalId": given["id"],
        "userName": given["userPrincipalName"],
        "displayName": given["displayName"],
        "name": {"givenName": given["givenName"], "familyName": given["surname"]},
        "emails": [{"value": given["mail"], "type": "work", "primary": True}],
        "title": "Sales Associate",
        "preferredLanguage": "de-DE",
        ENTERPRISE_SCHEMA: {"department": "S002", "employeeNumber": "H-00001"},
        "active": True,
    }


def test_deleted_is_deactivated_restored_is_active_again_and_deleted_for_good_is_removed() -> None:
    world = World()
    world.graph.change([named("ada"), named("ben")])
    world.pull()
    world.graph.change([{"id": "id-ada", "delete": "changed"}])
    assert counts(world.pull()) == {"deactivated": 1}
    assert world.users()["ada@x.example"]["active"] is False
    world.graph.change([{"id": "id-ada", "restore": True}])
    assert counts(world.pull()) == {"changed": 1}
    assert world.users()["ada@x.example"]["active"] is True
    world.graph.change([{"id": "id-ada", "delete": "deleted"}, {"id": "id-ben", "delete": "changed"}])
    world.graph.change([{"id": "id-ben", "delete": "deleted"}])
    assert counts(world.pull()) == {"removed": 2}
    assert world.users() == {}


def test_a_disabled_account_that_is_restored_stays_inactive_though_the_entry_does_not_say_so() -> None:
    world = World()
    world.graph.change([named("ada", accountEnabled=False)])
    world.pull()
    world.graph.change([{"id": "id-ada", "delete": "changed"}])
    world.pull()
    world.graph.change([{"id": "id-ada", "restore": True}])
    world.change = lambda answer: answer | {"value": [{"id": "id-ada", "jobTitle": "x"}]}
    world.pull()
    user = world.users()["ada@x.example"]
    assert (user["title"], user["active"]) == ("x", False)


def test_who_was_pushed_by_scim_is_taken_over_by_external_id_then_by_name_and_nobody_is_there_twice() -> None:
    world = World()
    kept = {"active": False, "nickName": "A", "emails": [{"value": "home@x.example", "type": "home", "primary": True}]}
    first = world.directory.create({"userName": "before@x.example", "externalId": "id-ada", **kept})
    second = world.directory.create({"userName": "BEN@x.example", "externalId": "ben", "roles": [{"value": "r"}]})
    world.directory.create({"userName": "scim-only@x.example"})
    world.graph.change([named("ada", mail="ada@x.example"), named("ben", mail="ben@x.example")])
    assert counts(world.pull()) == {"changed": 2}
    ada, ben = (world.directory.get(one.resource_id).resource for one in (first, second))
    assert (ada["userName"], ada["nickName"], ada["active"]) == ("ada@x.example", "A", False)
    assert ada["emails"] == [{"value": "ada@x.example", "type": "work"}, *kept["emails"]]  # type: ignore[misc]
    assert (ben["userName"], ben["externalId"], ben["roles"]) == ("ben@x.example", "id-ben", [{"value": "r"}])
    assert len(world.users()) == 3
    assert counts(world.pull(full=True)) == {"unchanged": 2}


def test_who_was_deactivated_by_scim_stays_so_until_graph_says_something_new() -> None:
    world = World()
    world.graph.change([named("ada")])
    world.pull()
    (found,) = world.directory.search("", 1, 1).items
    world.directory.change(found.resource_id, lambda user: user | {"active": False})
    world.graph.change([{"id": "id-ada", "set": {"jobTitle": "x"}}])
    world.pull()
    assert world.users()["ada@x.example"]["active"] is False
    for enabled in (False, True):
        world.graph.change([{"id": "id-ada", "set": {"accountEnabled": enabled}}])
        world.pull()
    assert world.users()["ada@x.example"]["active"] is True


def test_names_that_are_exchanged_end_where_they_belong() -> None:
    world = World(page_size=1)
    world.graph.change([named("ada"), named("ben"), named("cleo")])
    world.pull()
    names = {"id-ada": "ben", "id-ben": "cleo", "id-cleo": "ada"}
    world.graph.change([{"id": key, "set": {"userPrincipalName": f"{name}@x.example"}} for key, name in names.items()])
    world.pull()
    users = world.users()
    assert {user["externalId"]: name for name, user in users.items()} == {
        key: f"{name}@x.example" for key, name in names.items()
    }
    assert all(user["active"] for user in users.values())


def test_a_name_that_somebody_here_holds_who_is_not_graph_s_is_taken_from_him() -> None:
    world = World()
    world.graph.change([named("ada")])
    world.pull()
    other = world.directory.create({"userName": "new@x.example", "active": True})
    world.graph.change([{"id": "id-ada", "set": {"userPrincipalName": "new@x.example"}}])
    world.pull()
    assert world.users()["new@x.example"]["externalId"] == "id-ada"
    left = world.directory.get(other.resource_id).resource
    assert (left["userName"], left["active"]) == (other.resource_id, False)


def test_links_that_graph_forgot_let_everybody_be_read_again_and_who_is_missing_is_deactivated() -> None:
    world = World(people=5)
    world.directory.create({"userName": "scim-only", "active": True})
    world.pull()
    gone, *_ = world.graph.users()
    world.graph.change([{"id": gone["id"], "delete": "changed"}])
    world.graph.forget_links()
    run = world.pull()
    assert (counts(run), run.full, run.restarts) == ({"unchanged": 4, "deactivated": 1}, True, 1)
    users = world.users()
    assert [name for name, user in users.items() if not user["active"]] == [gone["userPrincipalName"]]
    assert counts(world.pull()) == {}


def test_links_forgotten_in_the_middle_of_a_round_begin_a_new_one_and_nobody_seen_before_counts_as_seen() -> None:
    world = World(people=6)
    world.pull()
    pages = 0

    def forget(answer: dict[str, Any]) -> dict[str, Any]:
        nonlocal pages
        pages += 1
        if pages == 2:
            first = world.graph.users()[0]
            world.graph.change([{"id": first["id"], "delete": "changed"}])
            world.graph.forget_links()
        return answer

    world.change = forget
    run = world.pull(full=True)
    assert run.restarts == 1
    assert run.counts.deactivated == 1
    assert sum(user["active"] for user in world.users().values()) == 5


def test_when_too_many_are_missing_nobody_is_deactivated_and_operators_are_told() -> None:
    world = World(people=6, share="0.4")
    world.pull()
    for user in world.graph.users()[:3]:
        world.graph.change([{"id": user["id"], "delete": "changed"}])
    world.graph.forget_links()
    run = world.pull()
    assert run.status is SyncStatus.FAILED
    assert "3 of 6 users" in run.failure
    assert "GRAPH_MAX_DEACTIVATION_SHARE" in run.failure
    assert all(user["active"] for user in world.users().values())
    assert [one.type for one in world.queues.messages(NOTIFICATION_QUEUE)] == ["provisioning-sync.failed"]
    again = world.pull()
    assert (again.status, again.full) == (SyncStatus.FAILED, True), "until somebody has looked"


def test_a_bad_value_stops_neither_the_others_nor_the_rest_of_its_user_and_is_told() -> None:
    world = World()
    world.graph.change([named("ada", jobTitle=["x"], department="D"), named("ben"), {"add": {"id": "id-nameless"}}])
    run = world.pull()
    assert (run.status, run.counts.refused, run.counts.created) == (SyncStatus.PARTIAL_SUCCESS, 2, 1)
    assert "full sync" in run.failure
    users = world.users()
    assert users.keys() == {"ada@x.example", "ben@x.example"}
    assert users["ada@x.example"][ENTERPRISE_SCHEMA] == {"department": "D"}


def test_a_run_that_goes_on_is_not_started_again_and_one_that_stands_still_is_queued_again() -> None:
    world = World(people=5)
    run_id = start_sync(world.context, "one")
    assert start_sync(world.context, "other", full=True) == run_id
    assert world.queues.take(SYNC_QUEUE)
    assert start_sync(world.context, "timer") == run_id
    assert world.queues.depth(SYNC_QUEUE) == 0
    world.now += timedelta(minutes=16)
    assert start_sync(world.context, "timer") == run_id
    world.work()
    assert counts(world.context.runs.get(run_id)) == {"created": 5}
    assert summary(world.context.runs.get(run_id))["startedBy"] == "one"


def test_a_graph_that_refuses_for_good_fails_the_run_and_the_next_one_begins_where_it_began() -> None:
    world = World(people=3)
    world.pull()
    world.graph.change([named("ada")])

    def refuse(_answer: dict[str, Any]) -> dict[str, Any]:
        raise PartnerRefused("graph", "GET /users/delta answered 403", status=403)

    world.change = refuse
    run = world.pull()
    assert (run.status, run.failure) == (SyncStatus.FAILED, "graph: GET /users/delta answered 403")
    world.change = lambda answer: answer
    assert counts(world.pull()) == {"created": 1}


def test_a_graph_that_forgets_every_link_is_not_asked_for_ever() -> None:
    world = World(people=6)

    def forget(answer: dict[str, Any]) -> dict[str, Any]:
        world.graph.forget_links()
        return answer

    world.change = forget
    run = world.pull()
    assert (run.status, run.restarts) == (SyncStatus.FAILED, 3)
    assert "410" in run.failure


def test_an_unknown_run_is_not_found() -> None:
    for run_id in ("unknown", "~state", "01900000-0000-7000-8000-000000000001"):
        with pytest.raises(NotFound):
            World().context.runs.get(run_id)


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.example/v1.0/users/delta?$skiptoken=1",
        "https://graph.microsoft.com.evil.example/v1.0/users/delta?$skiptoken=1",
        "https://graph.microsoft.com@evil.example/v1.0/users/delta?$skiptoken=1",
        "https://graph.microsoft.com:8443/v1.0/users/delta?$skiptoken=1",
        "http://graph.microsoft.com/v1.0/users/delta?$skiptoken=1",
        "//graph.microsoft.com/v1.0/users/delta?$skiptoken=1",
        "/users/delta?$skiptoken=1",
        f"{BASE_URL}/groups/delta?$skiptoken=1",
        f"{BASE_URL}/users/../groups?$skiptoken=1",
        f"{BASE_URL}/users/delta?$skiptoken=1#part",
        f"{BASE_URL}/users/delta?a b",
        f"{BASE_URL}/users/delta",
        f"{BASE_URL}/users/delta?$skiptoken={'x' * MAX_LINK}",
    ],
)
def test_a_link_that_leads_elsewhere_is_not_followed(link: str) -> None:
    world = World()
    world.change = lambda _answer: {"value": [], "@odata.nextLink": link}
    with pytest.raises(ContractBroken, match="link"):
        fetch_page(world, BASE_URL, "")
    assert world.pull().status is SyncStatus.FAILED


def test_a_page_that_leads_to_itself_is_not_read_for_ever() -> None:
    world = World(people=5)
    world.change = lambda answer: answer | {"@odata.nextLink": f"{BASE_URL}/users/delta?$skiptoken=0.5.2"}
    run = world.pull()
    assert (run.status, run.pages) == (SyncStatus.FAILED, 1)
    assert "same page" in run.failure


def test_a_link_is_sent_as_it_came() -> None:
    world = World()
    opaque = "$deltatoken=oEcOy%2BSpF_hW==-mTIU%20ZB&x=$y(z)"
    world.change = lambda _answer: {"value": [], "@odata.deltaLink": f"{BASE_URL}/users/delta?{opaque}"}
    link = fetch_page(world, BASE_URL, "").link
    world.calls.clear()
    with pytest.raises(PartnerRefused):
        fetch_page(world, BASE_URL, link)
    assert world.calls == [("/users/delta", opaque)]


@pytest.mark.parametrize(
    "answer",
    [
        [],
        {"value": []},
        {"value": [], "@odata.nextLink": f"{BASE_URL}/users/delta?a", "@odata.deltaLink": f"{BASE_URL}/users/delta?b"},
        {"value": [{}], "@odata.deltaLink": f"{BASE_URL}/users/delta?b"},
        {"value": [{"id": ""}], "@odata.deltaLink": f"{BASE_URL}/users/delta?b"},
        {"@odata.deltaLink": f"{BASE_URL}/users/delta?b"},
    ],
    ids=["no object", "no link", "two links", "no id", "empty id", "no users"],
)
def test_what_is_no_page_is_retried(answer: Any) -> None:
    world = World()
    world.change = lambda _answer: answer
    with pytest.raises(MalformedResponse):
        fetch_page(world, BASE_URL, "")


def test_a_start_that_is_always_overtaken_ends_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.kernel.contention._LONGEST_PAUSE", 0.0)
    world = World(people=1)
    monkeypatch.setattr(SyncRunStore, "begin", lambda *_arguments: False)
    with pytest.raises(Busy, match="the turn of the pull of users is being changed by others"):
        start_sync(world.context, "somebody")
