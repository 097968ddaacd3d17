"""What the API tells of calculations."""

from typing import Any

from shared.incentives.calculation import Calculation, history_json
from shared.incentives.calculation_runs import CalculationRun
from shared.incentives.seen import etag_of
from shared.kernel.clock import to_iso
from shared.kernel.money import amount_text


def summary(calculation: Calculation) -> dict[str, Any]:
    """Return a calculation without its breakdown."""
    return {
        "id": calculation.calculation_id,
        "employeeId": calculation.employee_id,
        "period": calculation.period,
        "kind": calculation.kind.value,
        "source": calculation.source,
        "gross": amount_text(calculation.gross_minor),
        "net": amount_text(calculation.net_minor),
        "currency": calculation.currency,
        "status": calculation.state.value,
        "planVersion": calculation.plan_version or None,
        "amends": calculation.amends or None,
        "exportId": calculation.export_id or None,
        "payrollReason": calculation.payroll_reason or None,
        "presentNet": calculation.present_net or None,
        "etag": etag_of(calculation),
    }


def whole(calculation: Calculation) -> dict[str, Any]:
    """Return a calculation with its breakdown and its audit trail."""
    return summary(calculation) | {
        "createdBy": calculation.created_by,
        "calculatedBy": calculation.calculated_by or None,
        "submittedBy": calculation.submitted_by or None,
        "asOf": to_iso(calculation.as_of) if calculation.as_of else None,
        "breakdown": calculation.breakdown,
        "history": history_json(calculation.history),
    }


def shown_run(run: CalculationRun) -> dict[str, Any]:
    """Return a calculation run."""
    return {
        "runId": run.run_id,
        "period": run.period,
        "status": run.status.value,
        "startedBy": run.started_by,
        "startedAt": to_iso(run.started_at),
        "finishedAt": to_iso(run.finished_at) if run.finished_at else None,
        "created": run.created,
        "replaced": run.replaced,
        "unchanged": run.unchanged,
        "withdrawn": run.withdrawn,
        "differing": run.differing,
        "differingIds": run.differing_ids,
        "notEligible": run.not_eligible,
        "net": amount_text(run.net_minor),
        "failure": run.failure or None,
    }
