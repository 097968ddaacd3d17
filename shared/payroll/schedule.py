"""The timer: exports what is due after the approval deadline, wakes what stands still (INC-50, INC-73)."""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.kernel.errors import Conflict
from shared.kernel.pay_period import PayPeriod, period_of
from shared.payroll.context import PayrollContext
from shared.payroll.export import Export
from shared.payroll.notices import tell_not_done
from shared.payroll.run import wake_stalled_exports
from shared.payroll.start import ExportRequest, start_export

_log = logging.getLogger(__name__)

LATE_AFTER = timedelta(hours=25)
_BY = "ExportPayroll"
_LOOKED_AT = 26
"""Periods that are looked at: what is approved late, or blocked for long, is not forgotten for a later period."""

_RECENT = 3
"""Periods of which drafts that nobody submitted are told: in an older one somebody has decided to leave them."""


def deadline_of(context: PayrollContext, period: PayPeriod) -> datetime:
    """Return until when a period's calculations are to be approved."""
    day = period.last_day + context.rules.deadline_days
    return datetime.combine(day, context.rules.deadline_time, context.rules.time_zone)


def due_periods(context: PayrollContext, now: datetime) -> list[PayPeriod]:
    """Return the last periods whose deadline has passed, the oldest first."""
    calendar = context.rules.pay_calendar
    period = period_of(now.astimezone(context.rules.time_zone).date(), calendar)
    found: list[PayPeriod] = []
    while len(found) < _LOOKED_AT:
        if now >= deadline_of(context, period):
            found.append(period)
        period = period_of(period.first_day - timedelta(days=1), calendar)
    return found[::-1]


def export_what_is_due(context: PayrollContext) -> list[str]:
    """Start the exports of periods that are due, each once after its deadline; return their IDs. Idempotent by period.

    An export of before the deadline does not count: what was approved after it is due as well. What keeps a period
    from being exported whole is told once a day, and is critical when it has been so for 25 hours.
    """
    wake_stalled_exports(context)
    periods = due_periods(context, context.clock())
    ages = range(len(periods) - 1, -1, -1)
    started = [_export_if_due(context, period, age) for period, age in zip(periods, ages, strict=True)]
    return [export_id for export_id in started if export_id]


def _export_if_due(context: PayrollContext, period: PayPeriod, age: int) -> str | None:
    """Start the export of a period, or tell what is in its way. `age`: 0 for the last one that is due."""
    now, due = context.clock(), deadline_of(context, period)
    late = now - due > LATE_AFTER
    last = context.exports.last_of(period.name)
    if last and not last.status.final:
        if late:
            reason = f"export {last.export_id} is {last.status}, its next step is {last.step}"
            _tell(context, period, _Trouble(f"{last.export_id}-{last.step}", reason, "critical"), age)
        return None
    if last and last.started_at >= due:
        if reasons := _left_behind(context, period, last, age):
            _tell(context, period, _Trouble(f"after-{last.export_id}", " ".join(reasons), "high"), age)
        return None
    try:
        return start_export(context, ExportRequest(period, "Timer", _BY)).export_id
    except Conflict as error:
        waiting = bool(context.payables.undecided(period.name)) or any(
            True for _ in context.payables.approved(period.name)
        )
        after = last.export_id if last else "nothing"
        if waiting:
            trouble = _Trouble(f"waiting-after-{after}", error.message, "critical" if late else "high")
            _tell(context, period, trouble, age)
        elif drafts := _unsubmitted(context, period, age):
            _tell(context, period, _Trouble(f"drafts-after-{after}", drafts, "high"), age)
        elif late and age == 0 and last is None:
            _tell(context, period, _Trouble("empty", error.message, "high"), age)
        return None


def _left_behind(context: PayrollContext, period: PayPeriod, last: Export, age: int) -> list[str]:
    reasons: list[str] = []
    if left := sum(1 for _ in context.payables.approved(period.name)):
        reasons.append(
            f"{left} approved calculations are in no export: payroll refused them, they were withheld, or approved "
            f"after export {last.export_id}. Put right what is wrong, then trigger a delta export."
        )
    if drafts := _unsubmitted(context, period, age):
        reasons.append(drafts)
    return reasons


def _unsubmitted(context: PayrollContext, period: PayPeriod, age: int) -> str:
    if age >= _RECENT or not (drafts := context.payables.unsubmitted(period.name)):
        return ""
    return f"{drafts} calculations with an amount were never submitted: submit them, or calculate again."


@dataclass(frozen=True)
class _Trouble:
    """What keeps a period from being exported whole. `about`: what kind, since which export; not how many."""

    about: str
    reason: str
    severity: str


def _tell(context: PayrollContext, period: PayPeriod, trouble: _Trouble, age: int) -> None:
    """Tell of each trouble once a day; of an older period once a week, or nobody would read it any more."""
    if trouble.severity == "critical":
        extra = {"alert": "critical", "event": "export.late", "period": period.name}
        _log.critical("the payroll export of %s is late: %s", period.name, trouble.reason, extra=extra)
    year, week, _ = context.clock().isocalendar()
    slot = context.clock().date().isoformat() if age < _RECENT else f"{year}-W{week:02d}"
    occasion, due = f"{slot}-{trouble.about}", deadline_of(context, period)
    tell_not_done(context, period.name, due, trouble.reason, trouble.severity, occasion)
