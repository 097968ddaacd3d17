"""The watchdog: starts the daily imports that nobody started, takes up runs that make no progress (INC-07).

It closes the gaps between a stored state and the message that goes with it: a process killed in between leaves a run
that nothing would wake. And it closes the gap that an outage leaves: a timer that could not fire fires only once
afterwards, for the last day.
"""

from datetime import date, datetime, time, timedelta

from shared.sales.context import ImportContext
from shared.sales.outcome import change_run, resume_run
from shared.sales.runs import ImportRun, RunStatus, Trigger
from shared.sales.start import day_imported_at, start_import_of

LOOKS_BACK = timedelta(days=31)
_CATCHES_UP = timedelta(days=14)
"""Less than half of it: a run for one of these days was requested since, so that none is taken for missed twice."""
TIMER_FIRES_AT = time(1)
"""UTC; the schedule of ImportErpSalesData (INC-01)."""


def watch_imports(context: ImportContext) -> list[str]:
    """Return the IDs of the runs that were taken up. Idempotent: what goes on by itself is not disturbed."""
    now = context.clock()
    runs = list(context.runs.since(_oldest_id(now - LOOKS_BACK)))
    for day in _missed_days(context, runs, now):
        start_import_of(context, day, Trigger.WATCHDOG, "WatchImports")
    taken_up: list[str] = []
    for run in runs:
        if run.status is RunStatus.NEEDS_CONFIRMATION:
            continue  # it waits for a person, or for newer data: see `look_at_waiting_runs`
        if not run.status.final and _stalled(context, run, now):
            resume_run(context, change_run(context, run, progress_at=now))
            taken_up.append(run.run_id)
    return taken_up


def _missed_days(context: ImportContext, runs: list[ImportRun], now: datetime) -> list[date]:
    """Return the days that the timer should have started by now and that no run was made for.

    They begin with the first day that is known to have been started on schedule: a hub that is new fetches no past.
    """
    # Late in the evening (UTC) "yesterday" may be a later day already than the one that the timer imported.
    due = day_imported_at(context, datetime.combine(now.date(), TIMER_FIRES_AT, now.tzinfo))
    last = due if now.time() >= context.rules.expected_by else due - timedelta(days=1)
    scheduled = min((run.day for run in runs if run.trigger in (Trigger.TIMER, Trigger.WATCHDOG)), default=due)
    first = max(scheduled, last - _CATCHES_UP)
    imported = {run.day for run in runs if not run.file_name and not run.store_id}
    days = (first + timedelta(days=number) for number in range((last - first).days + 1))
    return [day for day in days if day not in imported]


def _stalled(context: ImportContext, run: ImportRun, now: datetime) -> bool:
    # A run that waits has its message: it is overdue once its next attempt is.
    since = max(run.progress_at or run.requested_at, run.next_attempt_at or run.requested_at)
    return (now - since).total_seconds() > context.rules.stall_after


def _oldest_id(instant: datetime) -> str:
    """Return the smallest UUIDv7 of an instant, for range scans."""
    milliseconds = int(instant.timestamp() * 1000)
    text = f"{milliseconds:012x}"
    return f"{text[:8]}-{text[8:]}-7000-8000-000000000000"
