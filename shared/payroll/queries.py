"""What the API tells of an export."""

from typing import Any

from shared.kernel.money import amount_text
from shared.payroll.context import PayrollContext
from shared.payroll.export import STEPS, Export
from shared.payroll.notices import summary
from shared.payroll.steps import rejected_records


def whole(context: PayrollContext, export: Export) -> dict[str, Any]:
    """Return everything about an export: its steps, totals, what was refused and withheld."""
    answered = export.answered
    totals = answered and {"recordCount": answered.record_count, "totalAmount": amount_text(answered.total_minor)}
    return summary(export) | {
        "steps": [{"step": step.value, "completedAt": export.completed.get(step.value)} for step in STEPS],
        "payrollStatus": export.payroll_status or None,
        "payrollControlTotals": totals,
        "rejectedRecords": rejected_records(context, export),
        "withheldRecords": [{"employeeId": key, "reason": reason} for key, reason in sorted(export.withheld.items())],
        "csvSize": export.csv_size,
        "csvSha256": export.csv_sha256 or None,
        "csvPath": export.csv_path or None,
        "csvTaken": export.csv_taken,
        "csvBlob": f"exports/{export.csv_blob}" if export.csv_sha256 else None,
    }
