"""What the workforce's timers do."""

from contextlib import ExitStack
from datetime import timedelta

from shared.kernel.once import RunOnce
from shared.workforce.context import WorkforceContext
from shared.workforce.full_sync import resume_sync, start_sync
from shared.workforce.receive import resume

STALLED_AFTER = timedelta(minutes=15)


def start_daily_sync(context: WorkforceContext, once: RunOnce) -> str:
    """Start today's full sync, return its run's ID. Idempotent by the day (UTC)."""
    day = context.clock().date().isoformat()
    result = once.run("employee-sync", day, lambda: {"runId": start_sync(context, "SyncEmployees")})
    return str(result["runId"])


def watch_workforce(context: WorkforceContext) -> int:
    """Queue again whatever a process that died left behind; return how many events. Idempotent."""
    with ExitStack() as each:  # a sync that cannot be woken keeps no event waiting
        for run in context.sync_runs.running():
            if context.clock() - (run.progress_at or run.started_at) > STALLED_AFTER:
                each.callback(resume_sync, context, run)
        return resume(context)
