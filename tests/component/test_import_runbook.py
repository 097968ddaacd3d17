"""INC-74: the commands of the runbook "ERP import failed" run as they are written, and the day is imported."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from local.client import HubClient
from local.processes import ROOT, Stack
from tests.component.runbook import answers_in, run_as_written

RUNBOOK = ROOT / "docs" / "runbooks" / "erp-import-failed.md"
DAY = "2025-01-16"
"""The failed one; the day before was imported well."""


@pytest.fixture
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    slices = {"ERP_PAGE_SIZE": "50", "ERP_PAGES_PER_SLICE": "2"}  # the first one, which is done, has refused something
    settings = {"HUB_MESSAGE_RETRY_DELAYS": "0.1", "ERP_RETRY_FIRST_DELAY": "0.05", **slices}
    options = ("--records", "500", "--employees", "12", "--sprinkle")
    with Stack(settings=settings, sandbox_options=options, logs=tmp_path_factory.mktemp("logs")) as running:
        yield running


def test_the_commands_run_as_they_are_written(stack: Stack, tmp_path: Path) -> None:
    admin = HubClient(stack.host_url, stack.sandbox_url)
    admin.map_all_employees()
    assert admin.wait_for(admin.start_import("2025-01-15"))["status"] == "PartialSuccess"
    refused = {"route": "erp.sales", "kind": "status", "status": 400, "page": 9}
    admin.ask_sandbox("POST", "/faults", json=[refused])
    failed = admin.start_import(DAY)
    assert admin.wait_for(failed)["failureCode"] == "PartnerRefused"
    found, waiting, rejects, again, unconfirmed = answers_in(run_as_written(RUNBOOK, admin, tmp_path))
    assert [one["runId"] for one in found["data"]] == [failed]
    assert (waiting["data"], unconfirmed["data"]) == ([], [])
    assert rejects["data"], "what was refused before the run failed"
    run = admin.wait_for(again["data"]["runId"])
    assert (run["date"], run["status"]) == (DAY, "PartialSuccess")
    assert run["controlTotals"]["difference"] == {"records": 0, "amount": "0.00"}
    truth = admin.ask_sandbox("GET", "/ledger", params={"date": DAY})
    assert run["controlTotals"]["salesMetrics"] == {"records": truth["imported"], "amount": truth["importedAmount"]}
