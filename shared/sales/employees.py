"""An ERP employee becomes known: held sales flow into SalesMetrics (INC-05)."""

from collections.abc import Mapping
from datetime import timedelta

from shared.sales.context import ImportContext
from shared.sales.outcome import enqueue_publish

QUEUED_AGAIN_AFTER = timedelta(minutes=15)


def map_employees(context: ImportContext, mappings: Mapping[str, str]) -> set[str]:
    """Map ERP employee IDs to hub employees; return the runs that are looked at again. Idempotent by ERP employee.

    An employee who was mapped to somebody else takes his sales of the last weeks along. Whoever dies before the runs
    are queued leaves them to `resume_mappings`.
    """
    before = context.mappings.find(mappings.keys())
    if all(before.get(erp_id) == employee for erp_id, employee in mappings.items()):
        return _look_again(context, context.held.runs_holding(mappings.keys()))
    change_id = context.new_id()
    context.mappings.put(mappings, change_id, context.clock())
    runs = context.held.runs_holding(mappings.keys())
    if any(before.get(erp_id, employee) != employee for erp_id, employee in mappings.items()):
        runs |= _runs_that_count(context)
    _look_again(context, runs)
    context.mappings.settle(change_id)
    return runs


def resume_mappings(context: ImportContext) -> int:
    """Have every run looked at again for changes that were stored long ago and not followed up; return how many.

    Idempotent: a run that is looked at again in vain stays as it is.
    """
    changes = list(context.mappings.pending(context.clock() - QUEUED_AGAIN_AFTER))
    if changes:
        _look_again(context, _runs_that_count(context) | context.held.runs())
    for change_id in changes:
        context.mappings.settle(change_id)
    return len(changes)


def _look_again(context: ImportContext, runs: set[str]) -> set[str]:
    for run_id in sorted(runs):
        enqueue_publish(context, run_id, run_id, again=True)
    return runs


def _runs_that_count(context: ImportContext) -> set[str]:
    today = context.clock().date()
    return {item.run_id for day in context.snapshots.around(today).values() for item in day.snapshots}
