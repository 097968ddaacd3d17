"""Calculating a whole period: from SalesMetrics and the plans to calculations (INC-40).

Idempotent: the same input gives the same rows; a draft is replaced, whatever is further than a draft never. When
something that was approved would come to something else now, that is counted and told: it is amended by hand.
"""

from dataclasses import replace
from datetime import timedelta

from shared.incentives.calculate_range import calculate_range
from shared.incentives.calculation_runs import CalculationRun, RunStatus
from shared.incentives.context import CALCULATION_QUEUE, NOTIFICATION_QUEUE, IncentiveContext
from shared.incentives.differences import difference_of, shown_difference
from shared.incentives.inbox import FILE_MESSAGE, give_up_file, take_in_file_now
from shared.incentives.progress import Progress, progress_from
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
    """Queue the runs again that nobody has begun since they were queued long ago; return their IDs. Idempotent."""
    now = context.clock()
    queued_again = []
    for run in context.runs.queued():
        if now - (run.queued_at or run.started_at) < QUEUED_AGAIN_AFTER:
            continue
        try:
            run = context.runs.save(replace(run, queued_at=now))
        except RowChanged:
            continue  # begun meanwhile
        _enqueue(context, run)
        queued_again.append(run.run_id)
    return queued_again


def _enqueue(context: IncentiveContext, run: CalculationRun) -> None:
    send_message(
        context,
        CALCULATION_QUEUE,
        message_id=f"{run.run_id}-calculation",
        message_type=_REQUESTED,
        subject=run.period,
        correlation_id=run.run_id,
        data=_request(run),
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
    """Let a run whose message was parked end as Failed; a file goes to quarantine."""
    if message.type == FILE_MESSAGE:
        give_up_file(context, str(message.data.get("file")), error)
        return
    try:
        run = _run_of(context, message)
    except DataRefused:
        return
    known = context.runs.find(run.run_id) or run
    if _is_over(known):
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
    if before and _is_over(before):
        return before
    run = _begun(run, before)
    context.runs.put(run)
    done = calculate_range(context, run, period, start)
    run = replace(run, **done.progress.counts)
    if not done.finished:
        _go_on(context, run, done.progress)
        return run
    died_before = before is not None and before.status is RunStatus.RUNNING
    if run.created or run.replaced or died_before:
        # After a death nobody knows who was told: who tells it on knows what he told already.
        _tell(context, run)
    if done.progress.found_anew:
        _tell_differing(context, run)
    over = replace(run, status=RunStatus.SUCCEEDED, finished_at=context.clock())
    context.runs.put(over)
    return over


def _go_on(context: IncentiveContext, run: CalculationRun, progress: Progress) -> None:
    """Let the next execution go on. The message is the checkpoint: the run may be asked for anew meanwhile."""
    send_message(
        context,
        CALCULATION_QUEUE,
        message_id=f"{run.run_id}-calculation-{progress.after}",
        message_type=_REQUESTED,
        subject=run.period,
        correlation_id=run.run_id,
        data={**_request(run), "progress": progress.as_json()},
    )


def _request(run: CalculationRun) -> dict[str, str]:
    return {"period": run.period, "runId": run.run_id, "startedBy": run.started_by}


def _run_of(context: IncentiveContext, message: Message) -> CalculationRun:
    run_id = str(message.data.get("runId") or "")
    try:
        time_of(run_id)
    except ValueError:
        raise DataRefused(f"message {message.id!r}: runId is no UUIDv7") from None
    started_by = str(message.data.get("startedBy") or _BY_IMPORT)
    return CalculationRun(run_id, str(message.data.get("period")), started_by, context.clock())


def _is_over(run: CalculationRun) -> bool:
    """Tell whether a run needs no message any more: only an import asks again under the ID of one that is done."""
    return run.status is RunStatus.SUCCEEDED and run.started_by != _BY_IMPORT


def _begun(run: CalculationRun, before: CalculationRun | None) -> CalculationRun:
    """Return the run as it begins: an import that is published again asks for it again under the same ID."""
    going_on = before is not None and before.status in (RunStatus.QUEUED, RunStatus.RUNNING)
    started_at = before.started_at if before and going_on else run.started_at
    return replace(run, status=RunStatus.RUNNING, started_at=started_at)


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
