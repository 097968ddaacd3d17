"""What is told of exports: to finance what was sent, to operators what needs a person (INC-57, INC-73).

A message's ID says which occasion it tells of: whoever receives it twice passes it on once.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from shared.kernel.clock import to_iso
from shared.kernel.message import send_message
from shared.kernel.money import amount_text
from shared.payroll.context import NOTIFICATION_QUEUE, PayrollContext
from shared.payroll.export import Export

_NAMED = 100
"""Rejected records that a summary names; the count is always whole."""


def tell_completed(context: PayrollContext, export: Export, rejected: Sequence[tuple[str, str]]) -> None:
    """Tell finance that an export is done; `rejected`: employee number and payroll's reason."""
    records = [{"employeeNumber": number, "reason": reason} for number, reason in rejected[:_NAMED]]
    data = summary(export) | {"rejectedRecords": records}
    _send(context, "export.completed", f"{export.export_id}-export.completed", export.export_id, data)


def tell_stopped(context: PayrollContext, export: Export) -> None:
    """Tell operators that an export has stopped and why."""
    data = {
        "exportId": export.export_id,
        "period": export.period,
        "step": export.step.value if export.step else "",
        "failureCode": export.failure_code,
        "failure": export.failure,
    }
    _send(context, "export.stopped", f"{export.export_id}-stopped-{export.stops}", export.export_id, data)


def tell_withheld(context: PayrollContext, export: Export) -> None:
    """Tell operators who is missing in the batch: until somebody acts, he is not paid."""
    data = {
        "exportId": export.export_id,
        "period": export.period,
        "count": export.withheld_count,
        "employeeIds": ", ".join(sorted(export.withheld)[:20]),
        "reason": "Their calculations stay approved: put right what is wrong, then trigger a delta export.",
    }
    _send(context, "export.withheld", f"{export.export_id}-export.withheld", export.export_id, data)


def tell_taken(context: PayrollContext, export: Export) -> None:
    """Tell operators that a file was gone when its delivery was done again: payroll has it, or somebody removed it."""
    data = {
        "exportId": export.export_id,
        "period": export.period,
        "csvPath": export.csv_path,
        "csvSha256": export.csv_sha256,
        "reason": "It lay on the SFTP server whole and is gone, so it is not sent again. Ask payroll's people whether "
        "they have it.",
    }
    _send(context, "export.file-taken", f"{export.export_id}-export.file-taken", export.export_id, data)


def tell_not_done(
    context: PayrollContext, period: str, due: datetime, reason: str, severity: str, occasion: str
) -> None:
    """Tell operators what keeps a period that is due from being exported whole; once for an occasion and severity."""
    data = {"period": period, "reason": reason, "due": to_iso(due), "severity": severity}
    _send(context, "export.blocked", f"export-due-{period}-{occasion}-{severity}", period, data)


def summary(export: Export) -> dict[str, Any]:
    """Return what a person wants to know of an export; money as decimal text."""
    return {
        "exportId": export.export_id,
        "period": export.period,
        "sequence": export.sequence,
        "delta": export.sequence > 1,
        "status": export.status.value,
        "step": export.step.value if export.step else None,
        "trigger": export.trigger,
        "startedBy": export.started_by,
        "startedAt": to_iso(export.started_at),
        "seen": {"count": export.seen.count, "totalNet": amount_text(export.seen.total_minor)} if export.seen else None,
        "finishedAt": to_iso(export.finished_at) if export.finished_at else None,
        "currency": export.currency,
        "controlTotals": {
            "recordCount": export.totals.record_count,
            "totalAmount": amount_text(export.totals.total_minor),
        },
        "calculations": export.calculations,
        "payrollBatchId": export.payroll_batch_id or None,
        "recordsAccepted": export.records_accepted,
        "recordsRejected": export.records_rejected,
        "acceptedAmount": amount_text(export.accepted_minor),
        "withheld": export.withheld_count,
        "fileName": export.file_name,
        "failureCode": export.failure_code or None,
        "failure": export.failure or None,
    }


def _send(context: PayrollContext, kind: str, message_id: str, subject: str, data: Mapping[str, Any]) -> None:
    send_message(
        context,
        NOTIFICATION_QUEUE,
        message_id=message_id,
        message_type=kind,
        subject=subject,
        correlation_id=subject,
        data=data,
    )
