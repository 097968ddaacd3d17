"""What the plans pay some employees for a period, from their sales and assignments (INC-40)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from shared.incentives.calculate import Calculated, calculate
from shared.incentives.calculation import Calculation, Kind
from shared.incentives.calculation_id import calculation_id
from shared.incentives.context import IncentiveContext, Seller
from shared.incentives.plan import Plan
from shared.incentives.plan_versions import version_name
from shared.kernel.errors import DataRefused
from shared.kernel.pay_period import PayPeriod

BY = "Calculation"
"""Who is in the audit trail for what was computed here."""


@dataclass(frozen=True)
class Computed:
    """What employees who sold something are to be paid, by employee."""

    calculations: dict[str, list[Calculation]]
    not_eligible: int
    """Employees who sold something and whom no plan pays."""

    @property
    def net_minor(self) -> int:
        """What it comes to."""
        return sum(one.net_minor for fresh in self.calculations.values() for one in fresh)


def compute(context: IncentiveContext, period: PayPeriod, sellers: Iterable[Seller]) -> Computed:
    """Compute some employees of a period. DataRefused when two of their calculations have one ID."""
    plans = context.plans().for_period(period)
    calculations: dict[str, list[Calculation]] = {}
    not_eligible, ids = 0, set()
    for seller in sellers:
        fresh = list(_of_seller(context, period, plans, seller))
        if not fresh:
            not_eligible += 1
            continue
        calculations[seller.employee_id] = fresh
        for one in fresh:
            if one.calculation_id in ids:
                raise DataRefused(
                    f"the ID {one.calculation_id} of employee {seller.employee_id!r} is another one's as well"
                )
            ids.add(one.calculation_id)
    return Computed(calculations, not_eligible)


def _of_seller(
    context: IncentiveContext, period: PayPeriod, plans: Iterable[Plan], seller: Seller
) -> Iterator[Calculation]:
    if seller.assignments is None:
        return
    for plan in plans:
        result = calculate(plan, period, seller.sales, seller.assignments)
        if result is not None:
            yield _calculation(context, period, plan, seller.employee_id, result)


def _calculation(
    context: IncentiveContext, period: PayPeriod, plan: Plan, employee_id: str, result: Calculated
) -> Calculation:
    first_day = max(period.first_day, plan.effective_from)
    source = f"plan:{plan.plan_id}:{first_day.isoformat()}"
    return Calculation(
        calculation_id=calculation_id(period.name, employee_id, source),
        employee_id=employee_id,
        period=period.name,
        kind=Kind.PLAN,
        source=source,
        gross_minor=result.gross_minor,
        net_minor=result.net_minor,
        currency=plan.currency,
        plan_version=version_name(plan),
        breakdown=result.breakdown,
    ).begun(at=context.clock(), by=BY)
