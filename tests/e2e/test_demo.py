"""The whole story, from sales to pay, as `make demo` plays it; whatever the partners do, it is the same to the cent."""

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from shared.kernel.transport import Transport

ROOT = Path(__file__).resolve().parents[2]


@cache
def report_of(folder: Path, faults: int, broker: str = "") -> dict[str, Any]:
    """Play the story, on Service Bus where a broker's connection string is given; return its account."""
    queues = {"HUB_QUEUES": Transport.SERVICE_BUS.value, "ServiceBusConnection": broker} if broker else {}
    target = folder / f"report-{faults}-{len(queues)}.json"
    options = ["--records", "1550", "--faults", str(faults), "--report", str(target)]
    done = subprocess.run(
        [sys.executable, "-m", "local.demo", *options],
        cwd=ROOT,
        env={**os.environ, **queues},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    report: dict[str, Any] = json.loads(target.read_text())
    return report


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


def test_the_story_reconciles_to_the_cent(folder: Path) -> None:
    """INC-05, INC-53, INC-54, INC-57: every system holds the same."""
    report = report_of(folder, 0)
    assert report["reconciled"]
    assert all(report["checks"].values())
    against = [line for line in report["controlTotals"] if line["against"]]
    assert {line["difference"] for line in against} == {"0.00"}
    assert [line["name"] for line in against] == [
        "SalesMetrics",
        "approved (calculated + amended - rejected)",
        "sent to payroll",
        "accepted by payroll",
        "CSV on SFTP",
        "CSV in blob",
    ]


def test_partners_that_misbehave_change_nothing_in_the_result(folder: Path, broker: str) -> None:
    """INC-70, INC-56: lost answers, cut uploads, expired tokens, torn pages; on either transport."""
    clean, faulty = report_of(folder, 0), report_of(folder, 1, broker)
    assert faulty["queues"] == (Transport.SERVICE_BUS if broker else Transport.STORAGE)
    kinds = {(one["route"].partition(".")[0], one["kind"]) for one in faulty["faultsFired"]}
    assert {("payroll", "answer-lost"), ("erp", "expired-token"), ("hr", "cut-json")} <= kinds
    assert clean["faultsFired"] == []
    assert faulty["reconciled"]
    assert faulty["controlTotals"] == clean["controlTotals"]
    assert faulty["mails"] == clean["mails"]
