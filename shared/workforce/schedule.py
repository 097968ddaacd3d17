"""What the workforce's timers do."""

from datetime import timedelta

from shared.kernel.once import RunOnce
from shared.workforce.context import WorkforceContext
from shared.workforce.full_sync import resume_sync, start_sync
from shared.workforce.receive import resume
from shared.workforce.sync_runs import SyncStatus

STALLED_AFTER = timedelta(minutes=15)


def start_daily_sync(context: WorkforceContext, once: RunOnce) -> str:
    """Start today's full sync, return its run's ID. Idempotent by the day (UTC)."""
    day = context.clock().date().isoformat()
    result = once.run("employee-sync", day, lambda: {"runId": start_sync(context, "SyncEmployees")})
    return str(result["runId"])


def watch_workforce(context: WorkforceContext) -> int:
    """Queue again whatever a process that died left behind; return how many events. Idempotent."""
    run = context.sync_runs.newest()
    if run and run.status is SyncStatus.RUNNING:
        progress = run.progress_at or run.started_at
        if context.clock() - progress > STALLED_AFTER:
            resume_sync(context, run)
    return resume(context)
