"""What payroll did with calculations (INC-55)."""

from collections.abc import Mapping
from dataclasses import replace

from shared.incentives.calculation import Action, Calculation, State
from shared.incentives.context import IncentiveContext

_BY = "PayrollExport"
_MOST_REASON = 500
"""Characters of payroll's reason that are kept."""


def settle(context: IncentiveContext, period: str, reasons: Mapping[str, str], export_id: str) -> int:
    """Mark calculations: exported, or still approved with payroll's reason; return how many are marked now.

    `reasons`: calculation ID -> why payroll refused it, "" where it accepted it. Idempotent by calculation and export.
    """
    marked: set[str] = set()

    def decide(key: str, standing: Calculation | None) -> Calculation | None:
        marked.discard(key)
        if standing is None:
            return None
        reason = reasons[key][:_MOST_REASON]
        if _is_marked(standing, export_id, reason):
            marked.add(key)
            return None
        if standing.state is not State.APPROVED:
            return None
        marked.add(key)
        now = context.clock()
        if reason:
            refused = standing.after(Action.REFUSE, at=now, by=_BY, note=_refusal(export_id, reason))
            return replace(refused, payroll_reason=reason)
        after = standing.after(Action.EXPORT, at=now, by=_BY, note=export_id)
        return replace(after, export_id=export_id, payroll_reason="")

    context.calculations.change(period, list(reasons), decide)
    return len(marked)


def _is_marked(calculation: Calculation, export_id: str, reason: str) -> bool:
    if reason:
        return calculation.state is State.APPROVED and calculation.history[-1].note == _refusal(export_id, reason)
    return calculation.state is State.EXPORTED and calculation.export_id == export_id


def _refusal(export_id: str, reason: str) -> str:
    return f"{export_id}: {reason}"
