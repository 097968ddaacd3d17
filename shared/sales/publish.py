"""Publish a staged run: reconcile it, let it count, and bring SalesMetrics up to date (INC-05, INC-07).

What a day holds in SalesMetrics is computed from the snapshots that count, never from what stood there before, so
doing it again, or by two workers at once, gives the same. Nothing is written to production tables before the run
has passed its checks.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from time import perf_counter
from typing import Any

from shared.kernel.clock import to_iso
from shared.kernel.errors import DataRefused, HubError
from shared.kernel.money import from_minor
from shared.kernel.pay_period import period_of
from shared.sales.context import ImportContext
from shared.sales.metrics import DayOfSales
from shared.sales.models import ALL_STORES, RawRecord, Sale, SalesByEmployee, Tally
from shared.sales.outcome import (
    ask_for_calculation,
    begin_again,
    change_run,
    complete_run,
    enqueue_publish,
    fail_run,
    supersede_run,
)
from shared.sales.overlap import overlap_with_others, sales_in_newer_snapshots
from shared.sales.owners import Owners
from shared.sales.rejects import RejectWriter
from shared.sales.runs import ImportRun, RunStatus
from shared.sales.snapshots import DayOfSnapshots
from shared.sales.sources import SourceChanged
from shared.sales.staged import StagedRun, read_staged_run, take_out


class NotReconciled(HubError):
    """Totals before and after differ: a defect, never to be ignored."""

    code = "NotReconciled"


def publish_when_staged(context: ImportContext, run: ImportRun) -> None:
    """Publish a run once all its slices are done: at once when it has one slice, else in an execution of its own."""
    slices = context.slices.all(run)
    complete = all(item.done for item in slices) and slices[-1].next_cursor is None
    if not complete or len(slices) < run.slice_count:
        return
    if len(slices) == 1:
        publish_run(context, run.run_id)
    else:
        enqueue_publish(context, run.run_id, run.correlation_id)


def publish_run(context: ImportContext, run_id: str) -> None:
    """Publish a staged run and end it. Idempotent by run.

    A run that does not fit together is read again from the start; one with too many rejects ends as Failed.
    """
    run = context.runs.get(run_id)
    if run.status.final and run.status is not RunStatus.FAILED:
        return
    began = perf_counter()
    try:
        staged = read_staged_run(context, run)
        _refuse_unfit(staged)
    except SourceChanged as error:
        begin_again(context, run_id, run.generation, error)
        return
    _keep_repeats(context, staged)
    run = change_run(context, run, status=RunStatus.PUBLISHING, progress_at=context.clock(), **_counts(staged))
    if refusal := _too_many_rejects(context, staged):
        fail_run(context, run_id, refusal)
        return
    context.snapshots.write_digests(run, staged.digests())
    context.snapshots.promote(run, _scope(staged))
    outcome = _bring_up_to_date(context, run, staged)
    if outcome is None:
        supersede_run(context, run)
        return
    _let_others_look_again(context, run, outcome)
    run = change_run(context, run, **outcome.counts(), publishing_seconds=perf_counter() - began)
    complete_run(context, run)


def republish_run(context: ImportContext, run_id: str) -> None:
    """Look at a published run again: an employee appeared, or another run took sales from it or gave them back.

    Idempotent by run. A run that counts no longer only clears up what it left.
    """
    run = context.runs.get(run_id)
    if not context.snapshots.of_day(run.day).counts(run.run_id):
        context.held.replace(run.run_id, {})
        context.snapshots.forget_digests(run.day, {run.run_id})
        return
    outcome = _bring_up_to_date(context, run, read_staged_run(context, run))
    if outcome is not None:
        ask_for_calculation(context, run)
        change_run(context, run, **outcome.counts())


@dataclass
class _Outcome:
    """Where the staged sales of a run went."""

    published: Tally = field(default_factory=Tally)
    held: dict[str, Tally] = field(default_factory=dict)
    elsewhere: Tally = field(default_factory=Tally)
    others: set[str] = field(default_factory=set)
    """Runs to look at again."""
    overlapped: set[str] = field(default_factory=set)
    """Of those, the ones that lose sales to this run."""

    def counts(self) -> dict[str, Any]:
        """Return the outcome as fields of a run."""
        held = _sum(self.held)
        return {
            "published": self.published.transactions,
            "published_amount_minor": self.published.amount_minor,
            "held": held.transactions,
            "held_amount_minor": held.amount_minor,
            "unmapped_employees": len(self.held),
            "elsewhere": self.elsewhere.transactions,
            "elsewhere_amount_minor": self.elsewhere.amount_minor,
        }


def _bring_up_to_date(context: ImportContext, run: ImportRun, staged: StagedRun) -> _Outcome | None:
    """Write what a run's day holds into SalesMetrics; None when the run counts no longer.

    NotReconciled when a cent or a record got lost or was made up on the way.
    """
    outcome = _Outcome()
    expected = Tally()

    def decide() -> DayOfSales | None:
        nonlocal outcome, expected
        around = context.snapshots.around(run.day)
        day = around.get(run.day, DayOfSnapshots(()))
        if not day.counts(run.run_id):
            return None
        overlap = overlap_with_others(context, staged, around)
        moved = sales_in_newer_snapshots(context, staged, overlap, around)
        sales = {key: Tally(**asdict(tally)) for key, tally in staged.sales.items()}
        take_out(sales, moved)
        overridden = [key for key in sales if not day.governs(run.run_id, key[1])]
        elsewhere = _total_of(moved)
        for key in overridden:
            elsewhere.take_in(sales.pop(key))
        mapped, held = _map_employees(context, run, sales)
        noted = {name for item in day.snapshots if item.run_id == run.run_id for name in item.displaced}
        outcome = _Outcome(_sum(mapped), held, elsewhere, overlap.older | noted, overlap.older)
        expected = outcome.published
        return DayOfSales(mapped, lambda store: day.governs(run.run_id, store))

    period = period_of(run.day, context.rules.pay_calendar).name
    found = context.metrics.replace_day(period, run.day, decide)
    if found is None:
        return None
    _reconcile(run, staged, outcome, expected, found)
    return outcome


def _map_employees(
    context: ImportContext, run: ImportRun, sales: SalesByEmployee
) -> tuple[SalesByEmployee, dict[str, Tally]]:
    """Return the sums by hub employee on the business day, and what is held back by ERP employee.

    What is held is stored before the mappings are read for the last time: so an employee who appears meanwhile is
    either seen here, or finds the run among those that hold sales of him.
    """
    erp_ids = {erp_id for erp_id, _ in sales}
    owners = context.mappings.find(erp_ids)
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


def _let_others_look_again(context: ImportContext, run: ImportRun, outcome: _Outcome) -> None:
    """Queue a look at each run that loses sales to this one or gets them back, and note who they are first."""
    if not outcome.others:
        return
    context.snapshots.note_displaced(run, outcome.overlapped, keep=True)
    for run_id in sorted(outcome.others):
        enqueue_publish(context, run_id, run.correlation_id, again=True)
    context.snapshots.note_displaced(run, outcome.overlapped, keep=False)


def _refuse_unfit(staged: StagedRun) -> None:
    total = staged.run.total_records
    if total >= 0 and staged.records_read != total:
        raise SourceChanged(f"the source says {total} records, its pages hold {staged.records_read}")


def _too_many_rejects(context: ImportContext, staged: StagedRun) -> DataRefused | None:
    limit = context.rules.max_reject_share
    if staged.rejected <= staged.records_read * limit:
        return None
    return DataRefused(
        f"{staged.rejected} of {staged.records_read} records were rejected, more than the {limit:.2%} allowed "
        "(ERP_MAX_REJECT_SHARE); nothing was imported: see the rejects of this run, correct the source, import again"
    )


def _reconcile(run: ImportRun, staged: StagedRun, outcome: _Outcome, expected: Tally, found: Tally) -> None:
    accounted = _sum(outcome.held)
    accounted.take_in(outcome.published)
    accounted.take_in(outcome.elsewhere)
    if accounted != staged.staged:
        raise NotReconciled(f"import run {run.run_id}: staged {staged.staged}, accounted for {accounted}")
    if found != expected:
        raise NotReconciled(f"import run {run.run_id}: SalesMetrics should hold {expected}, it holds {found}")


def _keep_repeats(context: ImportContext, staged: StagedRun) -> None:
    writer = RejectWriter(context.rejects, staged.run)
    for one, rejection in staged.repeats:
        writer.add(RawRecord(one.line, _as_it_came(one.sale)), one.page, rejection)
    writer.flush()


def _as_it_came(sale: Sale) -> dict[str, Any]:
    return {
        "transactionId": sale.transaction_id,
        "transactionDate": to_iso(sale.instant),
        "employeeId": sale.employee_id,
        "storeId": sale.store_id,
        "salesAmount": from_minor(sale.amount_minor),
        "unitsSold": sale.units_sold,
        "productCategory": sale.product_category,
        "productSku": sale.product_sku,
    }


def _scope(staged: StagedRun) -> tuple[str, ...]:
    """Return the stores that a run speaks for: a file for those it names, the ERP for what it was asked for."""
    if staged.run.store_id:
        return (staged.run.store_id,)
    if staged.run.source == "file":
        return tuple(sorted({store for _, store in staged.sales}))
    return (ALL_STORES,)


def _counts(staged: StagedRun) -> dict[str, Any]:
    return {
        "failure_code": "",
        "failure": "",
        "pages": staged.pages,
        "records_read": staged.records_read,
        "rejected": staged.rejected,
        "rejected_by_reason": dict(staged.rejected_by_reason),
        "duplicates": staged.duplicates,
        "staged": staged.staged.transactions,
        "staged_amount_minor": staged.staged.amount_minor,
        "data_as_of": staged.data_as_of,
        "staging_seconds": staged.seconds,
    }


def _sum(sales: Mapping[Any, Tally]) -> Tally:
    total = Tally()
    for tally in sales.values():
        total.take_in(tally)
    return total


def _total_of(sales: Iterable[Sale]) -> Tally:
    total = Tally()
    for sale in sales:
        total.add(sale.amount_minor, sale.units_sold)
    return total
