"""An ERP employee ID gets an owner, or another one: its sales go to whom they belong (INC-05)."""

from collections.abc import Collection, Mapping
from datetime import date

from shared.kernel.clock import business_day
from shared.sales.context import ImportContext
from shared.sales.mappings import Claims, MovedSales
from shared.sales.outcome import enqueue_publish
from shared.sales.owners import Claim, Owners

_OPERATOR = "~operator"


def map_employees(context: ImportContext, mappings: Mapping[str, str], since: date | None = None) -> set[str]:
    """Map ERP employee IDs to hub employees from a business day on (today); return the runs that are looked at again.

    Idempotent by ERP employee. Days before stay with whom they belong to; with nobody: go to the employee, too.
    """
    now = context.clock()
    today = business_day(now, context.rules.time_zone)
    known = context.mappings.find(mappings.keys())
    claims = {
        erp_id: [Claim(since or today, now, _OPERATOR, employee_id)]
        for erp_id, employee_id in mappings.items()
        if since or known.get(erp_id, Owners()).on(today) != employee_id
    }
    # Those that say nothing new are looked at, too: the process may have died before the runs were queued.
    return learn_owners(context, {erp_id: claims.get(erp_id, []) for erp_id in mappings})


def learn_owners(context: ImportContext, claims: Claims) -> set[str]:
    """Take claims to ERP employee IDs in, whatever their order; return the runs that are looked at again. Idempotent.

    Looked at again are the runs that hold sales of the IDs, and those of exactly the days that went to another owner.
    """
    return _look_again(context, context.mappings.learn(claims))


def resume_mappings(context: ImportContext) -> int:
    """Look at what a process that died left behind; return of how many ERP employee IDs. Idempotent."""
    moved = context.mappings.unsettled()
    _look_again(context, moved)
    return len(moved)


def _look_again(context: ImportContext, moved: Collection[MovedSales]) -> set[str]:
    if not moved:
        return set()
    runs = context.held.runs_holding({one.erp_id for one in moved})
    for days in {one.days for one in moved if one.days}:
        runs |= {item.run_id for item in context.snapshots.between(days.first, days.last)}
    for run_id in sorted(runs):
        enqueue_publish(context, run_id, run_id, again=True)
    context.mappings.settle(moved)
    return runs
