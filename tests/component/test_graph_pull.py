"""INC-33: users are pulled from the sandbox's Microsoft Graph over HTTP into tables of the real emulator."""

import json
import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import azure.functions as func
import pytest

from functions.http_routes import _handler
from functions.queues import CONSUMERS, process
from functions.scheduled import sync_users
from local.azurite_process import Azurite
from local.sandbox.faults import Fault
from local.sandbox.generator import Shape
from local.sandbox.server import Sandbox
from shared.access.routes import ROUTES
from shared.adapters.settings import Settings
from shared.hub import Hub, replaced_hub
from shared.kernel.errors import PartnerUnavailable
from shared.provisioning.context import SYNC_QUEUE
from shared.provisioning.graph_users import GraphUsers, Outcome
from tests.component.import_hub import environment
from tests.fakes.blobs import MemoryBlobs
from tests.fakes.invocation import context
from tests.fakes.queues import MemoryQueues
from tests.fakes.tables import MemoryTables

PEOPLE = 30
CONSUMER = next(one for one in CONSUMERS if one.queue == SYNC_QUEUE)


def settings(sandbox: Sandbox, **more: str) -> dict[str, str]:
    return environment(
        sandbox,
        GRAPH_BASE_URL=f"{sandbox.url}/graph/v1.0",
        GRAPH_TOKEN_URL=f"{sandbox.url}/identity/oauth2/v2.0/token",
        GRAPH_CLIENT_ID="hub-graph",
        GRAPH_CLIENT_SECRET="graph-secret",
        GRAPH_RETRY_FIRST_DELAY="0.01",
        GRAPH_PAGES_PER_SLICE="2",
        GRAPH_CALL_TIMEOUT="2",
        **more,
    )


class Pulling:
    """A hub whose queue is worked on by hand, and its callers."""

    def __init__(self, sandbox: Sandbox, given: dict[str, str], **parts: Any) -> None:
        self.now = datetime.now(UTC)
        self.sandbox = sandbox
        blobs = MemoryBlobs()
        self.queues = MemoryQueues(lambda: self.now, blobs)
        self.hub = Hub(given, clock=lambda: self.now, sleep=self._sleep, queues=self.queues, blobs=blobs, **parts)

    def _sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def __call__(self, function: str, body: Any = None, **of: str) -> tuple[int, Any]:
        """Call a route, return status and content."""
        route = next(one for one in ROUTES if one.function == function)
        request = func.HttpRequest(
            method=route.method,
            url=f"http://127.0.0.1/api/{route.path}",
            headers={"Authorization": f"Bearer {self.sandbox.identity.token('admin')}"},
            params={name: value for name, value in of.items() if name != "id"},
            route_params={name: value for name, value in of.items() if name == "id"},
            body=b"" if body is None else json.dumps(body).encode(),
        )
        with replaced_hub(self.hub):
            answer = _handler(route)(request, context())
        return answer.status_code, json.loads(answer.get_body())

    def deliver(self) -> bool:
        """Let the function work on a message; False when there is none. One that raises leaves it in the queue."""
        body = self.queues.take(SYNC_QUEUE)
        if body is None:
            return False
        try:
            with replaced_hub(self.hub):
                process(CONSUMER, body.encode())
        except BaseException:
            self.queues.put_back(SYNC_QUEUE, body)
            raise
        return True

    def work(self) -> None:
        """Work until nothing is left, letting time pass where messages wait."""
        while self.deliver() or self.queues.depth(SYNC_QUEUE):
            self.now += timedelta(seconds=30)

    def start(self, body: Any = None) -> str:
        """Start a pull by the route, return its ID."""
        status, answer = self("StartProvisioningSync", body)
        assert status == 202
        return str(answer["data"]["runId"])

    def pull(self, body: Any = None) -> dict[str, Any]:
        """Start a pull, work, return what the route shows of it."""
        self.now += timedelta(hours=1)
        run_id = self.start(body)
        self.work()
        run: dict[str, Any] = self("GetProvisioningSync", id=run_id)[1]["data"]
        return run

    def user(self, query: str) -> dict[str, Any]:
        """Return the one user that fits a filter, as SCIM shows him."""
        (found,) = self("ListUsers", filter=query)[1]["Resources"]
        return dict(found)

    def holds_what_graph_holds(self) -> bool:
        """Tell whether the active users are Graph's enabled ones, by ID and name."""
        here = self("ListUsers", filter="active eq true", count="200")[1]["Resources"]
        there = [user for user in self.sandbox.graph.users() if user["accountEnabled"]]
        return {(one["externalId"], one["userName"], one["displayName"]) for one in here} == {
            (one["id"], one["userPrincipalName"], one["displayName"]) for one in there
        }


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(Shape(records=1, employees=PEOPLE)) as running:
        running.graph.page_size = 12
        yield running


@pytest.fixture
def pulling(sandbox: Sandbox, azurite: Azurite, unique: Callable[[str], str]) -> Pulling:
    given = settings(sandbox, AzureWebJobsStorage=azurite.connection_string, HUB_TENANT=unique("pull"))
    return Pulling(sandbox, given)


def test_everybody_is_pulled_then_what_changed(pulling: Pulling) -> None:
    run = pulling.pull()
    assert (run["status"], run["fullSync"], run["pages"], run["created"]) == ("Succeeded", True, 3, PEOPLE)
    assert pulling.holds_what_graph_holds()
    graph = pulling.sandbox.graph
    renamed, disabled, deleted, ended = graph.users()[:4]
    graph.change(
        [
            {"id": renamed["id"], "set": {"userPrincipalName": "renamed@retail.example", "jobTitle": None}},
            {"id": disabled["id"], "set": {"accountEnabled": False}},
            {"id": deleted["id"], "delete": "changed"},
            {"id": ended["id"], "delete": "deleted"},
            {"add": {"userPrincipalName": "new@retail.example", "displayName": "New"}},
        ]
    )
    run = pulling.pull()
    found = {name: run[name] for name in ("created", "changed", "unchanged", "deactivated", "removed", "refused")}
    assert found == {"created": 1, "changed": 1, "unchanged": 0, "deactivated": 2, "removed": 1, "refused": 0}
    assert (run["status"], run["fullSync"], run["failure"]) == ("Succeeded", False, None)
    assert pulling.holds_what_graph_holds()
    user = pulling.user(f'externalId eq "{renamed["id"]}"')
    assert user["userName"] == "renamed@retail.example"
    assert "title" not in user
    listed = pulling("ListProvisioningSyncs", pageSize="1")[1]
    assert [one["runId"] for one in listed["data"]] == [run["runId"]]
    assert listed["metadata"]["nextPageToken"]


def test_a_pull_costs_a_few_transactions_for_each_user_and_hardly_any_when_nothing_changed(pulling: Pulling) -> None:
    count = pulling.hub.storage_account.transactions

    def cost(body: Any = None) -> int:
        before = count.total
        assert pulling.pull(body)["status"] == "Succeeded"
        return count.total - before

    assert cost() <= 4 * PEOPLE + 30
    assert cost() <= 20
    assert cost({"full": True}) <= 4 * PEOPLE + 30


def test_a_link_that_graph_forgot_lets_everybody_be_read_again(pulling: Pulling) -> None:
    pulling.pull()
    graph = pulling.sandbox.graph
    graph.change([{"id": user["id"], "delete": "changed"} for user in graph.users()[:3]])
    graph.forget_links()
    run = pulling.pull()
    assert (run["status"], run["fullSync"], run["deactivated"]) == ("Succeeded", True, 3)
    assert pulling.sandbox.requests["graph.users 410"] == 1
    assert pulling.holds_what_graph_holds()
    assert pulling.pull()["fullSync"] is False
    assert pulling.pull({"full": True})["unchanged"] == PEOPLE - 3


@pytest.mark.parametrize(
    "fault",
    [
        Fault("graph.users", "status", status=429, retry_after="7", after=1),
        Fault("graph.users", "status", status=503, retry_after="1", times=2),
        Fault("graph.users", "status", status=503, times=5, after=1),
        Fault("graph.users", "status", status=410, after=2),
        Fault("graph.users", "status", status=400, after=1),
        Fault("graph.users", "cut-json", after=1),
        Fault("graph.users", "torn"),
        Fault("graph.users", "reset", after=2),
        Fault("graph.users", "not-json"),
        Fault("graph.users", "expired-token", after=1),
        Fault("identity.token", "status", status=500),
    ],
    ids=lambda fault: f"{fault.route}-{fault.kind}-{fault.status}-{fault.times}",
)
def test_a_passing_fault_changes_nothing_in_the_result(pulling: Pulling, fault: Fault) -> None:
    pulling.sandbox.faults.add([fault])
    before = pulling.now
    run = pulling.pull()
    assert pulling.sandbox.faults.fired
    assert run["status"] == "Succeeded", run
    assert pulling.holds_what_graph_holds()
    waited = (pulling.now - before - timedelta(hours=1)).total_seconds()
    assert waited >= float(fault.retry_after or 0), "Retry-After is what Graph asks for"


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault("graph.users", "foreign-link", location="https://evil.example/v1.0/users/delta?a"), "GRAPH_BASE_URL"),
        (Fault("graph.users", "redirect", location="https://evil.example/"), "redirect"),
        (Fault("graph.users", "status", status=403), "403"),
        (Fault("graph.users", "gzip-bomb"), "bytes"),
    ],
    ids=lambda value: value.kind if isinstance(value, Fault) else None,
)
def test_a_lasting_fault_fails_the_run_in_words_and_the_next_one_repairs(
    pulling: Pulling, fault: Fault, words: str
) -> None:
    pulling.sandbox.faults.add([fault])
    run = pulling.pull()
    assert run["status"] == "Failed"
    assert words in run["failure"]
    told = {one.type for one in pulling.queues.messages("notifications")}
    assert {"provisioning-sync.failed", "dead-letter.created"} <= told
    assert pulling.pull()["status"] == "Succeeded"
    assert pulling.holds_what_graph_holds()


def test_a_worker_that_is_killed_half_way_is_carried_on(pulling: Pulling, monkeypatch: pytest.MonkeyPatch) -> None:
    apply, number = GraphUsers.apply, 0

    def die(self: GraphUsers, *given: Any) -> Outcome:
        nonlocal number
        number += 1
        if number == 20:
            raise KeyboardInterrupt
        return apply(self, *given)

    monkeypatch.setattr(GraphUsers, "apply", die)
    run_id = pulling.start()
    with pytest.raises(KeyboardInterrupt):
        pulling.work()
    assert pulling("GetProvisioningSync", id=run_id)[1]["data"]["status"] == "Running"
    assert pulling.start({"full": True}) == run_id, "one at a time"
    pulling.work()
    run = pulling("GetProvisioningSync", id=run_id)[1]["data"]
    assert (run["status"], run["pages"]) == ("Succeeded", 3), "the page that was done is not read again"
    assert pulling.holds_what_graph_holds()


def test_wrong_credentials_are_told_by_the_names_of_the_settings(sandbox: Sandbox) -> None:
    pulling = Pulling(sandbox, settings(sandbox) | {"GRAPH_CLIENT_SECRET": "wrong"}, tables=MemoryTables())
    run = pulling.pull()
    assert run["status"] == "Failed"
    assert "GRAPH_CLIENT_SECRET" in run["failure"]


def test_nobody_is_named_in_the_log(sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    pulling = Pulling(sandbox, settings(sandbox), tables=MemoryTables())
    sandbox.graph.change([{"add": {"userPrincipalName": ["unfit"], "surname": "Hidden"}}])
    sandbox.graph.change([{"add": {"userPrincipalName": "p@retail.example", "mail": 7, "surname": "Hidden"}}])
    sandbox.faults.add([Fault("graph.users", "status", status=410, after=1)])
    assert pulling.pull()["refused"] == 2
    assert "unfit: mail" in caplog.text
    private = {str(user.get(name)) for user in sandbox.graph.users() for name in ("surname", "userPrincipalName")}
    assert len(private) > PEOPLE
    assert [one for one in private if f" {one}" in caplog.text or f"'{one}'" in caplog.text] == []
    assert "@retail.example" not in caplog.text


def test_without_graph_nothing_is_pulled_and_nothing_is_missing(sandbox: Sandbox) -> None:
    given = environment(sandbox)
    pulling = Pulling(sandbox, given, tables=MemoryTables())
    for function in ("StartProvisioningSync", "ListProvisioningSyncs", "GetProvisioningSync"):
        status, answer = pulling(function, id="x")
        assert (status, answer["error"]["code"]) == (409, "Conflict")
        assert "GRAPH_CLIENT_ID" in json.dumps(answer)
    sync_users(pulling.hub, "")
    assert pulling.queues.depth(SYNC_QUEUE) == 0
    assert [one.field for one in Settings(given).problems() if one.field.startswith("GRAPH_")] == []
    with pytest.raises(KeyError):
        pulling.hub.health.run(["graph"])


def test_with_some_settings_of_graph_the_others_are_missed_by_name(sandbox: Sandbox) -> None:
    needed = {"GRAPH_TOKEN_URL", "GRAPH_CLIENT_ID", "GRAPH_CLIENT_SECRET"}
    for name in ("GRAPH_TOKEN_URL", "GRAPH_CLIENT_ID"):
        given = settings(sandbox)
        partly = {key: value for key, value in given.items() if not key.startswith("GRAPH_") or key == name}
        assert {one.field for one in Settings(partly).problems()} == needed - {name}


def test_a_tenant_is_enough_where_the_rest_is_microsoft_s_own(sandbox: Sandbox) -> None:
    authority = "https://login.microsoftonline.com/a-tenant"
    own = {"GRAPH_AUTHORITY": authority, "GRAPH_CLIENT_ID": "id", "GRAPH_CLIENT_SECRET": "secret"}
    found = Settings(environment(sandbox, **own)).graph
    assert found
    assert (found.base_url, found.scope) == (
        "https://graph.microsoft.com/v1.0",
        "https://graph.microsoft.com/.default",
    )


def test_the_timer_starts_a_pull_and_health_tells_of_graph(sandbox: Sandbox) -> None:
    pulling = Pulling(sandbox, settings(sandbox), tables=MemoryTables())
    sync_users(pulling.hub, "")
    pulling.work()
    (run,) = pulling("ListProvisioningSyncs")[1]["data"]
    assert (run["startedBy"], run["status"]) == ("SyncUsers", "Succeeded")
    (finding,) = pulling.hub.health.run(["graph"])
    assert finding.verdict.value == "pass"
    sandbox.faults.add([Fault("graph.users", "status", times=99)])
    for _ in range(2):
        with pytest.raises(PartnerUnavailable):
            pulling.hub.user_sync.graph.get_json("/users/delta", {})
    other = Pulling(sandbox, settings(sandbox), tables=pulling.hub.tables)
    (finding,) = other.hub.health.run(["graph"])
    assert (finding.verdict.value, finding.reason) == ("warn", "the circuit is open")
