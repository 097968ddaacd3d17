"""`python -m local.demo`: play the story, print the account, write build/demo-report.json."""

import argparse
import json
import signal
import sys
import time
from datetime import date
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from local.demo.account import Sandbox, account_of
from local.demo.story import Story
from local.processes import Stack, StartError
from local.sandbox.generator import FEWEST_SPRINKLED
from shared.adapters.storage_account import StorageAccount
from shared.adapters.tables import AzureTables

FEWEST_RECORDS = 31 * FEWEST_SPRINKLED
REPORT = Path("build/demo-report.json")
SETTINGS = {
    "ERP_PAGE_SIZE": "100",
    "HR_PAGE_SIZE": "50",
    "HUB_MESSAGE_RETRY_DELAYS": "1,3,10",
    "AzureWebJobs.ImportErpSalesData.Disabled": "true",
    "AzureWebJobs.WatchImports.Disabled": "true",
}
"""Small pages, so that there are many; short waits between attempts. The timers that would import yesterday, when the
story is played at their time, are off: it has a month of its own."""
IMPATIENT = {
    "ERP_CALL_TIMEOUT": "2",
    "ERP_RETRY_FIRST_DELAY": "0.3",
    "HR_CALL_TIMEOUT": "2",
    "HR_RETRY_FIRST_DELAY": "0.3",
    "PAYROLL_CALL_TIMEOUT": "3",
    "PAYROLL_RETRY_FIRST_DELAY": "0.3",
    "SFTP_TIMEOUT": "5",
    "SFTP_RETRY_FIRST_DELAY": "0.3",
}
"""With faults, a short patience: the point is what happens, not how long a slow partner can be waited for."""


def main() -> int:
    """Play the demo; 0 only when everything reconciles."""
    parser = argparse.ArgumentParser(prog="python -m local.demo", description=__doc__)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--records", type=int, default=10_000, help="sales in the month, about")
    parser.add_argument("--date", type=date.fromisoformat, default=date(2025, 1, 1), help="any day of the month")
    parser.add_argument("--faults", type=int, choices=(0, 1), default=0)
    parser.add_argument("--report", type=Path, default=REPORT, help="where the account is written as JSON")
    given = parser.parse_args()
    if given.records < FEWEST_RECORDS:
        parser.error(f"--records {given.records}: at least {FEWEST_RECORDS}, so that every day has some of everything")
    # A shell that starts us in the background has Ctrl-C ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    console = Console()
    a_day = str(max(1, round(given.records / 31)))
    options = ("--seed", str(given.seed), "--records", a_day, "--sprinkle")
    settings = SETTINGS | (IMPATIENT if given.faults else {})
    began = time.monotonic()
    try:
        with Stack(settings=settings, sandbox_options=options) as stack:
            started = time.monotonic() - began
            report = _play(console, stack, given.date.replace(day=1), faults=bool(given.faults))
            report["queues"] = stack.transport.value
    except StartError as error:
        console.print(f"[red]{error}")
        return 1
    except KeyboardInterrupt:
        console.print("interrupted; everything is stopped")
        return 130
    report["seconds"] = {"start": round(started, 2), **report["seconds"]}
    target: Path = given.report
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n")
    _print(console, report)
    console.print(f"the report is {target}")
    return 0 if report["reconciled"] else 1


def _play(console: Console, stack: Stack, month: date, *, faults: bool) -> dict[str, Any]:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("starting", total=None)
        story = Story(stack, month, faults=faults, tell=lambda text: progress.update(task, description=text))
        seen = story.play()
        tables = AzureTables(StorageAccount(stack.azurite.connection_string))
        return account_of(seen, tables, Sandbox(story.admin.ask_sandbox))


def _print(console: Console, report: dict[str, Any]) -> None:
    imports, people, calculation = report["imports"], report["people"], report["calculation"]
    table = Table(title=f"What happened in {report['period']}", show_header=False)
    sent, sync = people["deliveries"], people["sync"]
    for name, value in (
        ("queues", report["queues"]),
        ("HR events", f"{sent['events']}, delivered {sent['sent']} times, {sent['duplicates']} known already"),
        ("full sync", ", ".join(f"{name} {sync[name]}" for name in ("created", "updated", "terminated", "unchanged"))),
        ("imports", f"{imports['runs']} days, {imports['recordsRead']} records read, {imports['accepted']} accepted"),
        *((f"rejected: {reason}", number) for reason, number in imports["rejectedByReason"].items()),
        ("duplicates", imports["duplicates"]),
        ("calculations", f"{calculation['created']} created, {calculation['notEligible']} not eligible"),
        *((f"refused: {what}", status) for what, status in report["refusals"].items()),
        *(_export_line(export) for export in report["exports"]),
        *((f"mail: {subject}", number) for subject, number in report["mails"].items()),
        *((f"fault: {one['route']}", one["kind"]) for one in report["faultsFired"]),
        *((f"seconds: {stage}", value) for stage, value in report["seconds"].items()),
    ):
        table.add_row(str(name), str(value))
    console.print(table)
    totals = Table("", "records", "amount", "against", "difference", title="Reconciliation")
    for line in report["controlTotals"]:
        cells = (line["name"], str(line["records"]), line["amount"], line["against"] or "", line["difference"] or "")
        totals.add_row(*cells)
    console.print(totals)
    for name, good in report["checks"].items():
        if not good:
            console.print(f"[red]does not reconcile: {name}")
    verdict = "[green]reconciled to the cent" if report["reconciled"] else "[red]NOT reconciled"
    console.print(verdict)


def _export_line(export: dict[str, Any]) -> tuple[str, str]:
    kind = "delta export" if export["delta"] else "export"
    counts = f"{export['recordsAccepted']} accepted, {export['recordsRejected']} rejected"
    return f"{kind} {export['exportId'][-12:]}", f"{export['payrollBatchId']}: {counts}"


if __name__ == "__main__":
    sys.exit(main())
