"""Transactions that stand in two snapshots: which, and in which of them they count (INC-03, INC-07)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from shared.sales.context import ImportContext
from shared.sales.models import Sale
from shared.sales.snapshots import DayOfSnapshots
from shared.sales.staged import StagedRun, read_staged_run, suspected_sales

Around = Mapping[date, DayOfSnapshots]


@dataclass
class Overlap:
    """Other runs that may hold the same transactions: newer ones with the suspected digests, and older ones."""

    newer: dict[str, set[int]] = field(default_factory=dict)
    older: set[str] = field(default_factory=set)


def overlaps_with_others(
    context: ImportContext, day: date, batch: Sequence[StagedRun], around: Around
) -> dict[str, Overlap]:
    """Compare runs of a day with every other run that counts nearby; return the overlap of each by its run ID.

    What all the others hold is read once, whatever the number of runs.
    """
    found = {staged.run.run_id: Overlap() for staged in batch}
    own = {staged.run.run_id: staged.run.version for staged in batch}
    versions = {
        item.run_id: item.version
        for one_day in around.values()
        for item in one_day.snapshots
        if one_day.counts(item.run_id)
    }
    if not versions.keys() - (own.keys() if len(own) == 1 else set()):
        return found
    holders: dict[int, list[str]] = {}
    for staged in batch:
        for one in staged.digests():
            holders.setdefault(one, []).append(staged.run.run_id)
    for _, other, digests in context.snapshots.digests_around(day):
        if other not in versions:
            continue
        for common in holders.keys() & set(digests):
            for run_id in holders[common]:
                if run_id == other:
                    continue
                if versions[other] > own[run_id]:
                    found[run_id].newer.setdefault(other, set()).add(common)
                else:
                    found[run_id].older.add(other)
    return found


def overlap_with_others(context: ImportContext, staged: StagedRun, around: Around) -> Overlap:
    """Compare a run with every other run that counts nearby."""
    return overlaps_with_others(context, staged.run.day, [staged], around)[staged.run.run_id]


def sales_in_newer_snapshots(context: ImportContext, staged: StagedRun, overlap: Overlap, around: Around) -> list[Sale]:
    """Return the sales of a run that count in a newer run instead: decided on their transaction IDs."""
    suspects = set[int]().union(*overlap.newer.values())
    held_by_newer: set[str] = set()
    for run_id, digests in overlap.newer.items():
        other = read_staged_run(context, context.runs.get(run_id))
        for one in suspected_sales(context, other, digests):
            if around[other.run.day].governs(run_id, one.sale.store_id):
                held_by_newer.add(one.sale.transaction_id)
    own: dict[str, Sale] = {}
    for one in suspected_sales(context, staged, suspects):
        own.setdefault(one.sale.transaction_id, one.sale)
    return [sale for transaction_id, sale in own.items() if transaction_id in held_by_newer]
