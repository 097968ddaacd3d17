"""INC-50 to INC-57 as an operator has them: the routes, around payroll over HTTP and a real SFTP session."""

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import azure.functions as func
import pytest

from functions.answering import respond
from functions.http_routes import ENDPOINTS
from functions.queues import CONSUMERS, process
from local.sandbox.faults import Fault
from local.sandbox.generator import Shape
from local.sandbox.payroll import Payroll
from local.sandbox.server import Sandbox
from shared.access.routes import ROUTES
from shared.hub import Hub, replaced_hub
from shared.incentives.calculation import State
from tests.component.export_hub import PERIOD, Due, approve, approve_all, employ
from tests.component.import_hub import environment
from tests.fakes.blobs import MemoryBlobs
from tests.fakes.queues import MemoryQueues
from tests.fakes.tables import MemoryTables

QUEUE = "payroll-exports"
(EXPORTS,) = (one for one in CONSUMERS if one.queue == QUEUE)


@pytest.fixture(scope="module")
def server() -> Iterator[Sandbox]:
    with Sandbox(Shape(records=10), sftp_port=0) as running:
        yield running


@pytest.fixture
def sandbox(server: Sandbox) -> Sandbox:
    """The sandbox as it was at the beginning."""
    server.payroll = Payroll()
    server.faults.clear()
    assert server.sftp
    server.sftp.faults.clear()
    for path in server.sftp.files():
        (server.sftp.root / path.lstrip("/")).unlink()
    return server


class Operator:
    """Somebody with a token, and time that jumps over waits."""

    def __init__(self, sandbox: Sandbox, **settings: str) -> None:
        self.now = datetime.now(UTC)
        self.sandbox = sandbox
        blobs = MemoryBlobs()
        self.queues = MemoryQueues(lambda: self.now, blobs)
        self.hub = Hub(
            environment(sandbox, **settings),
            clock=lambda: self.now,
            sleep=self._sleep,
            tables=MemoryTables(),
            blobs=blobs,
            queues=self.queues,
        )

    def _sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def call(self, function: str, *, user: str = "admin", body: Any = None, **more: Any) -> func.HttpResponse:
        route = next(one for one in ROUTES if one.function == function)
        module, name = ENDPOINTS[function].split(".")
        endpoint = getattr(__import__(f"functions.endpoints.{module}", fromlist=[name]), name)
        request = func.HttpRequest(
            method=route.method,
            url=f"http://127.0.0.1/api/{route.path}",
            headers={"Authorization": f"Bearer {self.sandbox.identity.token(user)}"},
            params=more.get("params", {}),
            route_params={"id": more.get("id", ""), "period": more.get("period", "")},
            body=json.dumps(body).encode() if body is not None else b"",
        )
        with replaced_hub(self.hub):
            return respond(route, endpoint, request)

    def data(self, function: str, **more: Any) -> Any:
        answer = self.call(function, **more)
        assert answer.status_code in (200, 202), answer.get_body()
        return json.loads(answer.get_body())["data"]

    def work(self) -> None:
        """Let the queue's function do what waits."""
        with replaced_hub(self.hub):
            while self.queues.depth(QUEUE):
                body = self.queues.take(QUEUE)
                if body is None:
                    self.now += timedelta(seconds=30)
                else:
                    process(EXPORTS, body.encode())

    def seen(self) -> dict[str, Any]:
        """Look at what is approved; return what a trigger says of it."""
        there = self.data("PreviewExport", period=PERIOD)
        return {name: there[name] for name in ("period", "count", "totalNet")}

    def export(self) -> dict[str, Any]:
        """Trigger an export, let it be done, return what is shown of it."""
        begun = self.data("TriggerExport", body=self.seen())
        self.work()
        shown: dict[str, Any] = self.data("GetExport", id=begun["exportId"])
        return shown


@pytest.fixture
def operator(sandbox: Sandbox) -> Operator:
    """An operator of a hub in which three employees are to be paid."""
    return ready(Operator(sandbox))


def ready(operator: Operator) -> Operator:
    employ(operator.hub, "E1", "E2", "E3")
    for number, employee in enumerate(("E1", "E2", "E3"), 1):
        approve(operator.hub, employee, number * 10_000)
    return operator


def error_of(answer: func.HttpResponse) -> dict[str, Any]:
    error: dict[str, Any] = json.loads(answer.get_body())["error"]
    return error


def test_an_export_from_the_trigger_to_the_file(operator: Operator, sandbox: Sandbox) -> None:
    sandbox.payroll.reject(["E2"], 1, "no bank account")
    answer = operator.call("TriggerExport", body={**operator.seen(), "force": True})
    begun = json.loads(answer.get_body())["data"]
    assert answer.status_code == 202
    assert (begun["status"], begun["step"], begun["startedBy"], begun["delta"]) == ("Running", "Freeze", "admin", False)
    again = operator.data("TriggerExport", body=operator.seen())
    assert again["exportId"] == begun["exportId"], "a repeat gives the same export"
    assert again["seen"] == {"count": 3, "totalNet": "600.00"}
    another = operator.call("TriggerExport", body={**operator.seen(), "count": 2})
    assert another.status_code == 412, "the export that runs is not of what this caller saw"
    operator.work()

    shown = operator.data("GetExport", id=begun["exportId"])
    assert shown["status"] == "Completed"
    assert [one["step"] for one in shown["steps"]] == [
        "Freeze",
        "Archive",
        "Post",
        "Verify",
        "Transfer",
        "Settle",
        "Notify",
    ]
    assert all(one["completedAt"] for one in shown["steps"])
    assert shown["controlTotals"] == shown["payrollControlTotals"] == {"recordCount": 3, "totalAmount": "600.00"}
    assert (shown["recordsAccepted"], shown["recordsRejected"], shown["acceptedAmount"]) == (2, 1, "400.00")
    assert shown["rejectedRecords"] == [{"employeeId": "E2", "reason": "no bank account"}]
    assert shown["payrollBatchId"] == "PB-000001"

    file = operator.call("GetExportFile", id=begun["exportId"])
    assert (file.status_code, file.mimetype) == (200, "text/csv")
    assert file.headers["Content-Disposition"] == f'attachment; filename="{begun["exportId"]}.csv"'
    assert sandbox.sftp
    assert sandbox.sftp.files() == {f"/incoming/dsif/{begun['exportId']}.csv": file.get_body()}
    rows = list(csv.DictReader(io.StringIO(file.get_body().decode(), newline="")))
    assert {one["EmployeeNumber"]: one["IncentiveAmount"] for one in rows} == {
        "N-E1": "100.00",
        "N-E2": "200.00",
        "N-E3": "300.00",
    }
    assert {one["LastName"] for one in rows} == {'Lee, "E1"', 'Lee, "E2"', 'Lee, "E3"'}


def test_before_its_first_step_an_export_has_no_file(operator: Operator) -> None:
    begun = operator.data("TriggerExport", body=operator.seen())
    answer = operator.call("GetExportFile", id=begun["exportId"])
    assert answer.status_code == 404
    assert error_of(answer)["message"] == f"export {begun['exportId']} has no file: it is Running, step Freeze"


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"period"}),
        ({"period": "2025-13"}, {"period"}),
        ({"period": "2025-W02"}, {"period"}),
        ({"period": "January"}, {"period"}),
        ({"period": PERIOD, "force": "perhaps", "foce": True}, {"force", "foce"}),
    ],
    ids=["none", "no month", "an even week", "a word", "force"],
)
def test_a_bad_trigger_is_refused_field_by_field(operator: Operator, body: dict[str, Any], fields: set[str]) -> None:
    answer = operator.call("TriggerExport", body=body)
    assert answer.status_code == 400
    assert {one["field"] for one in error_of(answer)["details"]} == fields


def test_a_refusal_has_the_count_and_the_ids(operator: Operator) -> None:
    """INC-51."""
    [pending] = approve_all(operator.hub, [Due("E1", 5, "bonus", State.PENDING)])
    answer = operator.call("TriggerExport", body={"period": PERIOD})
    assert (answer.status_code, error_of(answer)["code"]) == (409, "Conflict")
    assert error_of(answer)["message"].startswith("1 calculations of 2025-01 wait for a decision")
    assert error_of(answer)["details"] == [{"field": "calculations", "message": f"{pending} waits for a decision"}]


def test_nothing_to_export_and_exported_already_are_refused(operator: Operator) -> None:
    """INC-51."""
    empty = operator.call("TriggerExport", body={"period": "2024-11"})
    assert (empty.status_code, error_of(empty)["message"]) == (409, "nothing of 2024-11 is approved")
    done = operator.export()
    again = operator.call("TriggerExport", body={"period": PERIOD, "force": True})
    assert again.status_code == 409
    assert done["exportId"] in error_of(again)["message"]


def test_a_trigger_names_what_was_seen(operator: Operator) -> None:
    """INC-50: 428 without, 412 for something else; what is approved after the trigger is not in its export."""
    there = operator.data("PreviewExport", period=PERIOD)
    assert (there["count"], there["totalNet"], there["undecided"], there["unsubmitted"]) == (3, "600.00", 0, 0)
    details = [{"field": "count", "message": "3"}, {"field": "totalNet", "message": "600.00"}]
    for body, status, code in (
        ({"period": PERIOD}, 428, "PreconditionRequired"),
        ({"period": PERIOD, "count": 3}, 428, "PreconditionRequired"),
        ({"period": PERIOD, "count": 3, "totalNet": "600.01"}, 412, "PreconditionFailed"),
    ):
        answer = operator.call("TriggerExport", body=body)
        assert (answer.status_code, error_of(answer)["code"], error_of(answer)["details"]) == (status, code, details)
    seen = operator.seen()
    begun = operator.data("TriggerExport", body=seen)
    approve(operator.hub, "E1", 5_000, source="a bonus that nobody saw")
    operator.work()
    done = operator.data("GetExport", id=begun["exportId"])
    assert done["controlTotals"] == {"recordCount": 3, "totalAmount": "600.00"}
    again = operator.data("TriggerExport", body=seen)
    assert (again["exportId"], again["status"]) == (begun["exportId"], "Completed"), "its answer may have been lost"
    assert operator.call("PreviewExport", period="January").status_code == 400
    assert operator.export()["controlTotals"] == {"recordCount": 1, "totalAmount": "50.00"}


@pytest.mark.parametrize("user", ["approver", "reader"])
@pytest.mark.parametrize(
    "function", ["TriggerExport", "PreviewExport", "ListExports", "GetExport", "GetExportFile", "ResumeExport"]
)
def test_exports_are_for_the_admin_alone(operator: Operator, function: str, user: str) -> None:
    assert operator.call(function, user=user, body={"period": PERIOD}).status_code == 403
    assert operator.sandbox.payroll.batches == []


@pytest.mark.parametrize("export_id", ["0194a0b4-b1f4-7a13-9d8a-5c93fbf6c4ba", "../../x", ""], ids=repr)
@pytest.mark.parametrize("function", ["GetExport", "GetExportFile", "ResumeExport"])
def test_an_unknown_export_is_404(operator: Operator, function: str, export_id: str) -> None:
    assert operator.call(function, id=export_id).status_code == 404


def test_exports_are_listed_newest_first_page_by_page(operator: Operator) -> None:
    made = [operator.export()["exportId"]]
    for number in range(4):
        operator.now += timedelta(minutes=1)
        approve(operator.hub, "E1", 100, source=f"bonus {number}")
        made.append(operator.export()["exportId"])
    found: list[str] = []
    params = {"pageSize": "2"}
    while True:
        content = json.loads(operator.call("ListExports", params=params).get_body())
        found += [one["exportId"] for one in content["data"]]
        assert len(content["data"]) <= 2
        if not content["metadata"]["nextPageToken"]:
            break
        params["pageToken"] = content["metadata"]["nextPageToken"]
    assert found == made[::-1]


FAULTS = {
    "unavailable": [Fault("payroll.batch", "status", status=503, times=2)],
    "throttled": [Fault("payroll.batch", "status", status=429, retry_after="1")],
    "answer lost": [Fault("payroll.batch", "answer-lost", times=2)],
    "torn answer": [Fault("payroll.batch", "torn")],
    "no JSON": [Fault("payroll.batch", "not-json")],
    "expired token": [Fault("payroll.batch", "expired-token")],
    "a key in use": [Fault("payroll.batch", "key-in-use", times=3, retry_after="1")],
    "a known key answered with 409": [Fault("payroll.batch", "answer-lost"), Fault("payroll.batch", "known-key")],
}


@pytest.mark.parametrize("fault", FAULTS)
def test_payroll_that_misbehaves_pays_everybody_once(operator: Operator, sandbox: Sandbox, fault: str) -> None:
    """INC-53, INC-56."""
    sandbox.faults.add(FAULTS[fault])
    shown = operator.export()
    assert sandbox.faults.left() == []
    assert (shown["status"], shown["recordsAccepted"]) == ("Completed", 3)
    ledger = sandbox.payroll.ledger()
    assert (ledger["paid"], ledger["paidTwice"], len(ledger["batches"])) == ("600.00", [], 1)


@pytest.mark.parametrize("fault", ["reset", "cut-half", "before-rename", "after-rename", "disk-full"])
def test_an_sftp_server_that_misbehaves_has_one_whole_file(operator: Operator, sandbox: Sandbox, fault: str) -> None:
    """INC-54."""
    assert sandbox.sftp
    sandbox.sftp.fail_next(fault)
    shown = operator.export()
    assert sandbox.sftp.faults == []
    file = operator.call("GetExportFile", id=shown["exportId"])
    assert sandbox.sftp.files() == {shown["csvPath"]: file.get_body()}
    assert len(sandbox.payroll.batches) == 1


def test_control_totals_that_differ_stop_it_and_a_resume_ends_it(operator: Operator, sandbox: Sandbox) -> None:
    """INC-53."""
    sandbox.faults.add([Fault("payroll.batch", "wrong-totals")])
    shown = operator.export()
    assert (shown["status"], shown["step"], shown["failureCode"]) == ("Stopped", "Verify", "DataRefused")
    assert "payroll's control totals are 2 records, 600.00; sent were 3 records, 600.00" in shown["failure"]
    told = [one for one in operator.queues.messages("notifications") if one.type == "export.stopped"]
    assert [one.subject for one in told] == [shown["exportId"]]
    resumed = operator.data("ResumeExport", id=shown["exportId"])
    assert (resumed["status"], resumed["step"]) == ("Running", "Post")
    operator.work()
    assert operator.data("GetExport", id=shown["exportId"])["status"] == "Completed"
    assert sandbox.payroll.ledger()["paid"] == "600.00"
    assert operator.call("ResumeExport", id=shown["exportId"]).status_code == 409


def test_a_file_that_payroll_takes_before_its_rename_is_answered_is_sent_once_and_told(
    operator: Operator, sandbox: Sandbox
) -> None:
    """INC-56."""
    assert sandbox.sftp
    sandbox.sftp.collected.clear()
    sandbox.sftp.collects = True
    sandbox.sftp.fail_next("after-rename")
    try:
        shown = operator.export()
    finally:
        sandbox.sftp.collects = False
    assert (shown["status"], shown["csvTaken"]) == ("Completed", True)
    file = operator.call("GetExportFile", id=shown["exportId"])
    assert sandbox.sftp.collected == [(shown["csvPath"], file.get_body())]
    assert sandbox.sftp.files() == {}


@pytest.mark.parametrize("status", ["Failed", "Quarantined"])
def test_a_batch_that_payroll_calls_failed_or_what_nobody_knows_stops_the_export(
    operator: Operator, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, status: str
) -> None:
    """INC-53: whatever totals stand beside it."""
    receive = sandbox.payroll.receive
    with monkeypatch.context() as changed:
        changed.setattr(sandbox.payroll, "receive", lambda key, body: receive(key, body) | {"status": status})
        shown = operator.export()
    assert (shown["status"], shown["step"], shown["payrollStatus"]) == ("Stopped", "Verify", status)
    assert f"payroll says {status!r}" in shown["failure"]
    assert operator.call("ListExports").status_code == 200
    operator.data("ResumeExport", id=shown["exportId"])
    operator.work()
    assert operator.data("GetExport", id=shown["exportId"])["status"] == "Completed"
    assert sandbox.payroll.ledger()["paidTwice"] == []


@pytest.mark.parametrize("status", [400, 409, 422])
def test_a_refused_batch_stops_it_with_a_dead_letter(operator: Operator, sandbox: Sandbox, status: int) -> None:
    sandbox.faults.add([Fault("payroll.batch", "status", status=status)])
    shown = operator.export()
    assert (shown["status"], shown["step"], shown["failureCode"]) == ("Stopped", "Post", "PartnerRefused")
    assert f"answered {status}" in shown["failure"]
    [letter] = operator.data("ListDeadLetters")
    assert (letter["queue"], letter["adapterId"]) == (QUEUE, "payroll")
    operator.data("ResumeExport", id=shown["exportId"])
    operator.work()
    assert operator.data("GetExport", id=shown["exportId"])["status"] == "Completed"


def test_a_wrong_host_key_stops_it_after_payroll_and_before_anything_is_settled(sandbox: Sandbox) -> None:
    """INC-54: once the setting is right, the same export goes on and payroll is not asked again."""
    operator = ready(Operator(sandbox, SFTP_HOST_KEY="SHA256:" + "A" * 43))
    shown = operator.export()
    assert (shown["status"], shown["step"], shown["failureCode"]) == ("Stopped", "Transfer", "ConfigurationError")
    assert shown["failure"].startswith("setting SFTP_HOST_KEY: the server shows SHA256:")
    assert sandbox.sftp
    assert sandbox.sftp.files() == {}
    right = Hub(
        environment(sandbox),
        clock=lambda: operator.now,
        tables=operator.hub.tables,
        blobs=operator.hub.blobs,
        queues=operator.queues,
    )
    operator.hub = right
    operator.data("ResumeExport", id=shown["exportId"])
    operator.work()
    assert operator.data("GetExport", id=shown["exportId"])["status"] == "Completed"
    assert len(sandbox.sftp.files()) == 1
    assert sandbox.requests["payroll.batch 200"] >= 1
    assert (len(sandbox.payroll.batches), sandbox.payroll.repeats) == (1, 0)
