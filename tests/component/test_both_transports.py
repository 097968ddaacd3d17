"""The hub as a user has it, on each transport: the same functions, the same messages, the same outcome.

What does not concern messages is in test_running_hub.py, on storage queues alone.
"""

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
import requests

from local.client import HubClient
from local.processes import Stack
from shared.adapters.blobs import AzureBlobs
from shared.adapters.storage_account import StorageAccount
from shared.kernel.clock import utc_now
from shared.kernel.message import Queues, new_message
from tests.waiting import until

SETTINGS = {
    "ERP_PAGE_SIZE": "500",
    "ERP_PAGES_PER_SLICE": "2",
    "ERP_RETRY_FIRST_DELAY": "0.05",
    "HUB_MESSAGE_RETRY_DELAYS": "0.1",
    "LOCAL_HOST_BLOB_POLL_SECONDS": "0.2",
    # Storage queues hold back a message whose function failed; nobody has to wait for that here.
    "AzureFunctionsJobHost__extensions__queues__visibilityTimeout": "00:00:00",
}


@pytest.fixture(scope="module")
def stack(broker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    logs = tmp_path_factory.mktemp("logs")
    options = ("--records", "2000", "--employees", "30")
    with Stack(settings=SETTINGS, service_bus=broker, sandbox_options=options, logs=logs) as running:
        yield running


@pytest.fixture(scope="module")
def admin(stack: Stack) -> HubClient:
    client = HubClient(stack.host_url, stack.sandbox_url)
    client.map_all_employees()
    return client


@pytest.fixture
def queues(stack: Stack) -> Iterator[Queues]:
    """The hub's queues, for a test that puts something on them itself."""
    with stack.queues() as opened:
        yield opened


def test_an_import_by_the_api_runs_to_the_cent(admin: HubClient) -> None:
    """INC-01, INC-05, INC-06: several slices through the queue; the operators' webhook is told."""
    run = admin.wait_for(admin.start_import("2025-01-15"))
    truth = admin.ask_sandbox("GET", "/ledger", params={"date": "2025-01-15"})
    assert (run["status"], run["slices"], run["recordsRead"]) == ("PartialSuccess", 2, 2000)
    assert run["controlTotals"]["salesMetrics"] == {"records": truth["imported"], "amount": truth["importedAmount"]}
    assert run["controlTotals"]["held"] == {"records": truth["held"], "amount": truth["heldAmount"]}
    assert run["controlTotals"]["difference"] == {"records": 0, "amount": "0.00"}
    assert run["rejectedByReason"] == truth["rejectedByReason"]
    assert run["startedBy"] == "admin"
    told = until(
        lambda: [n for n in admin.ask_sandbox("GET", "/notifications") if n["subject"] == run["runId"]], seconds=15
    )
    assert [one["type"] for one in told] == ["import.completed"]


def test_the_admin_endpoint_imports_the_day_in_its_body(stack: Stack, admin: HubClient) -> None:
    """INC-01: `{"date": ...}` by way of /admin/functions/ImportErpSalesData."""
    body = {"input": json.dumps({"date": "2025-01-17", "storeId": "S001"})}
    answer = requests.post(f"{stack.host_url}/admin/functions/ImportErpSalesData", json=body, timeout=10)
    assert answer.status_code == 202
    listed = until(lambda: admin.call("GET", "/admin/imports", params={"date": "2025-01-17"}))
    run = admin.wait_for(listed[0]["runId"])
    assert (run["trigger"], run["storeId"], run["status"]) == ("Manual", "S001", "PartialSuccess")
    assert (
        run["publishedAmount"] < admin.ask_sandbox("GET", "/ledger", params={"date": "2025-01-17"})["importedAmount"]
        or run["published"] < 2000
    )


def test_the_timer_imports_yesterday_once_however_often_it_fires(stack: Stack, admin: HubClient) -> None:
    """INC-01, INC-07."""
    for _ in range(3):
        answer = requests.post(f"{stack.host_url}/admin/functions/ImportErpSalesData", json={"input": ""}, timeout=10)
        assert answer.status_code == 202

    def by_timer() -> list[Any]:
        return [run for run in admin.call("GET", "/admin/imports") if run["trigger"] in ("Timer", "Watchdog")]

    until(by_timer)
    assert admin.wait_for(by_timer()[0]["runId"])["status"] == "PartialSuccess"
    assert len(by_timer()) == 1


def test_a_dropped_file_is_imported_and_a_malformed_one_goes_to_quarantine(stack: Stack, admin: HubClient) -> None:
    """INC-09."""
    blobs = AzureBlobs(StorageAccount(stack.azurite.connection_string))
    header = "transactionId,transactionDate,employeeId,storeId,salesAmount,unitsSold,productCategory,productSku\r\n"
    rows = [f"F-{n},2025-02-03T12:00:00+01:00,E00001,S001,10.0{n},1,Shoes,SKU\r\n" for n in range(3)]
    blobs.container("erp-inbox").write("2025-02-03.csv", (header + "".join(rows)).encode())
    blobs.container("erp-inbox").write("broken.csv", b"transactionId,employeeId\r\n1,2\r\n")

    def runs(name: str, status: tuple[str, ...]) -> list[Any]:
        listed = admin.call("GET", "/admin/imports", params={"pageSize": 50})
        return [run for run in listed if run["fileName"] == name and run["status"] in status]

    good = until(lambda: runs("2025-02-03.csv", ("Succeeded", "PartialSuccess", "Failed")))[0]
    assert (good["status"], good["published"], good["publishedAmount"]) == ("Succeeded", 3, "30.03")
    bad = until(lambda: runs("broken.csv", ("Failed",)))[0]
    quarantine = blobs.container("erp-quarantine")
    report = json.loads(quarantine.read(f"{bad['runId']}/broken.csv.report.json"))
    assert "the header line lacks transactionDate" in report["reason"]
    assert quarantine.read(f"{bad['runId']}/broken.csv") == b"transactionId,employeeId\r\n1,2\r\n"
    assert blobs.container("erp-inbox").info("broken.csv") is None


def test_the_caller_s_trace_reaches_the_partners(admin: HubClient) -> None:
    """RES-08: HTTP request, queue, ERP, queue, operators' webhook; without any exporter."""
    trace_id = f"{uuid4().hex}"
    headers = {"traceparent": f"00-{trace_id}-00f067aa0ba902b7-01"}
    answer = admin.raw("POST", "/admin/imports", json={"date": "2025-02-10"}, headers=headers)
    assert answer.headers["traceresponse"].split("-")[1] == trace_id
    admin.wait_for(answer.json()["data"]["runId"])

    def seen() -> set[str]:
        traces = admin.ask_sandbox("GET", "/traces")
        return {one["route"] for one in traces if one["traceparent"].split("-")[1] == trace_id}

    until(lambda: {"erp.sales", "notifications"} <= seen(), seconds=15)
    mine = [one for one in admin.ask_sandbox("GET", "/traces") if trace_id in one["traceparent"]]
    assert len({one["traceparent"] for one in mine}) == len(mine), "every call is a span of its own"
    assert all(one["correlationId"] for one in mine)
    # Four pages, those that are fetched ahead too; pages that repeat a record are asked for again.
    assert [one["route"] for one in mine].count("erp.sales") > 4


def test_a_partner_that_stays_down_ends_in_the_dead_letters_and_a_resubmit_finishes_the_run(admin: HubClient) -> None:
    """INC-70, INC-71."""
    fault = {"route": "erp.sales", "kind": "status", "status": 400, "times": 1}
    admin.ask_sandbox("POST", "/faults", json=[fault])
    run_id = admin.start_import("2025-01-20")
    run = admin.wait_for(run_id)
    assert (run["status"], run["failureCode"]) == ("Failed", "PartnerRefused")
    letters = until(lambda: admin.call("GET", "/admin/dead-letters", params={"status": "Open"}))
    letter = next(one for one in letters if one["subject"] == run_id)
    assert (letter["queue"], letter["kind"], letter["adapterId"]) == ("import-slices", "Parked", "erp")
    shown = admin.call("GET", f"/admin/dead-letters/{letter['id']}")
    assert json.loads(shown["message"])["data"]["runId"] == run_id
    outcome = admin.call("POST", "/admin/dead-letters/resubmit", json={"ids": [letter["id"], "0" * 46]})
    assert "messageId" in outcome[0]
    assert outcome[1]["error"]["code"] == "NotFound"
    until(lambda: admin.call("GET", f"/admin/imports/{run_id}")["status"] == "PartialSuccess")


def test_a_crash_loop_ends_in_the_dead_letters_and_corrected_data_are_worked_on(
    admin: HubClient, queues: Queues
) -> None:
    """INC-71: a message that its function fails at each time is given up by the broker after five deliveries."""
    run_id = admin.start_import("2025-01-21")
    admin.wait_for(run_id)
    crashing = new_message(
        message_id="crashes", message_type="import.publish", tenant="default", now=utc_now(), subject="crash", data={}
    )
    queues.send("import-slices", crashing)

    def of_the_crash(**more: str) -> list[Any]:
        listed = admin.call("GET", "/admin/dead-letters", params={"kind": "Broker", **more})
        return [one for one in listed if one["subject"] == "crash"]

    (letter,) = until(of_the_crash)
    assert (letter["queue"], letter["reason"], letter["deliveryCount"]) == ("import-slices", "CrashLoop", 5)
    told = until(lambda: [n for n in admin.ask_sandbox("GET", "/notifications") if n["subject"] == letter["id"]])
    assert [one["type"] for one in told] == ["dead-letter.created"]
    path = f"/admin/dead-letters/{letter['id']}/resubmit"
    assert admin.call("POST", path, json={"data": {"runId": run_id}})["messageId"]
    assert [one["status"] for one in of_the_crash()] == ["Resubmitted"]
    until(lambda: queues.depth("import-slices") == 0)
    assert len(of_the_crash()) == 1


def test_health_tells_of_the_queues(stack: Stack) -> None:
    """INC-72: whatever carries them."""
    answer = requests.get(f"{stack.host_url}/api/v1/health", timeout=10)
    checks = {check["name"]: check for check in answer.json()["data"]["checks"]}
    assert answer.status_code == 200
    assert (checks["queues"]["verdict"], checks["queues"]["reason"]) == ("pass", None)
    assert requests.get(f"{stack.host_url}/api/v1/health/startup", timeout=10).status_code == 200
