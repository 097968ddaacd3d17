"""Runs that wait for a confirmation that newer data has made pointless (INC-05)."""

from shared.kernel.blob import BlobMissing
from shared.kernel.errors import DataRefused
from shared.sales.context import ImportContext
from shared.sales.outcome import enqueue_publish, supersede_waiting_run
from shared.sales.publish import drops_of, found_by_store, must_be_confirmed, scope_of
from shared.sales.runs import ImportRun
from shared.sales.sources import SourceChanged
from shared.sales.staged import read_staged_run


def look_at_waiting_runs(context: ImportContext) -> list[str]:
    """End the runs that would change nothing any more, let those count by which nothing drops any more.

    Return their IDs. Idempotent; a run that a person still has to look at is left alone.
    """
    return [run.run_id for run in context.runs.waiting() if _is_newer_there(context, run) and _look(context, run)]


def _is_newer_there(context: ImportContext, run: ImportRun) -> bool:
    """Tell whether the staged sales of a run, which are many, have to be compared at all."""
    return any(one.version > run.version for one in context.snapshots.of_day(run.day).snapshots)


def _look(context: ImportContext, run: ImportRun) -> bool:
    try:
        staged = read_staged_run(context, run)
    except (SourceChanged, DataRefused, BlobMissing):
        return False  # whoever confirms it is told
    found = found_by_store(staged)
    days = context.snapshots.would_count(run, scope_of(staged, found), found)
    if days is None:
        return supersede_waiting_run(context, run)
    if must_be_confirmed(context, drops_of(context, run, *days)):
        return False
    # It is compared again when it is published.
    enqueue_publish(context, run.run_id, run.correlation_id, confirmed=True)
    return True
