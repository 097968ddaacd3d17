"""What payroll did with calculations (INC-55)."""

from collections.abc import Mapping
from dataclasses import replace

from shared.incentives.calculation import Action, Calculation, State
from shared.incentives.context import IncentiveContext

_BY = "PayrollExport"


def settle(context: IncentiveContext, period: str, reasons: Mapping[str, str], export_id: str) -> int:
    """Mark calculations: exported, or still approved with payroll's reason; return how many are marked now.

    `reasons`: calculation ID -> why payroll refused it, "" where it accepted it. Idempotent by calculation and export.
    """
    marked: set[str] = set()

    def decide(key: str, standing: Calculation | None) -> Calculation | None:
        if standing is None:
            return None
        reason = reasons[key]
        if _is_marked(standing, export_id, reason):
            marked.add(key)
            return None
        if standing.state is not State.APPROVED:
            return None
        marked.add(key)
        if reason:
            return replace(standing, payroll_reason=reason, export_id="")
        after = standing.after(Action.EXPORT, at=context.clock(), by=_BY, note=export_id)
        return replace(after, export_id=export_id, payroll_reason="")

    context.calculations.change(period, list(reasons), decide)
    return len(marked)


def _is_marked(calculation: Calculation, export_id: str, reason: str) -> bool:
    if reason:
        return calculation.state is State.APPROVED and calculation.payroll_reason == reason
    return calculation.state is State.EXPORTED and calculation.export_id == export_id
