"""`make demo`: a day of sales comes in from the ERP, reconciled to the cent, with an account of what happened."""

import argparse
import json
import signal
import sys
import time
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from local.client import HubClient
from local.processes import ROOT, Stack, StartError
from shared.adapters.storage_account import StorageAccount
from shared.adapters.tables import AzureTables
from shared.kernel.keys import join_key
from shared.kernel.money import amount_text

REPORT = ROOT / "build" / "demo-report.json"
FAULT_SETTINGS = {"ERP_CALL_TIMEOUT": "2", "ERP_RETRY_FIRST_DELAY": "0.5"}
"""With faults, a short patience: the point is what happens, not how long a slow ERP can be waited for."""


def main() -> int:
    """Play the demo; 0 only when every total reconciles."""
    parser = argparse.ArgumentParser(prog="python -m local.demo", description=__doc__)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--records", type=int, default=10_000)
    parser.add_argument("--date", type=date.fromisoformat, default=date(2025, 1, 15))
    parser.add_argument("--faults", type=int, choices=(0, 1), default=0)
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    console = Console()
    options = ("--seed", str(given.seed), "--records", str(given.records))
    began = time.monotonic()
    try:
        with Stack(settings=FAULT_SETTINGS if given.faults else {}, sandbox_options=options) as stack:
            started = time.monotonic() - began
            report = _play(console, stack, given.date, faults=bool(given.faults))
    except StartError as error:
        console.print(f"[red]{error}")
        return 1
    except KeyboardInterrupt:
        console.print("interrupted; everything is stopped")
        return 130
    report["seconds"]["start"] = round(started, 2)
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n")
    _print(console, report)
    return 0 if report["reconciled"] else 1


def _play(console: Console, stack: Stack, day: date, *, faults: bool) -> dict[str, Any]:
    client = HubClient(stack.host_url, stack.sandbox_url)
    client.map_all_employees()
    truth = client.ask_sandbox("GET", "/ledger", params={"date": day.isoformat()})
    if faults:
        client.ask_sandbox("POST", "/faults", json={"preset": "demo"})
    began = time.monotonic()
    run_id = client.start_import(day.isoformat())
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("importing", total=None)
        account = StorageAccount(stack.azurite.connection_string)
        run = client.wait_for(run_id, each=lambda seen: progress.update(task, description=_stage(seen)))
    seconds = time.monotonic() - began
    ledger = client.ask_sandbox("GET", "/ledger", params={"date": day.isoformat()})
    notifications = _notifications(client, run_id)
    tables = AzureTables(account)
    stored = {
        "staged": _staged(tables, run),
        "salesMetrics": _metrics(tables, day),
    }
    return _report(run, truth, ledger, stored, notifications, seconds)


def _notifications(client: HubClient, run_id: str) -> list[Any]:
    """Return what operators were told about the run; it travels by a queue, so it may come a moment later."""
    end = time.monotonic() + 10
    while True:
        told = [one for one in client.ask_sandbox("GET", "/notifications") if one["subject"] == run_id]
        if told or time.monotonic() > end:
            return told
        time.sleep(0.1)


def _stage(run: dict[str, Any]) -> str:
    return f"{run['status'].lower()}: run {run['runId'][-12:]}"


def _staged(tables: AzureTables, run: dict[str, Any]) -> dict[str, Any]:
    """Count what lies in the staging table: not what the import says of itself."""
    table, records, cents = tables.table("StagingSalesData"), 0, 0
    for page in range(1, run["pages"] + 1):
        partition = join_key("default", run["runId"], f"{run['generation']}-{page:07d}")
        for row in table.query(partition, select=["salesAmountMinor"]):
            records, cents = records + 1, cents + int(str(row.values["salesAmountMinor"]))
    return {"records": records, "amount": amount_text(cents)}


def _metrics(tables: AzureTables, day: date) -> dict[str, Any]:
    """Count what lies in SalesMetrics for the day, and check each row's total against its cells."""
    records, cents, employees = 0, 0, 0
    for row in tables.table("SalesMetrics").query(join_key("default", f"{day:%Y-%m}")):
        if row.key.startswith("employee|"):
            cells = [cell for stores in json.loads(str(row.values["days"])).values() for cell in stores.values()]
            if sum(cell[0] for cell in cells) != row.values["amountMinor"]:
                raise AssertionError(f"{row.key}: the total is not the sum of its days")
            records, cents = records + sum(cell[2] for cell in cells), cents + sum(cell[0] for cell in cells)
            employees += 1
    return {"records": records, "amount": amount_text(cents), "employees": employees}


def _report(
    run: dict[str, Any],
    truth: dict[str, Any],
    ledger: dict[str, Any],
    stored: dict[str, Any],
    notifications: list[Any],
    seconds: float,
) -> dict[str, Any]:
    held, metrics = Decimal(truth["heldAmount"]), Decimal(stored["salesMetrics"]["amount"])
    checks: dict[str, Callable[[], bool]] = {
        "run ended well": lambda: run["status"] in ("Succeeded", "PartialSuccess"),
        "records read": lambda: run["recordsRead"] == truth["records"],
        "rejects by reason": lambda: run["rejectedByReason"] == truth["rejectedByReason"],
        "duplicates": lambda: run["duplicates"] == truth["duplicates"],
        "staged amount": lambda: stored["staged"]["amount"] == truth["validAmount"],
        "staged records": lambda: stored["staged"]["records"] == truth["valid"],
        "metrics amount": lambda: stored["salesMetrics"]["amount"] == truth["importedAmount"],
        "metrics records": lambda: stored["salesMetrics"]["records"] == truth["imported"],
    }
    outcome = {name: check() for name, check in checks.items()}
    return {
        "reconciled": all(outcome.values()),
        "checks": outcome,
        "run": run,
        "erp": {name: truth[name] for name in ("records", "valid", "validAmount", "held", "heldAmount")},
        "stored": stored,
        "difference": f"{Decimal(truth['validAmount']) - held - metrics:.2f}",
        "faultsFired": ledger["faultsFired"],
        "requests": ledger["requests"],
        "notifications": [one["type"] for one in notifications],
        "seconds": {
            "import": round(seconds, 2),
            "staging": run["stagingSeconds"],
            "publishing": run["publishingSeconds"],
        },
    }


def _print(console: Console, report: dict[str, Any]) -> None:
    run, stored, erp = report["run"], report["stored"], report["erp"]
    table = Table(title=f"Import of {run['date']}, run {run['runId']}", show_header=False)
    for name, value in (
        ("status", run["status"]),
        ("pages", run["pages"]),
        ("records read", run["recordsRead"]),
        ("accepted", run["staged"]),
        *((f"rejected: {reason}", number) for reason, number in run["rejectedByReason"].items()),
        ("duplicates", run["duplicates"]),
        ("unmapped employees", f"{run['unmappedEmployees']} ({run['held']} sales held, {run['heldAmount']})"),
        *((f"fault: {one['kind']}", f"page {one['page']}") for one in report["faultsFired"]),
        ("notifications", ", ".join(report["notifications"]) or "none yet"),
        *((f"seconds: {stage}", value) for stage, value in report["seconds"].items()),
    ):
        table.add_row(str(name), str(value))
    console.print(table)
    totals = Table("", "records", "amount", title="Control totals")
    totals.add_row("ERP, valid", str(erp["valid"]), erp["validAmount"])
    totals.add_row("staged", str(stored["staged"]["records"]), stored["staged"]["amount"])
    totals.add_row("held for unmapped employees", str(erp["held"]), erp["heldAmount"])
    totals.add_row("SalesMetrics", str(stored["salesMetrics"]["records"]), stored["salesMetrics"]["amount"])
    totals.add_row("difference", "", report["difference"])
    console.print(totals)
    for name, good in report["checks"].items():
        if not good:
            console.print(f"[red]does not reconcile: {name}")
    verdict = "[green]reconciled to the cent" if report["reconciled"] else "[red]NOT reconciled"
    console.print(f"{verdict}; the report is build/{REPORT.name}")


if __name__ == "__main__":
    sys.exit(main())
