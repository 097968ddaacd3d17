"""Publish a staged run: reconcile it, let it count, and bring SalesMetrics up to date (INC-05, INC-07).

Doing it again, or by two workers at once, gives the same. Nothing is written to production tables before the run has
passed its checks.
"""

from collections.abc import Sequence
from dataclasses import replace
from time import perf_counter
from typing import Any

from shared.kernel.clock import to_iso
from shared.kernel.errors import DataRefused, HubError
from shared.kernel.money import from_minor
from shared.kernel.pay_period import period_of
from shared.sales.context import ImportContext
from shared.sales.drops import MOST_DROPS, Drop, day_as_a_whole, find_drops
from shared.sales.models import ALL_STORES, RawRecord, Sale, Tally
from shared.sales.outcome import (
    ask_for_calculation,
    ask_for_confirmation,
    begin_again,
    change_run,
    complete_run,
    enqueue_publish,
    fail_run,
    resume_run,
    supersede_run,
    tell_moved,
)
from shared.sales.publish_day import Outcome, publish_day
from shared.sales.rejects import RejectWriter
from shared.sales.repeats import look_at_repeats
from shared.sales.runs import ImportRun, RunStatus
from shared.sales.slices import Slice
from shared.sales.snapshots import DayOfSnapshots
from shared.sales.sources import SourceChanged
from shared.sales.staged import StagedRun, read_staged_run


class Unconfirmed(HubError):
    """A run takes away what nobody has confirmed."""

    code = "Unconfirmed"

    def __init__(self, drops: tuple[Drop, ...]) -> None:
        """Keep what drops."""
        super().__init__("stores drop to less than they sold before")
        self.drops = drops


def publish_when_staged(context: ImportContext, run: ImportRun) -> None:
    """Publish a run once all its slices are done: at once when it has one slice, else in an execution of its own."""
    slices = context.slices.all(run)
    if not _complete(run, slices):
        return
    if len(slices) == 1:
        publish_run(context, run.run_id)
    else:
        enqueue_publish(context, run.run_id, run.correlation_id)


def _complete(run: ImportRun, slices: Sequence[Slice]) -> bool:
    """Whether these are all slices of a run's present generation, and done."""
    done = bool(slices) and all(item.done for item in slices)
    return done and slices[-1].next_cursor is None and len(slices) >= run.slice_count


def publish_run(context: ImportContext, run_id: str) -> None:
    """Publish a staged run and end it. Idempotent by run. Busy while the day is being published by others.

    A run that does not fit together is read again from the start; one with too many rejects ends as Failed; one that
    lets stores drop waits for confirmation.
    """
    run = context.runs.get(run_id)
    if run.status.final and run.status is not RunStatus.FAILED:
        return
    if run.status is RunStatus.PUBLISHING:
        # It most likely waits already, and whoever has the day takes it in.
        period = period_of(run.day, context.rules.pay_calendar).name
        context.metrics.refuse_held(period, run.day, context.clock)
    slices = context.slices.all(run)
    if not _complete(run, slices):
        resume_run(context, run)  # a message from before the run began again
        return
    began = perf_counter()
    try:
        staged = read_staged_run(context, run, slices)
        _refuse_unfit(staged)
        if staged.repeated and staged.repeated != run.repeated:  # else they were looked at before
            look_at_repeats(context, staged)
    except SourceChanged as error:
        begin_again(context, run_id, run.generation, error)
        return
    _keep_repeats(context, staged)
    staged.run = run = change_run(
        context, run, status=RunStatus.PUBLISHING, progress_at=context.clock(), **_counts(staged)
    )
    if run.status is not RunStatus.PUBLISHING:
        return  # it ended, or began again, meanwhile
    if refusal := _too_many_rejects(context, staged):
        fail_run(context, run_id, refusal)
        return
    if not _let_it_count(context, staged):
        return
    outcome = publish_day(context, staged, lambda one: _end(context, one, perf_counter() - began))
    if outcome is None:
        supersede_run(context, run)


def _end(context: ImportContext, outcome: Outcome, seconds: float) -> None:
    run = change_run(context, outcome.run, **outcome.counts(), publishing_seconds=seconds)
    complete_run(context, run)


def _let_it_count(context: ImportContext, staged: StagedRun) -> bool:
    """Write which transactions the run holds, and let it count; False when that waits for confirmation."""

    def check(before: DayOfSnapshots, after: DayOfSnapshots) -> None:
        if any(item.run_id == staged.run.run_id for item in before.snapshots):
            return  # it was looked at when its first stores were written
        drops = drops_of(context, staged.run, before, after)
        if must_be_confirmed(context, drops) and not (staged.run.confirmed_by and set(drops) <= set(staged.run.drops)):
            raise Unconfirmed(drops)
        if drops and not staged.run.confirmed_by and drops != staged.run.drops:
            # Before it counts: whoever does this again finds no difference any more.
            staged.run = change_run(context, staged.run, drops=drops)

    found = found_by_store(staged)
    try:
        context.snapshots.write_digests(staged.run, staged.digests())
        context.snapshots.promote(staged.run, scope_of(staged, found), found, check)
    except Unconfirmed as error:
        ask_for_confirmation(context, staged.run, error.drops)
        return False
    except DataRefused as error:
        fail_run(context, staged.run.run_id, error)
        return False
    return True


def must_be_confirmed(context: ImportContext, drops: Sequence[Drop]) -> bool:
    """Tell whether a person has to confirm what drops."""
    return context.rules.drops.need_confirmation(drops)


def drops_of(context: ImportContext, run: ImportRun, before: DayOfSnapshots, after: DayOfSnapshots) -> tuple[Drop, ...]:
    """Return what drops by a run that takes stores over, the day as a whole included."""
    counted, counts = before.found(), after.found()
    taken: dict[str, tuple[Tally, bool]] = {}
    for store, tally in counted.items():
        old = before.governing(store)
        if old and old.run_id != run.run_id and after.governs(run.run_id, store):
            taken[store] = (tally, old.pushed)
    day = day_as_a_whole(counted.values(), counts.values())
    return find_drops(context.rules.drops, taken, counts, day)[:MOST_DROPS]


def republish_run(context: ImportContext, run_id: str) -> None:
    """Look at a published run again: an employee appeared, or another run took sales from it or gave them back.

    Idempotent by run. A run that counts no longer only clears up what it left. Busy as `publish_run`.
    """
    run = context.runs.get(run_id)
    if not context.snapshots.of_day(run.day).counts(run.run_id):
        context.held.replace(run.run_id, {})
        context.snapshots.forget_digests(run.day, {run.run_id})
        return
    began = perf_counter()
    staged = read_staged_run(context, run)
    outcome = publish_day(context, staged, lambda one: _end(context, one, perf_counter() - began), again=True)
    if outcome is not None:
        ask_for_calculation(context, run)
        tell_moved(context, run, replace(run, **outcome.counts()))
        change_run(context, run, **outcome.counts())


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


def scope_of(staged: StagedRun, found: Sequence[str] | dict[str, Tally]) -> tuple[str, ...]:
    """Return the stores that a run speaks for: a file for those it names, the ERP for what it was asked for."""
    if staged.run.store_id:
        return (staged.run.store_id,)
    if staged.run.source == "file":
        return tuple(sorted(found))
    return (ALL_STORES,)


def found_by_store(staged: StagedRun) -> dict[str, Tally]:
    """Return what a run has of each store."""
    found: dict[str, Tally] = {}
    for (_, store), tally in staged.sales.items():
        found.setdefault(store, Tally()).take_in(tally)
    return found


def _counts(staged: StagedRun) -> dict[str, Any]:
    return {
        "failure_code": "",
        "failure": "",
        "pages": staged.pages,
        "records_read": staged.records_read,
        "rejected": staged.rejected,
        "rejected_by_reason": dict(staged.rejected_by_reason),
        "duplicates": staged.duplicates,
        "repeated": 0 if staged.run.file_name else staged.repeated,
        "staged": staged.staged.transactions,
        "staged_amount_minor": staged.staged.amount_minor,
        "data_as_of": staged.data_as_of,
        "staging_seconds": staged.seconds,
    }
