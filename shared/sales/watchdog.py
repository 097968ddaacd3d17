"""The watchdog: starts the daily import that nobody started, takes up runs that make no progress (INC-07).

It closes the gaps between a stored state and the message that goes with it: a process killed in between leaves a run
that nothing would wake.
"""

from datetime import datetime, time, timedelta

from shared.sales.context import ImportContext
from shared.sales.outcome import change_run, resume_run
from shared.sales.runs import ImportRun, Trigger
from shared.sales.start import start_daily_import

LOOKS_BACK = timedelta(days=3)
TIMER_FIRES_AT = time(1)
"""UTC; the schedule of ImportErpSalesData (INC-01)."""


def watch_imports(context: ImportContext) -> list[str]:
    """Return the IDs of the runs that were taken up. Idempotent: what goes on by itself is not disturbed."""
    now = context.clock()
    if now.time() >= context.rules.expected_by:
        # The day that the timer would have imported: late in the evening (UTC) "yesterday" may be a later one already.
        fired_at = datetime.combine(now.date(), TIMER_FIRES_AT, now.tzinfo)
        start_daily_import(context, Trigger.WATCHDOG, "WatchImports", fired_at)
    taken_up: list[str] = []
    for run in context.runs.since(_oldest_id(now - LOOKS_BACK)):
        if not run.status.final and _stalled(context, run, now):
            resume_run(context, change_run(context, run, progress_at=now))
            taken_up.append(run.run_id)
    return taken_up


def _stalled(context: ImportContext, run: ImportRun, now: datetime) -> bool:
    return (now - (run.progress_at or run.requested_at)).total_seconds() > context.rules.stall_after


def _oldest_id(instant: datetime) -> str:
    """Return the smallest UUIDv7 of an instant, for range scans."""
    milliseconds = int(instant.timestamp() * 1000)
    text = f"{milliseconds:012x}"
    return f"{text[:8]}-{text[8:]}-7000-8000-000000000000"
