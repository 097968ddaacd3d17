"""The hub as a user has it: Azurite, sandbox and host as processes, spoken to over HTTP and through its containers."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from local.client import HubClient
from local.free_ports import free_port
from local.processes import ROOT, Stack
from shared.adapters.storage_account import StorageAccount
from shared.adapters.tables import AzureTables
from tests.waiting import until

SETTINGS = {
    "ERP_PAGE_SIZE": "500",
    "ERP_PAGES_PER_SLICE": "2",
    "ERP_RETRY_FIRST_DELAY": "0.05",
    "HUB_MESSAGE_RETRY_DELAYS": "0.1",
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
