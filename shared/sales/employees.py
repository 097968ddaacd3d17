"""An ERP employee becomes known: held sales flow into SalesMetrics (INC-05)."""

from collections.abc import Mapping

from shared.sales.context import ImportContext
from shared.sales.outcome import enqueue_publish


def map_employees(context: ImportContext, mappings: Mapping[str, str]) -> set[str]:
    """Map ERP employee IDs to hub employees; return the runs that are looked at again. Idempotent by ERP employee.

    An employee who was mapped to somebody else takes his sales of the last weeks along.
    """
    before = context.mappings.find(mappings.keys())
    context.mappings.put(mappings)
    runs = context.held.runs_holding(mappings.keys())
    if any(before.get(erp_id, employee) != employee for erp_id, employee in mappings.items()):
        runs |= _runs_that_count(context)
    for run_id in sorted(runs):
        enqueue_publish(context, run_id, run_id, again=True)
    return runs


def _runs_that_count(context: ImportContext) -> set[str]:
    today = context.clock().date()
    return {item.run_id for day in context.snapshots.around(today).values() for item in day.snapshots}
