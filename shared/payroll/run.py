"""Carrying an export on: the next step, recorded, then the one after it (INC-56)."""

import logging
from dataclasses import replace
from datetime import timedelta
from time import monotonic

from shared.kernel.clock import to_iso
from shared.kernel.errors import Conflict, DataRefused, HubError
from shared.kernel.message import Message, new_message
from shared.kernel.table import RowChanged
from shared.payroll.context import NOTIFICATION_QUEUE, PayrollContext
from shared.payroll.export import STEPS, Export, ExportStatus, Step
from shared.payroll.start import enqueue_export
from shared.payroll.steps import DO

_log = logging.getLogger(__name__)

_SLICE = 60.0
"""Seconds after which the next steps are left to another execution."""
_STALLED_AFTER = timedelta(minutes=15)


def handle_export_message(context: PayrollContext, message: Message) -> None:
    """Do what a message of the queue `payroll-exports` asks for. Idempotent by export and step."""
    if message.type != "payroll.export":
        raise DataRefused(f"message {message.id!r} asks for {message.type!r}, which payroll does not know")
    carry_on(context, str(message.data["exportId"]))


def carry_on(context: PayrollContext, export_id: str) -> Export:
    """Do the steps that are left. Busy while another worker does them."""
    with context.hold(export_id):
        export = context.exports.get(export_id)
        began = monotonic()
        while export.status is ExportStatus.RUNNING and export.step:
            step = export.step
            try:
                export = _record(context, DO[step](context, export), step)
            except DataRefused as error:
                return stop_export(context, export, error)
            except RowChanged:
                # Another worker recorded something meanwhile: what it wrote counts.
                export = context.exports.get(export_id)
            if monotonic() - began > _SLICE and export.status is ExportStatus.RUNNING:
                enqueue_export(context, export)
                break
        return export


def give_up_export(context: PayrollContext, message: Message, error: HubError) -> None:
    """Let an export whose message was parked stop, with the reason."""
    export_id = message.data.get("exportId")
    if isinstance(export_id, str):
        export = context.exports.get(export_id)
        if export.status is ExportStatus.RUNNING:
            stop_export(context, export, error)


def stop_export(context: PayrollContext, export: Export, error: HubError) -> Export:
    """Stop an export where it is, and alert: a person must look at it."""
    extra = {"alert": "high", "event": "export.stopped", "exportId": export.export_id, "reason": error.code}
    _log.error("payroll export %s stops at %s: %s", export.export_id, export.step, error.code, extra=extra)
    stopped = replace(
        export,
        status=ExportStatus.STOPPED,
        failure_code=error.code,
        failure=error.message[:2000],
        progress_at=context.clock(),
    )
    _alert(context, stopped)
    return context.exports.save(stopped)


def resume_export(context: PayrollContext, export_id: str) -> Export:
    """Let a stopped export go on where it stopped; one whose control totals differed asks payroll again first.

    Conflict when it is finished. One that is running is queued again: that does no harm.
    """
    export = context.exports.get(export_id)
    if export.status in (ExportStatus.COMPLETED, ExportStatus.EMPTY):
        raise Conflict(f"export {export_id} is {export.status}: there is nothing to resume")
    if export.status is ExportStatus.STOPPED:
        step = Step.POST if export.step is Step.VERIFY else export.step
        going_on = replace(export, status=ExportStatus.RUNNING, step=step, progress_at=context.clock())
        export = context.exports.save(replace(going_on, failure="", failure_code=""))
    enqueue_export(context, export)
    return export


def wake_stalled_exports(context: PayrollContext) -> list[str]:
    """Queue exports again that make no progress (their message was lost with a process). Idempotent."""
    now = context.clock()
    woken = []
    for export in context.exports.running():
        if now - (export.progress_at or export.started_at) > _STALLED_AFTER:
            enqueue_export(context, export)
            woken.append(export.export_id)
    return woken


def _record(context: PayrollContext, export: Export, step: Step) -> Export:
    """Record that a step is completed, before the next one begins."""
    now = context.clock()
    following = STEPS[STEPS.index(step) + 1 :]
    status = export.status
    if status is ExportStatus.RUNNING and not following:
        status = ExportStatus.COMPLETED
    done = status is not ExportStatus.RUNNING
    return context.exports.save(
        replace(
            export,
            status=status,
            step=None if done else following[0],
            completed={**export.completed, step.value: to_iso(now)},
            progress_at=now,
            finished_at=now if done else None,
        )
    )


def _alert(context: PayrollContext, export: Export) -> None:
    message = new_message(
        message_id=f"{export.export_id}-stopped-{export.step}-{len(export.completed)}",
        message_type="export.stopped",
        tenant=context.tenant,
        now=context.clock(),
        subject=export.export_id,
        correlation_id=export.export_id,
        data={
            "exportId": export.export_id,
            "period": export.period,
            "step": export.step.value if export.step else "",
            "failureCode": export.failure_code,
            "failure": export.failure,
        },
    )
    context.queues.send(NOTIFICATION_QUEUE, message)
