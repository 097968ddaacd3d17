"""Calculating a period some employees at a time, in memory that does not grow with their number (INC-40).

Sellers and what stands there are read side by side in windows; each is computed, compared and written before the next
one. Then the inputs are read again: where those of this range are not what it was computed from (somebody who appeared
in it meanwhile included), it is computed again. So whoever writes last into a range has seen the latest of it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta

from shared.incentives.calculation import Calculation
from shared.incentives.calculation_id import range_of_employee
from shared.incentives.calculation_runs import CalculationRun
from shared.incentives.comparison import Comparison, compare
from shared.incentives.compute import BY, compute
from shared.incentives.context import IncentiveContext, Seller
from shared.incentives.progress import Progress
from shared.incentives.sorted_sellers import SortedSellers
from shared.incentives.windows import windows
from shared.kernel.errors import Busy, DataRefused
from shared.kernel.pay_period import PayPeriod

MOST_TIME = timedelta(seconds=40)
"""After which a function execution begins no further window, counted from when all sellers are read."""

_MAX_TRIES = 5
"""At computing from sales and assignments that do not change meanwhile, before the work is put off."""


@dataclass(frozen=True)
class Calculated:
    """What one execution did."""

    progress: Progress
    finished: bool
    """There is nobody after the range that was calculated."""


@dataclass
class _Pass:
    """What one reading of the inputs led to."""

    progress: Progress
    inputs: int = 0
    changed: bool = False
    finished: bool = True


def calculate_range(context: IncentiveContext, run: CalculationRun, period: PayPeriod, start: Progress) -> Calculated:
    """Calculate the employees after a range until time is up or none is left. Busy where sales never hold still."""
    here = start
    for _ in range(_MAX_TRIES):
        done = _pass(context, run, period, here)
        before = None if done.finished else done.progress.after
        if not done.changed or _inputs(context, period, start.after, before) == done.inputs:
            return Calculated(done.progress, done.finished)
        here = start.with_written(done.progress)
    raise Busy(f"the sales of {period.name} change while they are calculated", retry_after=30)


def _pass(context: IncentiveContext, run: CalculationRun, period: PayPeriod, start: Progress) -> _Pass:
    began = context.clock()
    done = _Pass(start)
    with SortedSellers(period.name) as sellers:
        sellers.add_all(context.sellers(period), start.after)
        sorted_at = context.clock()
        # Each execution reads everybody: where that is slow, it must be worth it.
        until = sorted_at + max(MOST_TIME, sorted_at - began)
        standing = context.calculations.of_period(period.name, after=start.after)
        for window in windows(sellers, standing):
            if done.progress is not start and context.clock() >= until:
                done.finished = False
                break
            done.inputs = _digest(window.sellers, done.inputs)
            computed = compute(context, period, window.sellers)
            comparison = compare(computed, window.standing)
            changed = _write(context, run, comparison)
            _mark_present(context, run, comparison)
            done.changed = done.changed or bool(changed)
            anew = comparison.found_in(run.occurrence, window.standing)
            done.progress = done.progress.plus(window.last, computed, comparison, changed, anew)
    return done


def _inputs(context: IncentiveContext, period: PayPeriod, after: str, last: str | None) -> int:
    """Return the digest of what the ranges after one and up to another would be computed from now."""
    return _digest(
        one
        for one in context.sellers(period)
        if after < (key := range_of_employee(period.name, one.employee_id)) and (last is None or key <= last)
    )


def _digest(sellers: Iterable[Seller], digest: int = 0) -> int:
    """Return a digest of inputs, whatever their order; it means something in this process alone."""
    for one in sellers:
        assignments = None if one.assignments is None else tuple(one.assignments)
        digest = digest + hash((one.employee_id, tuple(one.sales), assignments)) & (1 << 64) - 1
    return digest


def _write(context: IncentiveContext, run: CalculationRun, comparison: Comparison) -> list[Calculation]:
    """Write what is to be written over what others do meanwhile; return what was written."""
    by_id = {one.calculation_id: replace(one, calculated_by=run.started_by) for one in comparison.to_write}

    def decide(key: str, standing: Calculation | None) -> Calculation | None:
        one = by_id[key]
        if standing is None:
            return one
        if (standing.employee_id, standing.source) != (one.employee_id, one.source):
            raise DataRefused(f"the ID {key} of employee {one.employee_id!r} is another one's as well")
        if not standing.is_open or standing.same_result(one):
            return None
        fresh = replace(one, created_by=standing.created_by)
        return standing.recalculated(fresh, at=context.clock(), by=BY)

    return list(context.calculations.change(run.period, sorted(by_id), decide).values())


def _mark_present(context: IncentiveContext, run: CalculationRun, comparison: Comparison) -> None:
    """Keep what calculations would come to now: an outdated one must not be approved, an approved one is amended."""

    def decide(key: str, standing: Calculation | None) -> Calculation | None:
        present = comparison.present[key]
        if standing is None or (present and standing.is_open):
            return None
        return replace(standing, present_net=present, present_run=run.occurrence if present else "")

    context.calculations.change(run.period, sorted(comparison.present), decide)
