"""INC-74: the commands of the runbook "payroll export stuck" run as they are written, and the export goes on."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.client import HubClient
from local.processes import ROOT, Stack
from tests.component.runbook import answers_in, run_as_written

RUNBOOK = ROOT / "docs" / "runbooks" / "payroll-export-stuck.md"
PERIOD = "2025-01"


@pytest.fixture
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    options = ("--records", "50", "--employees", "12")
    settings = {"HUB_MESSAGE_RETRY_DELAYS": "0.1", "PAYROLL_RETRY_FIRST_DELAY": "0.05"}
    with Stack(settings=settings, sandbox_options=options, logs=tmp_path_factory.mktemp("logs")) as running:
        yield running


def await_status(admin: HubClient, export_id: str, status: str) -> dict[str, Any]:
    end = time.monotonic() + 60
    while (found := admin.call("GET", f"/admin/exports/{export_id}"))["status"] != status:
        assert time.monotonic() < end, found
        time.sleep(0.1)
    return dict(found)


def test_the_commands_run_as_they_are_written(stack: Stack, tmp_path: Path) -> None:
    admin, approver = (HubClient(stack.host_url, stack.sandbox_url, user) for user in ("admin", "approver"))
    stuck = _stuck_export(admin, approver)
    printed = run_as_written(RUNBOOK, admin, tmp_path, PERIOD=PERIOD)
    answers = answers_in(printed)
    assert answers[1]["data"]["failure"].startswith(f"export {stuck}: payroll's control totals are")
    assert f"{stuck}.csv" in printed, "the file was fetched and counted"
    await_status(admin, stuck, "Completed")
    # The last trigger of the runbook exports what was refused in the first one.
    delta = await_status(admin, answers[-2]["data"]["exportId"], "Completed")
    assert delta["delta"]
    assert admin.ask_sandbox("GET", "/payroll/ledger")["paidTwice"] == []


def _stuck_export(admin: HubClient, approver: HubClient) -> str:
    """Leave an export behind whose control totals differed; payroll has refused one employee."""
    admin.call("POST", "/admin/employees/syncs")
    end = time.monotonic() + 60
    while len(employees := [one["employeeId"] for one in admin.all("/employees")]) < 12:
        assert time.monotonic() < end
        time.sleep(0.1)
    amount = {"gross": "10.00", "net": "10.00"}
    records = [{"id": "one", "employeeId": one, "period": PERIOD, **amount} for one in employees]
    admin.call("POST", "/calculations", json={"calculations": records})
    admin.decide_all("submit", PERIOD)
    approver.decide_all("approve", PERIOD)
    admin.ask_sandbox("POST", "/payroll/reject", json={"employeeIds": employees[:1]})
    admin.ask_sandbox("POST", "/faults", json=[{"route": "payroll.batch", "kind": "wrong-totals"}])
    export_id = str(admin.export(PERIOD)["exportId"])
    await_status(admin, export_id, "Stopped")
    return export_id
