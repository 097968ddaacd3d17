"""The hub as a user has it: Azurite, sandbox and host as processes, spoken to over HTTP and through its containers."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
import pytest
import requests

from local.client import HubClient
from local.free_ports import free_port
from local.processes import ROOT, Stack
from shared.adapters.blobs import AzureBlobs
from shared.adapters.storage_account import StorageAccount
from shared.adapters.tables import AzureTables
from tests.waiting import until

SETTINGS = {
    "ERP_PAGE_SIZE": "500",
    "ERP_PAGES_PER_SLICE": "2",
    "ERP_RETRY_FIRST_DELAY": "0.05",
    "HUB_MESSAGE_RETRY_DELAYS": "0.1",
    "LOCAL_HOST_BLOB_POLL_SECONDS": "0.2",
}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    logs = tmp_path_factory.mktemp("logs")
    options = ("--records", "2000", "--employees", "30")
    with Stack(settings=SETTINGS, sandbox_options=options, logs=logs) as running:
        yield running


@pytest.fixture(scope="module")
def admin(stack: Stack) -> HubClient:
    client = HubClient(stack.host_url, stack.sandbox_url)
    client.map_all_employees()
    return client


def totals(admin: HubClient, day: str) -> dict[str, Any]:
    ledger: dict[str, Any] = admin.ask_sandbox("GET", "/ledger", params={"date": day})
    return ledger


def test_rejects_are_listed_page_by_page_with_the_raw_record(admin: HubClient) -> None:
    """INC-04."""
    run_id = admin.start_import("2025-01-16")
    run = admin.wait_for(run_id)
    found: list[dict[str, Any]] = []
    token = ""
    while True:
        params = {"pageSize": "7", "pageToken": token}
        answer = admin.session.get(f"{admin.base}/admin/imports/{run_id}/rejects", params=params, timeout=10).json()
        found += answer["data"]
        token = answer["metadata"]["nextPageToken"]
        if token is None:
            break
    assert len(found) == run["rejected"] + run["duplicates"]
    spoilt = next(one for one in found if one["reason"] == "AmountPrecision")
    assert spoilt["message"] == "salesAmount: 12.345 has more than two decimals"
    assert '"12.345"' in spoilt["raw"]


def test_the_admin_endpoint_imports_the_day_in_its_body(stack: Stack, admin: HubClient) -> None:
    """INC-01: `{"date": ...}` by way of /admin/functions/ImportErpSalesData."""
    body = {"input": json.dumps({"date": "2025-01-17", "storeId": "S001"})}
    answer = requests.post(f"{stack.host_url}/admin/functions/ImportErpSalesData", json=body, timeout=10)
    assert answer.status_code == 202
    listed = until(lambda: admin.call("GET", "/admin/imports", params={"date": "2025-01-17"}))
    run = admin.wait_for(listed[0]["runId"])
    assert (run["trigger"], run["storeId"], run["status"]) == ("Manual", "S001", "PartialSuccess")
    assert run["publishedAmount"] < totals(admin, "2025-01-17")["importedAmount"] or run["published"] < 2000


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


@pytest.mark.parametrize(
    ("user", "status"), [("admin", 200), ("approver", 403), ("reader", 403)], ids=["admin", "approver", "reader"]
)
def test_administration_needs_the_admin_role(stack: Stack, user: str, status: int) -> None:
    """INC-31."""
    client = HubClient(stack.host_url, stack.sandbox_url, user)
    assert client.session.get(f"{client.base}/admin/imports", timeout=10).status_code == status


def test_no_token_is_refused_with_the_security_headers(stack: Stack) -> None:
    """INC-30, INC-34."""
    answer = requests.get(f"{stack.host_url}/api/v1/admin/imports", timeout=10)
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "Unauthenticated"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["Referrer-Policy"] == "strict-origin-when-cross-origin"
    assert "unsafe-inline" not in answer.headers["Content-Security-Policy"]
    assert requests.options(f"{stack.host_url}/api/v1/admin/imports", timeout=10).status_code == 204


def test_health_tells_of_storage_queues_and_erp(stack: Stack) -> None:
    """INC-10, INC-72."""
    answer = requests.get(f"{stack.host_url}/api/v1/health", timeout=10)
    data = answer.json()["data"]
    assert answer.status_code == 200
    partners = {"erp", "hr", "payroll", "payroll-sftp", "e-mail", "notifications", "sales", "graph"}
    assert {check["name"] for check in data["checks"]} == {"storage", "queues", "timers", *partners}
    for probe in ("liveness", "readiness", "startup"):
        assert requests.get(f"{stack.host_url}/api/v1/health/{probe}", timeout=10).status_code == 200


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
    assert [one["route"] for one in mine].count("erp.sales") == 4, "pages that are fetched ahead, too"


def test_timers_leave_their_heartbeat(stack: Stack, admin: HubClient) -> None:
    """INC-72: run by hand, or by the host; health sees no timer missing."""
    answer = requests.post(f"{stack.host_url}/admin/functions/MeasureHub", json={"input": ""}, timeout=10)
    assert answer.status_code == 202
    table = AzureTables(StorageAccount(stack.azurite.connection_string)).table("Heartbeats")
    row = until(lambda: (found := table.get("default", "MeasureHub")) and found.values.get("succeededAt") and found)
    assert row.values["schedule"] == "0 * * * * *"
    data = requests.get(f"{stack.host_url}/api/v1/health", timeout=10).json()["data"]
    (timers,) = [check for check in data["checks"] if check["name"] == "timers"]
    assert (timers["verdict"], timers["reason"]) == ("pass", None)


def test_a_bad_body_is_refused_field_by_field(admin: HubClient) -> None:
    """INC-01."""
    answer = admin.session.post(f"{admin.base}/admin/imports", json={"date": "yesterday", "stoer": 1}, timeout=10)
    assert answer.status_code == 400
    assert {detail["field"] for detail in answer.json()["error"]["details"]} == {"date", "stoer"}


def test_a_port_that_is_taken_is_named_and_nothing_stays_behind() -> None:
    """A second `make start` says what to do."""
    port = free_port()
    blocker = subprocess.Popen([sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"], cwd=ROOT)
    try:
        until(lambda: _answers(port))
        command = [sys.executable, "-m", "local.sandbox", "--port", str(port)]
        second = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
        assert second.returncode == 1
        assert second.stderr.strip() == f"port {port} is taken: choose another with --port (SANDBOX_PORT for make)"
    finally:
        blocker.kill()
        blocker.wait()


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)],
    ids=["Ctrl-C", "terminated", "killed"],
)
def test_a_demo_that_is_stopped_leaves_no_process_behind(tmp_path: Path, number: int, code: int) -> None:
    """A killed one too, on Linux, where children can be bound to their parent."""
    if number == signal.SIGKILL and sys.platform != "linux":
        pytest.skip("only Linux ends children whose parent was killed")
    command = [sys.executable, "-m", "local.demo", "--records", "2000"]
    with (tmp_path / "demo.log").open("wb") as log:
        demo = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, start_new_session=True)
        process = psutil.Process(demo.pid)
        children = until(lambda: len(process.children(recursive=True)) >= 3 and process.children(recursive=True))
        demo.send_signal(number)
        assert demo.wait(30) == code
    until(lambda: not any(child.is_running() for child in children))


def test_users_are_pulled_from_microsoft_graph(admin: HubClient) -> None:
    """INC-33: by the route and the queue, into the directory that SCIM shows."""
    run_id = admin.call("POST", "/admin/provisioning/syncs")["runId"]

    def ended() -> Any:
        run = admin.call("GET", f"/admin/provisioning/syncs/{run_id}")
        return run if run["status"] != "Running" else None

    run = until(ended)
    assert (run["status"], run["fullSync"], run["created"]) == ("Succeeded", True, 30)
    headers = {"Authorization": admin.session.headers["Authorization"]}
    users = requests.get(f"{admin.base}/scim/v2/Users", headers=headers, timeout=30).json()
    there = admin.ask_sandbox("GET", "/graph/ledger")["users"]
    assert {one["externalId"] for one in users["Resources"]} == {one["id"] for one in there}


def _answers(port: int) -> bool:
    try:
        requests.get(f"http://127.0.0.1:{port}", timeout=1)
    except requests.ConnectionError:
        return False
    return True
