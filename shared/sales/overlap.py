"""Transactions that stand in two snapshots: which, and in which of them they count (INC-03, INC-07)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from shared.sales.context import ImportContext
from shared.sales.models import Sale
from shared.sales.snapshots import DayOfSnapshots
from shared.sales.staged import StagedRun, read_staged_run, suspected_sales

Around = Mapping[date, DayOfSnapshots]


@dataclass
class Overlap:
    """Other runs that may hold the same transactions: later ones with the suspected digests, and earlier ones."""

    newer: dict[str, set[int]] = field(default_factory=dict)
    older: set[str] = field(default_factory=set)


def overlap_with_others(context: ImportContext, staged: StagedRun, around: Around) -> Overlap:
    """Compare a run with every other run that counts nearby."""
    overlap = Overlap()
    sequences = {
        item.run_id: item.sequence
        for day in around.values()
        for item in day.snapshots
        if item.run_id != staged.run.run_id and day.counts(item.run_id)
    }
    if not sequences:
        return overlap
    own = set(staged.digests())
    for _, run_id, digests in context.snapshots.digests_around(staged.run.day):
        if run_id not in sequences:
            continue
        if common := own.intersection(digests):
            if sequences[run_id] > staged.run.sequence:
                overlap.newer.setdefault(run_id, set()).update(common)
            else:
                overlap.older.add(run_id)
    return overlap


def sales_in_newer_snapshots(context: ImportContext, staged: StagedRun, overlap: Overlap, around: Around) -> list[Sale]:
    """Return the sales of a run that count in a later run instead: decided on their transaction IDs."""
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
