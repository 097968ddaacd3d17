"""What the plans pay everybody for a period, from sales and assignments as they are now (INC-40)."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from shared.incentives.calculate import Calculated, SalesDay, calculate
from shared.incentives.calculation import Calculation, Kind
from shared.incentives.calculation_id import calculation_id
from shared.incentives.context import IncentiveContext, Staff
from shared.incentives.plan import Plan
from shared.incentives.plan_versions import version_name
from shared.kernel.errors import DataRefused
from shared.kernel.pay_period import PayPeriod

BY = "Calculation"
"""Who is in the audit trail for what was computed here."""


@dataclass(frozen=True)
class Computed:
    """What everybody who sold something is to be paid, by employee."""

    calculations: dict[str, list[Calculation]]
    not_eligible: int
    """Employees who sold something and whom no plan pays."""
    inputs: int
    """A digest of what it was computed from; means something in this process alone."""

    @property
    def net_minor(self) -> int:
        """What it comes to."""
        return sum(one.net_minor for fresh in self.calculations.values() for one in fresh)


def compute(context: IncentiveContext, period: PayPeriod) -> Computed:
    """Compute a period. Pure but for the reading. DataRefused when two calculations have one ID."""
    plans = context.plans().for_period(period)
    calculations: dict[str, list[Calculation]] = {}
    not_eligible, inputs, ids = 0, 0, set()
    for employee_id, sales, member in _inputs(context, period):
        inputs = hash((inputs, *_hashable(employee_id, sales, member)))
        fresh = list(_of_employee(context, period, plans, member, sales)) if member else []
        if not fresh:
            not_eligible += 1
            continue
        calculations[employee_id] = fresh
        for one in fresh:
            if one.calculation_id in ids:
                raise DataRefused(f"the ID {one.calculation_id} of employee {employee_id!r} is another one's as well")
            ids.add(one.calculation_id)
    return Computed(calculations, not_eligible, inputs)


def inputs_of(context: IncentiveContext, period: PayPeriod) -> int:
    """Return the digest of what a period would be computed from now."""
    inputs = 0
    for employee_id, sales, member in _inputs(context, period):
        inputs = hash((inputs, *_hashable(employee_id, sales, member)))
    return inputs


def _inputs(context: IncentiveContext, period: PayPeriod) -> Iterator[tuple[str, Sequence[SalesDay], Staff | None]]:
    staff = context.staff_of(period)
    for employee_id, sales in context.sales_of(period.name):
        yield employee_id, sales, staff.get(employee_id)


def _hashable(employee_id: str, sales: Sequence[SalesDay], member: Staff | None) -> tuple[object, ...]:
    return employee_id, tuple(sales), tuple(member.assignments) if member else None


def _of_employee(
    context: IncentiveContext, period: PayPeriod, plans: Iterable[Plan], member: Staff, sales: Sequence[SalesDay]
) -> Iterator[Calculation]:
    for plan in plans:
        result = calculate(plan, period, sales, member.assignments)
        if result is not None:
            yield _calculation(context, period, plan, member.employee_id, result)


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
