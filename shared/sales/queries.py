"""What the API tells of import runs and their rejects (INC-01, INC-06)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.kernel.clock import to_iso
from shared.kernel.money import amount_text
from shared.sales.context import ImportContext
from shared.sales.outcome import run_summary
from shared.sales.rejects import page_of_rejects
from shared.sales.runs import ImportRun, RunStatus, runs_of


@dataclass(frozen=True)
class Listing:
    """A page of items and the position after it (None at the end)."""

    items: list[dict[str, Any]]
    next_position: str | None


def list_runs(
    context: ImportContext, *, size: int, position: str | None, status: RunStatus | None, day: str | None
) -> Listing:
    """Return a page of the import log, newest first."""
    equal: dict[str, str | int | bool] = {}
    if status:
        equal["status"] = status.value
    if day:
        equal["day"] = day
    page = context.runs.page(size, position, equal)
    return Listing([run_summary(run, run.status) for run in runs_of(page)], page.next_position)


def show_run(context: ImportContext, run_id: str) -> dict[str, Any]:
    """Return everything about a run: counts, control totals, durations. NotFound."""
    run = context.runs.get(run_id)
    return run_summary(run, run.status) | {
        "sequence": run.sequence,
        "asOf": to_iso(run.version.as_of),
        "generation": run.generation,
        "slices": run.slice_count or None,
        "correlationId": run.correlation_id,
        "finishedAt": to_iso(run.finished_at) if run.finished_at else None,
        "dataAsOf": run.data_as_of or None,
        "unmappedEmployees": run.unmapped_employees,
        "controlTotals": control_totals(context, run),
        "stagingSeconds": round(run.staging_seconds, 3),
        "publishingSeconds": round(run.publishing_seconds, 3),
    }


def control_totals(context: ImportContext, run: ImportRun) -> Mapping[str, Any]:
    """Return where the records and the money went; what was staged is in SalesMetrics, held, or counts elsewhere."""
    difference = run.staged_amount_minor - (
        run.published_amount_minor + run.held_amount_minor + run.elsewhere_amount_minor
    )
    return {
        "currency": context.rules.currency,
        "recordsAtSource": run.total_records if run.total_records >= 0 else run.records_read,
        "recordsRead": run.records_read,
        "distinctRecords": run.distinct,
        "staged": {"records": run.staged, "amount": amount_text(run.staged_amount_minor)},
        "salesMetrics": {"records": run.published, "amount": amount_text(run.published_amount_minor)},
        "held": {"records": run.held, "amount": amount_text(run.held_amount_minor)},
        "elsewhere": {"records": run.elsewhere, "amount": amount_text(run.elsewhere_amount_minor)},
        "difference": {
            "records": run.staged - run.published - run.held - run.elsewhere,
            "amount": amount_text(difference),
        },
    }


def list_rejects(context: ImportContext, run_id: str, *, size: int, position: str | None) -> Listing:
    """Return a page of what a run refused, in the order of the source. NotFound."""
    page = page_of_rejects(context.rejects, context.runs.get(run_id), size, position)
    return Listing([dict(row.values) for row in page.rows], page.next_position)
