"""Bring SalesMetrics up to date with a day: one publisher at a time, who takes in all that wait (INC-05, INC-07).

What a day holds is computed from the snapshots that count, never from what stood there before. Runs that come at once
would invalidate each other's work; so whoever has the day publishes all that was promoted until then, and the others
find that done when they come back.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from shared.kernel.blob import BlobMissing
from shared.kernel.errors import DataRefused, HubError
from shared.kernel.pay_period import period_of
from shared.sales.context import ImportContext
from shared.sales.metrics import DayOfSales
from shared.sales.models import Sale, SalesByEmployee, Tally, total_of
from shared.sales.outcome import enqueue_publish
from shared.sales.overlap import Around, Overlap, overlaps_with_others, sales_in_newer_snapshots
from shared.sales.owners import Owners
from shared.sales.runs import ImportRun, RunStatus
from shared.sales.snapshots import DayOfSnapshots
from shared.sales.sources import SourceChanged
from shared.sales.staged import StagedRun, read_staged_run, take_out

MOST_AT_ONCE = 100
"""Runs in one publication: memory and time have a bound, the rest go with the next publisher."""


class NotReconciled(HubError):
    """Totals before and after differ: a defect, never to be ignored."""

    code = "NotReconciled"


@dataclass
class Outcome:
    """Where the staged sales of a run went."""

    run: ImportRun
    published: Tally = field(default_factory=Tally)
    held: dict[str, Tally] = field(default_factory=dict)
    elsewhere: Tally = field(default_factory=Tally)
    others: set[str] = field(default_factory=set)
    """Runs to look at again."""
    overlapped: set[str] = field(default_factory=set)
    """Of those, the ones that lose sales to this run."""

    def counts(self) -> dict[str, Any]:
        """Return the outcome as fields of a run."""
        held = total_of(self.held.values())
        return {
            "published": self.published.transactions,
            "published_amount_minor": self.published.amount_minor,
            "held": held.transactions,
            "held_amount_minor": held.amount_minor,
            "unmapped_employees": len(self.held),
            "elsewhere": self.elsewhere.transactions,
            "elsewhere_amount_minor": self.elsewhere.amount_minor,
        }


def publish_day(
    context: ImportContext, staged: StagedRun, end: Callable[[Outcome], None], *, again: bool = False
) -> Outcome | None:
    """Write what a run and all that wait with it hold of their day into SalesMetrics, and end each of the others.

    Returns the run's own outcome, None when it counts no longer. `end` is called for each run that waited, this one
    included unless it is published `again`. Busy while another publisher has the day; NotReconciled when a cent or a
    record got lost or was made up on the way.
    """
    run = staged.run
    period = period_of(run.day, context.rules.pay_calendar).name
    with context.metrics.hold_day(period, run.day, context.clock, context.rules.slice_lease) as held:
        around = context.snapshots.around(run.day)
        day = around.get(run.day, DayOfSnapshots(()))
        if not day.counts(run.run_id):
            return None
        batch = [staged, *_waiting(context, day, run)]
        outcomes, decided = _decide(context, batch, around, day)
        found = held.replace(decided)
        expected = total_of(outcome.published for outcome in outcomes)
        if found != expected:
            raise NotReconciled(f"import run {run.run_id}: SalesMetrics should hold {expected}, it holds {found}")
        together = {outcome.run.run_id for outcome in outcomes}
        for outcome in outcomes:
            _let_others_look_again(context, outcome, together)
        for outcome in outcomes[1:] if again else outcomes:
            end(outcome)
        context.snapshots.settle(run.day, together, day)
    return outcomes[0]


def _waiting(context: ImportContext, day: DayOfSnapshots, run: ImportRun) -> list[StagedRun]:
    """Return the other runs that wait to be published; one that cannot be read says so to its own worker."""
    waiting: list[StagedRun] = []
    for run_id in day.pending():
        if run_id == run.run_id or len(waiting) == MOST_AT_ONCE - 1:
            continue
        other = context.runs.get(run_id)
        if other.status is not RunStatus.PUBLISHING:
            continue
        try:
            waiting.append(read_staged_run(context, other))
        except (SourceChanged, DataRefused, BlobMissing):
            continue
    return waiting


def _decide(
    context: ImportContext, batch: Sequence[StagedRun], around: Around, day: DayOfSnapshots
) -> tuple[list[Outcome], DayOfSales]:
    """Return where the sales of each run go, and what the day is to hold for the stores that they govern."""
    own = batch[0].run.run_id
    overlaps = overlaps_with_others(context, batch[0].run.day, batch, around)
    owners = context.mappings.find({erp_id for staged in batch for erp_id, _ in staged.sales})
    outcomes: list[Outcome] = []
    sales: SalesByEmployee = {}
    for staged in batch:
        try:
            outcome, mapped = _outcome(context, staged, overlaps[staged.run.run_id], around, day, owners)
        except NotReconciled:
            if staged.run.run_id == own:
                raise
            continue  # its own worker says so; the others are not held up
        outcomes.append(outcome)
        for key, tally in mapped.items():
            sales.setdefault(key, Tally()).take_in(tally)
    run_ids = {outcome.run.run_id for outcome in outcomes}

    def governs(store: str) -> bool:
        governing = day.governing(store)
        return governing is not None and governing.run_id in run_ids

    return outcomes, DayOfSales(sales, governs)


def _outcome(
    context: ImportContext,
    staged: StagedRun,
    overlap: Overlap,
    around: Around,
    day: DayOfSnapshots,
    owners: Mapping[str, Owners],
) -> tuple[Outcome, SalesByEmployee]:
    run = staged.run
    moved = sales_in_newer_snapshots(context, staged, overlap, around)
    sales = {key: Tally(**asdict(tally)) for key, tally in staged.sales.items()}
    take_out(sales, moved)
    elsewhere = _total_of_sales(moved)
    for key in [key for key in sales if not day.governs(run.run_id, key[1])]:
        elsewhere.take_in(sales.pop(key))
    mapped, held = _map_employees(context, run, sales, owners)
    noted = {name for item in day.snapshots if item.run_id == run.run_id for name in item.displaced}
    published = total_of(mapped.values())
    outcome = Outcome(run, published, held, elsewhere, overlap.older | noted, overlap.older)
    accounted = total_of([*held.values(), published, elsewhere])
    if accounted != staged.staged:
        raise NotReconciled(f"import run {run.run_id}: staged {staged.staged}, accounted for {accounted}")
    return outcome, mapped


def _map_employees(
    context: ImportContext, run: ImportRun, sales: SalesByEmployee, known: Mapping[str, Owners]
) -> tuple[SalesByEmployee, dict[str, Tally]]:
    """Return the sums by hub employee on the business day, and what is held back by ERP employee.

    What is held is stored before the mappings are read for the last time: so an employee who appears meanwhile is
    either seen here, or finds the run among those that hold sales of the ID.
    """
    owners = dict(known)
    while True:
        mapped: SalesByEmployee = {}
        held: dict[str, Tally] = {}
        for (erp_id, store), tally in sales.items():
            if employee := owners.get(erp_id, Owners()).on(run.day):
                mapped.setdefault((employee, store), Tally()).take_in(tally)
            else:
                held.setdefault(erp_id, Tally()).take_in(tally)
        if held or run.held:
            context.held.replace(run.run_id, held)
        appeared = context.mappings.find(held.keys())
        if not appeared:
            return mapped, held
        owners |= appeared


def _let_others_look_again(context: ImportContext, outcome: Outcome, together: set[str]) -> None:
    """Queue a look at each run that loses sales to this one or gets them back, and note who they are first.

    Those that were published in the same turn have seen each other.
    """
    others = outcome.others - together
    if not outcome.others:
        return
    context.snapshots.note_displaced(outcome.run, outcome.overlapped, keep=True)
    for run_id in sorted(others):
        enqueue_publish(context, run_id, outcome.run.correlation_id, again=True)
    context.snapshots.note_displaced(outcome.run, outcome.overlapped, keep=False)


def _total_of_sales(sales: Iterable[Sale]) -> Tally:
    total = Tally()
    for sale in sales:
        total.add(sale.amount_minor, sale.units_sold)
    return total
