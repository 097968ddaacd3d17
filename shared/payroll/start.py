"""Start an export, by hand or by the timer (INC-50, INC-51)."""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.kernel.contention import Contention
from shared.kernel.errors import Conflict, FieldProblem
from shared.kernel.message import send_message
from shared.kernel.pay_period import PayPeriod, begun_period
from shared.payroll.approved import Expected, look_at, write_down
from shared.payroll.context import EXPORT_QUEUE, PayrollContext
from shared.payroll.export import Export, ExportStatus

_NAMED = 50
"""IDs that a refusal names; the count is always whole."""


@dataclass(frozen=True)
class ExportRequest:
    """Which period is to be exported, and who says so. `force`: although calculations wait for a decision.

    `expected`: what the caller saw; None for the timer, which is no caller.
    """

    period: PayPeriod
    trigger: str
    started_by: str
    force: bool = False
    correlation_id: str = ""
    expected: Expected | None = None

    def is_repeated(self, last: Export | None) -> bool:
        """Tell whether the last export of the period is what the same caller asked for already: the answer was lost."""
        return bool(
            self.expected and last and last.started_by == self.started_by and self.expected.is_met_by(last.seen)
        )


def start_export(context: PayrollContext, request: ExportRequest) -> Export:
    """Store an export and queue it; one that runs already is queued again and returned. Idempotent while it runs.

    Only what the caller saw is exported; a request that is repeated after its export has ended gives that one.
    Conflict, with the count and the IDs: nothing is approved, something waits for a decision, everything was exported.
    PreconditionRequired, PreconditionFailed: it is not said what was seen, or that is not what is approved.
    InvalidRequest for a period of another pay calendar, or one that is to come. Busy when its turn is taken each time.
    """
    period = begun_period(request.period.name, context.rules.pay_calendar, context.clock()).name
    contention = Contention(f"the next export of {period}")
    while True:
        last = context.exports.last_of(period)
        if last and last.status is ExportStatus.RUNNING:
            if request.expected and last.seen:
                request.expected.refuse_another(period, last.seen)
            # Whoever asks again may do so because the process died between storing and queueing.
            enqueue_export(context, last)
            return last
        if last and last.status is ExportStatus.STOPPED:
            raise Conflict(f"export {last.export_id} of {period} is stopped ({last.failure_code}): resume that one")
        here, approved = look_at(context.payables.approved(period) if request.expected else ())
        if last and request.expected and not request.expected.is_met_by(here) and request.is_repeated(last):
            return last
        _check(context, request, last)
        if request.expected:
            request.expected.refuse_another(period, here)
        now = context.clock()
        export = context.exports.create(
            Export(
                export_id=context.new_id(),
                period=period,
                sequence=last.sequence + 1 if last else 1,
                trigger=request.trigger,
                started_by=request.started_by,
                started_at=now,
                currency=context.rules.currency,
                force=request.force,
                seen=here if request.expected else None,
                seen_blob=write_down(context, period, approved) if request.expected else "",
                progress_at=now,
            )
        )
        if export:
            enqueue_export(context, export)
            return export
        contention.pause()


def enqueue_export(context: PayrollContext, export: Export) -> None:
    """Queue the next steps of an export. Safe at any time: what is done is not done twice."""
    send_message(
        context,
        EXPORT_QUEUE,
        message_id=f"{export.export_id}-{export.step.value if export.step else 'done'}-{context.new_id()}",
        message_type="payroll.export",
        subject=export.period,
        correlation_id=export.export_id,
        data={"exportId": export.export_id},
    )


def _check(context: PayrollContext, request: ExportRequest, last: Export | None) -> None:
    period = request.period.name
    if next(context.payables.approved(period), None) is None:
        if last:
            raise Conflict(f"{period} was exported already by {last.export_id}, and nothing has come since")
        raise Conflict(f"nothing of {period} is approved", _waiting(context.payables.undecided(period)))
    if not request.force and (undecided := context.payables.undecided(period)):
        message = f"{len(undecided)} calculations of {period} wait for a decision: decide on them, or use force"
        raise Conflict(message, _waiting(undecided))


def _waiting(undecided: Sequence[str]) -> tuple[FieldProblem, ...]:
    return tuple(FieldProblem("calculations", f"{one} waits for a decision") for one in undecided[:_NAMED])
