"""Carrying an export on: the next step, recorded, then the one after it (INC-56)."""

import logging
from dataclasses import replace
from datetime import timedelta
from time import monotonic

from shared.kernel.clock import to_iso
from shared.kernel.contention import Contention
from shared.kernel.errors import Busy, Conflict, DataRefused, HubError, NotFound
from shared.kernel.message import Message
from shared.kernel.table import RowChanged
from shared.payroll.context import PayrollContext
from shared.payroll.export import STEPS, Export, ExportStatus, Step
from shared.payroll.notices import tell_stopped
from shared.payroll.start import enqueue_export
from shared.payroll.steps import DO

_log = logging.getLogger(__name__)

_SLICE = 60.0
"""Seconds after which the next steps are left to another execution."""
_STALLED_AFTER = timedelta(minutes=15)


def handle_export_message(context: PayrollContext, message: Message) -> None:
    """Do what a message of the queue `payroll-exports` asks for. Idempotent by export and step."""
    export_id = message.data.get("exportId")
    if message.type != "payroll.export" or not isinstance(export_id, str):
        raise DataRefused(
            f"message {message.id!r} asks for {message.type!r} of {export_id!r}: payroll does not know it"
        )
    carry_on(context, export_id)


def carry_on(context: PayrollContext, export_id: str) -> Export:
    """Do the steps that are left. Busy while another worker does them, or when one has taken over."""
    with context.hold(export_id) as hold_on:
        export = context.exports.get(export_id)
        began = monotonic()
        while export.status is ExportStatus.RUNNING and export.step:
            try:
                export = _do(context, export, export.step)
            except RowChanged:
                # Somebody recorded something meanwhile: what he wrote counts.
                export = context.exports.get(export_id)
            hold_on()
            if monotonic() - began > _SLICE and export.status is ExportStatus.RUNNING:
                enqueue_export(context, export)
                return export
        if export.status is ExportStatus.STOPPED:
            tell_stopped(context, export)
        return export


def give_up_export(context: PayrollContext, message: Message, error: HubError) -> None:
    """Let an export whose message was parked stop, with the reason. Idempotent by export."""
    export_id = message.data.get("exportId")
    if not isinstance(export_id, str):
        return
    try:
        export = context.exports.get(export_id)
    except NotFound:
        return
    if export.status is ExportStatus.RUNNING:
        try:
            export = stop_export(context, export, error)
        except RowChanged:
            return  # another worker has got on with it since
    if export.status is ExportStatus.STOPPED:
        tell_stopped(context, export)


def stop_export(context: PayrollContext, export: Export, error: HubError) -> Export:
    """Stop an export where it is: a person must look at it, and `tell_stopped` says so afterwards.

    RowChanged when it has gone on meanwhile: then there is nothing to stop.
    """
    stopped = context.exports.save(
        replace(
            export,
            status=ExportStatus.STOPPED,
            stops=export.stops + 1,
            failure_code=error.code,
            failure=error.message[:2000],
            progress_at=context.clock(),
        )
    )
    extra = {"alert": "high", "event": "export.stopped", "exportId": export.export_id, "reason": error.code}
    _log.error("payroll export %s stops at %s: %s", export.export_id, export.step, error.code, extra=extra)
    return stopped


def resume_export(context: PayrollContext, export_id: str) -> Export:
    """Let a stopped export go on where it stopped; one whose control totals differed asks payroll again first.

    Conflict when it is finished; Busy. One that is running is queued again: that does no harm.
    """
    contention = Contention(f"export {export_id}")
    while True:
        export = context.exports.get(export_id)
        if export.status.final:
            raise Conflict(f"export {export_id} is {export.status}: there is nothing to resume")
        if export.status is ExportStatus.STOPPED:
            # Whoever stopped it may have died before he told; told twice, it is sent once.
            tell_stopped(context, export)
            step = Step.POST if export.step is Step.VERIFY else export.step
            going_on = replace(export, status=ExportStatus.RUNNING, step=step, progress_at=context.clock())
            try:
                export = context.exports.save(replace(going_on, failure="", failure_code=""))
            except RowChanged:
                contention.pause()
                continue
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


def _do(context: PayrollContext, export: Export, step: Step) -> Export:
    """Do a step and record it, or stop where it must not be done. Busy while payroll is at it; RowChanged."""
    try:
        return _record(context, DO[step](context, export), step)
    except DataRefused as error:
        return stop_export(context, export, error)
    except Busy:
        # An answer, though not the last one: the export does not stand still.
        context.exports.save(replace(export, progress_at=context.clock()))
        raise


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
