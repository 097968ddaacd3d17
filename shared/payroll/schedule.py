"""The timer: exports what is due after the approval deadline, wakes what stands still (INC-50, INC-73)."""

import logging
from datetime import datetime, timedelta

from shared.kernel.clock import to_iso
from shared.kernel.errors import Conflict
from shared.kernel.message import new_message
from shared.kernel.pay_period import PayPeriod, period_of
from shared.payroll.context import NOTIFICATION_QUEUE, PayrollContext
from shared.payroll.run import wake_stalled_exports
from shared.payroll.start import ExportRequest, start_export

_log = logging.getLogger(__name__)

LATE_AFTER = timedelta(hours=25)
_BY = "ExportPayroll"


def deadline_of(context: PayrollContext, period: PayPeriod) -> datetime:
    """Return until when a period's calculations are to be approved."""
    day = period.last_day + context.rules.deadline_days
    return datetime.combine(day, context.rules.deadline_time, context.rules.time_zone)


def last_due_period(context: PayrollContext, now: datetime) -> PayPeriod:
    """Return the last period whose deadline has passed."""
    day = now.astimezone(context.rules.time_zone).date()
    period = period_of(day, context.rules.pay_calendar)
    while now < deadline_of(context, period):
        period = period_of(period.first_day - timedelta(days=1), context.rules.pay_calendar)
    return period


def export_what_is_due(context: PayrollContext) -> str | None:
    """Start the export of the last period that is due, unless that was done; return its ID. Idempotent by period.

    What stands in the way is told once a day, and critical when it has been so for 25 hours.
    """
    wake_stalled_exports(context)
    now = context.clock()
    period = last_due_period(context, now)
    if context.exports.last_of(period.name):
        return None
    try:
        return start_export(context, ExportRequest(period, "Timer", _BY)).export_id
    except Conflict as error:
        late = now - deadline_of(context, period) > LATE_AFTER
        if late and next(context.payables.approved(period.name), None) is not None:
            extra = {"alert": "critical", "event": "export.late", "period": period.name}
            _log.critical("the payroll export of %s is late: %s", period.name, error.message, extra=extra)
        if late or context.payables.undecided(period.name):
            _tell(context, period, error, late=late)
        return None


def _tell(context: PayrollContext, period: PayPeriod, error: Conflict, *, late: bool) -> None:
    now = context.clock()
    message = new_message(
        message_id=f"export-due-{period.name}-{now.date().isoformat()}",
        message_type="export.blocked",
        tenant=context.tenant,
        now=now,
        subject=period.name,
        data={
            "period": period.name,
            "reason": error.message,
            "due": to_iso(deadline_of(context, period)),
            "severity": "critical" if late else "high",
        },
    )
    context.queues.send(NOTIFICATION_QUEUE, message)
