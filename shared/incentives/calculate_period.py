"""Calculating a whole period: from SalesMetrics and the plans to calculations (INC-40).

Idempotent: the same input gives the same rows; a draft is replaced, whatever is further than a draft never. When
something that was approved would come to something else now, that is counted and told: it is amended by hand.
"""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from shared.incentives.calculate_range import calculate_range
from shared.incentives.calculation_runs import CalculationRun, RunStatus
from shared.incentives.context import CALCULATION_QUEUE, NOTIFICATION_QUEUE, IncentiveContext
from shared.incentives.differences import difference_of, shown_difference
from shared.incentives.inbox import FILE_MESSAGE, give_up_file, take_in_file_now
from shared.incentives.progress import Progress, progress_from
from shared.kernel.contention import Contention
from shared.kernel.errors import DataRefused, HubError, InvalidRequest
from shared.kernel.identifiers import time_of
from shared.kernel.message import Message, send_message
from shared.kernel.pay_period import PayPeriod, begun_period
from shared.kernel.table import RowChanged

_REQUESTED = "calculation.requested"
_TOLD = 20
"""Calculations that a notification names."""
_FROM_THE_BEGINNING = Progress()
QUEUED_AGAIN_AFTER = timedelta(minutes=15)
"""Without progress; far longer than an execution takes, and harmless where one takes longer."""
_BY_IMPORT = "Import"


def start_calculation(context: IncentiveContext, period: str, started_by: str) -> str:
    """Store a run and queue it, return its ID. Whoever dies in between leaves it to `watch_calculations`.

    InvalidRequest for a period of another pay calendar, or one that is to come.
    """
    now = context.clock()
    name = begun_period(period, context.pay_calendar, now).name
    run = CalculationRun(context.new_id(), name, started_by, now, queued_at=now)
    context.runs.put(run)
    _enqueue(context, run)
    return run.run_id


def watch_calculations(context: IncentiveContext) -> list[str]:
    """Queue the runs again whose message seems lost, from their checkpoints; return their IDs. Idempotent."""
    now = context.clock()
    queued_again = []
    for run in context.runs.unfinished():
        alive = max(at for at in (run.started_at, run.queued_at, run.progress_at) if at)
        if now - alive < QUEUED_AGAIN_AFTER:
            continue
        try:
            run = context.runs.save(replace(run, queued_at=now))
        except RowChanged:
            continue  # it goes on
        # A broker that drops repeats must not take this for the message that was lost.
        _enqueue(context, run, _checkpoint(run), distinct=f"-{context.new_id()}")
        queued_again.append(run.run_id)
    return queued_again


def _enqueue(
    context: IncentiveContext, run: CalculationRun, progress: Progress = _FROM_THE_BEGINNING, distinct: str = ""
) -> None:
    """Ask for what is left of a run after its progress."""
    data: dict[str, Any] = {"period": run.period, "runId": run.run_id, "startedBy": run.started_by}
    send_message(
        context,
        CALCULATION_QUEUE,
        message_id=f"{run.run_id}-calculation{distinct}",
        message_type=_REQUESTED,
        subject=run.period,
        correlation_id=run.run_id,
        data=data | ({"progress": progress.as_json()} if progress.after else {}),
    )


def handle_calculation_message(context: IncentiveContext, message: Message) -> None:
    """Do what a message of the queue `calculation-requests` asks for. Idempotent by period and input; by records."""
    if message.type == FILE_MESSAGE:
        take_in_file_now(context, str(message.data.get("file")), put_off=True)
        return
    if message.type != _REQUESTED:
        raise DataRefused(f"message {message.id!r} asks for {message.type!r}, which the incentives do not know")
    try:
        period = begun_period(str(message.data.get("period")), context.pay_calendar, context.clock())
        start = progress_from(message.data.get("progress"))
    except (InvalidRequest, ValueError) as error:
        raise DataRefused(f"message {message.id!r}: {error}") from None
    calculate_period(context, _run_of(context, message), period, start)


def give_up_calculation(context: IncentiveContext, message: Message, error: HubError) -> None:
    """Let a run whose message was parked end as Failed, unless it goes on without; a file goes to quarantine."""
    if message.type == FILE_MESSAGE:
        give_up_file(context, str(message.data.get("file")), error)
        return
    try:
        run = _run_of(context, message)
    except DataRefused:
        return
    known = context.runs.find(run.run_id) or run
    try:
        start = progress_from(message.data.get("progress"))
    except ValueError:
        start = _FROM_THE_BEGINNING
    if _goes_without(known, start):
        return
    failed = replace(known, status=RunStatus.FAILED, failure=error.message[:1000], finished_at=context.clock())
    context.runs.put(failed)


def calculate_period(
    context: IncentiveContext, run: CalculationRun, period: PayPeriod, start: Progress = _FROM_THE_BEGINNING
) -> CalculationRun:
    """Calculate, write what differs, tell who is concerned; return the run with its counts. Busy.

    A long period is a chain: what one execution does not reach is asked for by a message that says how far it is.
    Of two runs at once each writes last only what it computed from the sales and assignments that are there after its
    last write: whichever is slower, the result is that of the latest input.
    """
    context.plan_versions.pin(context.plans().for_period(period), context.clock())
    before = context.runs.find(run.run_id)
    if before and _goes_without(before, start):
        return before
    if not start.after:
        start = Progress(chain=context.new_id())
    run = context.runs.put(_begun(run, before, start, context.clock()))
    done = calculate_range(context, run, period, start)
    run = replace(run, **done.progress.counts)
    if not done.finished:
        return _go_on(context, run, done.progress)
    died_before = before is not None and before.status is RunStatus.RUNNING
    if run.created or run.replaced or died_before:
        # After a death nobody knows who was told: who tells it on knows what he told already.
        _tell(context, run)
    if done.progress.found_anew:
        _tell_differing(context, run)
    over = replace(run, status=RunStatus.SUCCEEDED, finished_at=context.clock())
    return _save(context, over, done.progress.chain) or over


def _go_on(context: IncentiveContext, run: CalculationRun, progress: Progress) -> CalculationRun:
    """Let the next execution go on from here, unless the run has begun again meanwhile."""
    kept = replace(run, checkpoint=json.dumps(progress.as_json()), progress_at=context.clock())
    if saved := _save(context, kept, progress.chain):
        _enqueue(context, saved, progress, distinct=f"-{progress.chain}-{progress.after}")
    return saved or kept


def _save(context: IncentiveContext, run: CalculationRun, chain: str) -> CalculationRun | None:
    """Write a run over what its own chain, or the watchdog, wrote meanwhile; None when it goes on without. Busy."""
    contention = Contention(f"calculation run {run.run_id}")
    while True:
        try:
            return context.runs.save(run)
        except RowChanged:
            contention.pause()
            present = context.runs.get(run.run_id)
            if present.status is RunStatus.SUCCEEDED or _checkpoint(present).chain != chain:
                return None
            run = replace(run, etag=present.etag)


def _checkpoint(run: CalculationRun) -> Progress:
    return progress_from(json.loads(run.checkpoint)) if run.checkpoint else _FROM_THE_BEGINNING


def _run_of(context: IncentiveContext, message: Message) -> CalculationRun:
    run_id = str(message.data.get("runId") or "")
    try:
        time_of(run_id)
    except ValueError:
        raise DataRefused(f"message {message.id!r}: runId is no UUIDv7") from None
    started_by = str(message.data.get("startedBy") or _BY_IMPORT)
    return CalculationRun(run_id, str(message.data.get("period")), started_by, context.clock())


def _goes_without(run: CalculationRun, start: Progress) -> bool:
    """Tell whether a run needs no message that says to start here any more.

    Only an import asks again under the ID of a run that is done. One that begins again covers the whole period by later
    input than the chain before, which is not gone on with: how far it is says nothing about this one.
    """
    if start.after:
        return run.status is RunStatus.SUCCEEDED or _checkpoint(run).chain != start.chain
    return run.status is RunStatus.SUCCEEDED and run.started_by != _BY_IMPORT


def _begun(run: CalculationRun, before: CalculationRun | None, start: Progress, now: datetime) -> CalculationRun:
    """Return the run as an execution begins: an import that is published again asks for it again under the same ID."""
    going_on = before is not None and before.status in (RunStatus.QUEUED, RunStatus.RUNNING)
    started_at = before.started_at if before and going_on else run.started_at
    checkpoint = json.dumps(start.as_json())
    return replace(run, status=RunStatus.RUNNING, started_at=started_at, progress_at=now, checkpoint=checkpoint)


def _tell_differing(context: IncentiveContext, run: CalculationRun) -> None:
    """Tell operators what would come to something else now, and how it is put right; once for each beginning of a run.

    The first ones are named: `GET /calculations?differing=true` shows all.
    """
    found = (context.calculations.find(key) for key in run.differing_ids[:_TOLD])
    differences = [known for one in found if one and (known := difference_of(context, one))]
    shown = [
        {"id": one.calculation.calculation_id, "status": one.calculation.state.value, **shown_difference(one)}
        for one in differences
    ]
    send_message(
        context,
        NOTIFICATION_QUEUE,
        message_id=f"{run.occurrence}-calculation.differing",
        message_type="calculation.differing",
        subject=run.period,
        correlation_id=run.run_id,
        data={
            "period": run.period,
            "runId": run.run_id,
            "count": run.differing,
            "calculationIds": ", ".join(run.differing_ids[:_TOLD]),
            "amounts": "; ".join(f"{one['id']}: {one['comesTo']}, now {one['presentNet']}" for one in shown),
            "differing": shown,
            "reason": (
                f"{run.differing} calculations of {run.period} that were submitted, approved or exported would come to "
                "something else by the present sales: reject those that wait and calculate again, amend the others. "
                f"GET /api/v1/calculations?period={run.period}&differing=true lists them with the amendments to post"
            ),
        },
    )


def _tell(context: IncentiveContext, run: CalculationRun) -> None:
    """Tell once for each beginning of a run: an import that is published again has it begin again."""
    send_message(
        context,
        NOTIFICATION_QUEUE,
        message_id=f"{run.occurrence}-calculation.completed",
        message_type="calculation.completed",
        subject=run.period,
        correlation_id=run.run_id,
        data={"period": run.period, "runId": run.run_id, "differing": run.differing},
    )
