"""How a run changes its state and how it ends: the import log, notifications, what follows (INC-06)."""

import json
import logging
from dataclasses import replace
from datetime import datetime
from hashlib import blake2b
from typing import Any

from shared.kernel.clock import to_iso
from shared.kernel.contention import Contention, spread
from shared.kernel.errors import Busy, HubError
from shared.kernel.message import send_message
from shared.kernel.money import amount_text
from shared.kernel.pay_period import period_of
from shared.kernel.table import RowChanged
from shared.sales.context import CALCULATION_QUEUE, IMPORT_QUEUE, NOTIFICATION_QUEUE, ImportContext
from shared.sales.drops import Drop, describe_drops
from shared.sales.models import ALL_STORES, Tally
from shared.sales.quarantine import quarantine_file
from shared.sales.runs import ImportRun, RunStatus
from shared.sales.start import enqueue_slice

_log = logging.getLogger(__name__)

MAX_GENERATIONS = 3
"""How often a source that changes while it is read is read from the start."""


_NOT_WAITING: dict[str, Any] = {"waiting_code": "", "waiting": "", "tries": 0, "next_attempt_at": None}


def note_waiting(context: ImportContext, run: ImportRun, error: HubError, tries: int, next_at: datetime) -> None:
    """Note on a run why it waits, after how many tries, and when it is tried next (INC-06)."""
    if run.status.final:
        return
    extra = {
        "runId": run.run_id,
        "reason": error.code,
        "tries": tries,
        "nextAttemptAt": to_iso(next_at),
    }
    _log.warning("import %s of %s waits: %s", run.run_id, run.day, error.code, extra=extra)
    change_run(
        context, run, waiting_code=error.code, waiting=error.message[:2000], tries=tries, next_attempt_at=next_at
    )


def note_going_on(context: ImportContext, run: ImportRun) -> ImportRun:
    """Take the note of a wait off a run that goes on. Costs nothing where there is none."""
    return change_run(context, run, **_NOT_WAITING) if run.waiting_code else run


def change_run(context: ImportContext, run: ImportRun, **changes: Any) -> ImportRun:  # noqa: ANN401 - fields of a run
    """Change a run, over what others changed meanwhile; a run that has ended or began again is left alone.

    Another status is progress: the note of a wait goes with it.
    """
    if "status" in changes:
        changes = _NOT_WAITING | changes
    contention = Contention(f"import run {run.run_id}")
    while True:
        try:
            return context.runs.save(replace(run, **changes))
        except RowChanged:
            contention.pause()
            fresh = context.runs.get(run.run_id)
            if fresh.generation != run.generation or (fresh.status.final and fresh.status is not RunStatus.FAILED):
                return fresh
            run = fresh


def begin_again(context: ImportContext, run_id: str, generation: int, error: HubError) -> None:
    """Read the source from the start, under the next generation; fail the run when that was tried often enough."""
    run = context.runs.get(run_id)
    if run.generation != generation:
        return
    if generation >= MAX_GENERATIONS:
        fail_run(context, run_id, error)
        return
    run = change_run(
        context,
        run,
        generation=generation + 1,
        status=RunStatus.QUEUED,
        slice_count=0,
        total_records=-1,
        repeated=0,
        progress_at=context.clock(),
    )
    resume_run(context, run)


def resume_run(context: ImportContext, run: ImportRun) -> None:
    """Queue again whatever a run still has to do. Safe at any time: what is done or being done is not done twice."""
    if run.status.final:
        return
    slices = context.slices.all(run)
    if not slices:
        enqueue_slice(context, run, 0, context.source_of(run).first_cursor)
        return
    for item in slices:
        if not item.done:
            enqueue_slice(context, run, item.number, item.cursor)
    last = slices[-1]
    if all(item.done for item in slices):
        enqueue_slice(context, run, last.number, last.cursor)


def enqueue_publish(
    context: ImportContext, run_id: str, correlation_id: str, *, again: bool = False, confirmed: bool = False
) -> None:
    """Queue the publishing of a run, or the look at a published one again.

    One that was confirmed was queued before: a broker that drops repeats must not take it for that.
    """
    kind = "republish" if again else "publish"
    send_message(
        context,
        IMPORT_QUEUE,
        message_id=f"{run_id}-{kind}-{context.new_id()}" if again or confirmed else f"{run_id}-{kind}",
        message_type=f"import.{kind}",
        subject=run_id,
        correlation_id=correlation_id,
        data={"runId": run_id},
    )


def complete_run(context: ImportContext, run: ImportRun) -> None:
    """Tell that a run has been published, then let it end. Who receives a notification knows repeats by its ID."""
    status = RunStatus.PARTIAL_SUCCESS if run.rejected or run.repeated else RunStatus.SUCCEEDED
    _notify(context, run, "import.completed", status)
    ask_for_calculation(context, run)
    change_run(context, run, status=status, finished_at=context.clock())


def ask_for_confirmation(context: ImportContext, run: ImportRun, drops: tuple[Drop, ...]) -> None:
    """Let a run wait until somebody confirms what drops by it, and tell so. Idempotent by run and by what drops.

    Busy when the run was changed meanwhile: it may just have been confirmed.
    """
    waiting = replace(run, status=RunStatus.NEEDS_CONFIRMATION, drops=drops, confirmed_by="")
    what = blake2b(repr(drops).encode(errors="replace"), digest_size=8).hexdigest()
    extra = {"alert": "high", "event": "import.needs_confirmation", "runId": run.run_id, "reason": "Drops"}
    _log.warning("import %s of %s lets %d stores drop: confirm it", run.run_id, run.day, len(drops), extra=extra)
    _notify(context, waiting, "import.needs_confirmation", RunStatus.NEEDS_CONFIRMATION, distinct=f"-{what}")
    try:
        context.runs.save_waiting(waiting)
    except RowChanged:
        raise Busy(f"import run {run.run_id} is being changed by others", retry_after=spread(1.0)) from None


def ask_for_calculation(context: ImportContext, run: ImportRun) -> None:
    """Let the period be calculated whose metrics a run has changed, where it is so configured (INC-06)."""
    if not context.rules.triggers_calculation:
        return
    period = period_of(run.day, context.rules.pay_calendar).name
    send_message(
        context,
        CALCULATION_QUEUE,
        # A run that is published again asks again: a broker that drops repeats must not take it for the first time.
        message_id=f"{run.run_id}-calculation-{context.new_id()}",
        message_type="calculation.requested",
        subject=period,
        correlation_id=run.correlation_id,
        data={"period": period, "runId": run.run_id},
    )


def supersede_run(context: ImportContext, run: ImportRun) -> None:
    """End a run whose stores all have newer data, and tell so where somebody counts on it.

    Somebody sent a file, and somebody was asked to confirm a run. A pull that a later pull overtook stays silent: the
    day has what the ERP said last, nobody did anything for this one, and the later one is told of.
    """
    if run.file_name or run.status is RunStatus.NEEDS_CONFIRMATION or run.confirmed_by:
        _notify(context, run, "import.superseded", RunStatus.SUPERSEDED)
    change_run(context, run, status=RunStatus.SUPERSEDED, finished_at=context.clock())


def supersede_waiting_run(context: ImportContext, run: ImportRun) -> bool:
    """End a run that waits for confirmation, as `supersede_run`; False when it was confirmed meanwhile."""
    _notify(context, run, "import.superseded", RunStatus.SUPERSEDED)
    try:
        context.runs.save(replace(run, status=RunStatus.SUPERSEDED, finished_at=context.clock()))
    except RowChanged:
        return False
    return True


def fail_run(context: ImportContext, run_id: str, error: HubError) -> None:
    """End a run as Failed with the reason. A file goes to quarantine. A run that was published stays so."""
    run = context.runs.get(run_id)
    if run.status.final and run.status is not RunStatus.FAILED:
        return
    failed = replace(run, failure_code=error.code, failure=error.message[:2000])
    if run.file_name:
        quarantine_file(context, failed)
    extra = {"alert": "high", "event": "import.failed", "runId": run.run_id, "reason": error.code}
    _log.error("import %s of %s failed: %s", run.run_id, run.day, error.code, extra=extra)
    _notify(context, failed, "import.failed", RunStatus.FAILED)
    change_run(
        context,
        run,
        status=RunStatus.FAILED,
        failure_code=failed.failure_code,
        failure=failed.failure,
        finished_at=context.clock(),
    )


def _notify(context: ImportContext, run: ImportRun, event: str, status: RunStatus, distinct: str = "") -> None:
    send_message(
        context,
        NOTIFICATION_QUEUE,
        message_id=f"{run.run_id}-{event}{distinct}",
        message_type=event,
        subject=run.run_id,
        correlation_id=run.correlation_id,
        data=json.loads(json.dumps(run_summary(run, status))),
    )


def tell_moved(context: ImportContext, before: ImportRun, after: ImportRun) -> None:
    """Tell operators of a day that counted and loses much to runs of other days, before that is written.

    A transaction counts once, in the latest run that holds it (INC-03): right for a sale that the source moved. But a
    till that numbers from 1 each day takes the sales of another day away, and nobody may be paid less in silence.
    """
    had, has = _own(before), _own(after)
    drop = Drop(ALL_STORES, had.transactions, had.amount_minor, has.transactions, has.amount_minor)
    rules = context.rules.drops
    if had.transactions <= has.transactions or not rules.is_drop(drop) or drop.records_before < rules.records:
        return
    # Of this change, however often it is done again: what counts here may go and come back.
    version = blake2b(before.etag.encode(), digest_size=8).hexdigest()
    lost = had.transactions - has.transactions
    _log.warning("import %s of %s loses %d sales to other days or stores", before.run_id, before.day, lost)
    _notify(context, after, "import.sales-moved", after.status, distinct=f"-{version}")


def _own(run: ImportRun) -> Tally:
    """Return what of a run counts under its own day and stores, or is held for them."""
    return Tally(run.staged_amount_minor - run.elsewhere_amount_minor, 0, run.staged - run.elsewhere)


def _notice(run: ImportRun) -> str | None:
    """Return what an operator has to know of a run that was published all the same."""
    if not run.repeated:
        return _moved(run)
    return (
        f"{run.repeated} of {run.records_read} records came on another page already, also when those pages were asked "
        f"for again: each transaction was counted once, {run.distinct} in all. Where the source does not hold records "
        "twice, it pages without a stable order, and as many others may be missing: compare with the source"
    )


def _moved(run: ImportRun) -> str | None:
    """Return how much of a run counts elsewhere, where that is most of it."""
    if run.elsewhere * 2 <= run.staged:
        return None
    return (
        f"{run.elsewhere} of {run.staged} sales ({amount_text(run.elsewhere_amount_minor)}) count under another day or "
        "store, where a later import has transactions of the same IDs: right if the source moved them; where it gives "
        "transaction IDs twice, they are missing here"
    )


def run_summary(run: ImportRun, status: RunStatus) -> dict[str, Any]:
    """Return what a person wants to know of a run; money as decimal text."""
    return {
        "runId": run.run_id,
        "date": run.day.isoformat(),
        "storeId": run.store_id or None,
        "source": run.source,
        "fileName": run.file_name or None,
        "status": status.value,
        "trigger": run.trigger.value,
        "startedBy": run.started_by,
        "requestedAt": to_iso(run.requested_at),
        "pages": run.pages,
        "recordsRead": run.records_read,
        "rejected": run.rejected,
        "rejectedByReason": dict(run.rejected_by_reason),
        "duplicates": run.duplicates,
        "distinct": run.distinct,
        "repeatedOnOtherPages": run.repeated,
        "notice": _notice(run),
        "staged": run.staged,
        "stagedAmount": amount_text(run.staged_amount_minor),
        "published": run.published,
        "publishedAmount": amount_text(run.published_amount_minor),
        "held": run.held,
        "heldAmount": amount_text(run.held_amount_minor),
        "drops": describe_drops(run.drops),
        "confirmedBy": run.confirmed_by or None,
        "failureCode": run.failure_code or None,
        "failure": run.failure or None,
        "waitingCode": run.waiting_code or None,
        "waiting": run.waiting or None,
        "tries": run.tries,
        "nextAttemptAt": to_iso(run.next_attempt_at) if run.next_attempt_at else None,
    }
