"""Calculating a whole period: from SalesMetrics and the plans to calculations (INC-40).

Idempotent: the same input gives the same rows; a draft is replaced, whatever is further than a draft never. When
something that was approved would come to something else now, that is counted and told: it is amended by hand.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from shared.incentives.calculate import Calculated, SalesDay, calculate
from shared.incentives.calculation import Action, Calculation, Kind, State
from shared.incentives.calculation_id import calculation_id
from shared.incentives.calculation_runs import CalculationRun
from shared.incentives.context import CALCULATION_QUEUE, NOTIFICATION_QUEUE, IncentiveContext, Staff
from shared.incentives.plan import Plan
from shared.kernel.errors import DataRefused, HubError
from shared.kernel.message import Message, new_message
from shared.kernel.pay_period import PayPeriod, parse_period

_BY = "Calculation"


def start_calculation(context: IncentiveContext, period: str, started_by: str) -> str:
    """Queue the calculation of a period, return the run's ID."""
    run = CalculationRun(context.new_id(), period, started_by, context.clock())
    context.runs.put(run)
    message = new_message(
        message_id=f"{run.run_id}-calculation",
        message_type="calculation.requested",
        tenant=context.tenant,
        now=context.clock(),
        subject=period,
        correlation_id=run.run_id,
        data={"period": period, "runId": run.run_id, "startedBy": started_by},
    )
    context.queues.send(CALCULATION_QUEUE, message)
    return run.run_id


def handle_calculation_message(context: IncentiveContext, message: Message) -> None:
    """Do what a message of the queue `calculation-requests` asks for. Idempotent by period and input."""
    if message.type != "calculation.requested":
        raise DataRefused(f"message {message.id!r} asks for {message.type!r}, which the incentives do not know")
    try:
        period = parse_period(str(message.data.get("period")))
    except ValueError as error:
        raise DataRefused(str(error)) from None
    run_id = str(message.data.get("runId") or message.id)
    run = CalculationRun(run_id, period.name, str(message.data.get("startedBy") or "Import"), context.clock())
    calculate_period(context, run, period)


def give_up_calculation(context: IncentiveContext, message: Message, error: HubError) -> None:
    """Let a run whose message was parked end as Failed."""
    run_id, period = str(message.data.get("runId") or ""), str(message.data.get("period") or "")
    if run_id and period:
        run = CalculationRun(run_id, period, str(message.data.get("startedBy") or ""), context.clock())
        context.runs.put(replace(run, status="Failed", failure=error.message[:1000], finished_at=context.clock()))


def calculate_period(context: IncentiveContext, run: CalculationRun, period: PayPeriod) -> CalculationRun:
    """Calculate, write what differs, tell who is concerned; return the run with its counts."""
    computed, not_eligible = _computed(context, period)
    standing = defaultdict(list)
    for calculation in context.calculations.of_period(period.name):
        if calculation.kind is Kind.PLAN:
            standing[calculation.employee_id].append(calculation)
    outcome = _Outcome()
    for employee_id, fresh in computed.items():
        outcome.sort_out(fresh, standing.pop(employee_id, []))
    outcome.obsolete += [one for left in standing.values() for one in left if one.state is State.DRAFT]
    changed = _write(context, period.name, outcome.to_write)
    removed = sum(context.calculations.remove_draft(one) for one in outcome.obsolete)
    done = replace(
        run,
        status="Succeeded",
        created=sum(len(one.history) == 1 for one in changed),
        replaced=sum(len(one.history) > 1 for one in changed),
        unchanged=outcome.unchanged,
        removed=removed,
        differing=outcome.differing,
        not_eligible=not_eligible,
        net_minor=sum(one.net_minor for fresh in computed.values() for one in fresh),
        finished_at=context.clock(),
    )
    if changed:
        _tell(context, done)
    context.runs.put(done)
    return done


@dataclass
class _Outcome:
    """What becomes of what was computed."""

    to_write: list[Calculation] = field(default_factory=list)
    obsolete: list[Calculation] = field(default_factory=list)
    unchanged: int = 0
    differing: int = 0

    def sort_out(self, fresh: Sequence[Calculation], standing: Sequence[Calculation]) -> None:
        """Compare what was computed for an employee with what stands there."""
        wanted = {one.calculation_id: one for one in fresh}
        here = {one.calculation_id: one for one in standing}
        for key, one in here.items():
            if key not in wanted and one.state is State.DRAFT:
                self.obsolete.append(one)
        for key, one in wanted.items():
            found = here.get(key)
            if found and found.same_result(one):
                self.unchanged += 1
            elif (found and not _open(found)) or (not found and _settled_otherwise(one, here, wanted)):
                self.differing += 1
            else:
                self.to_write.append(one)


def _settled_otherwise(one: Calculation, here: Mapping[str, Calculation], wanted: Mapping[str, Calculation]) -> bool:
    """Tell whether the plan has paid these days already, cut up in another way: paying again would be twice."""
    plan = _plan_of(one)
    return any(key not in wanted and not _open(found) and _plan_of(found) == plan for key, found in here.items())


def _plan_of(calculation: Calculation) -> str:
    return calculation.source.rpartition(":")[0]


def _open(calculation: Calculation) -> bool:
    return calculation.state in (State.DRAFT, State.REJECTED)


def _computed(context: IncentiveContext, period: PayPeriod) -> tuple[dict[str, list[Calculation]], int]:
    """Return what every employee who sold something is to be paid, and how many are not eligible for any plan."""
    plans = context.plans().for_period(period)
    staff = context.staff_of(period)
    computed: dict[str, list[Calculation]] = {}
    not_eligible = 0
    for employee_id, sales in context.sales_of(period.name):
        member = staff.get(employee_id)
        fresh = list(_of_employee(context, period, plans, member, sales)) if member else []
        if fresh:
            computed[employee_id] = fresh
        else:
            not_eligible += 1
    return computed, not_eligible


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
        plan_version=f"{plan.plan_id}@{plan.version}",
        breakdown=result.breakdown,
    ).begun(at=context.clock(), by=_BY)


def _write(context: IncentiveContext, period: str, fresh: Sequence[Calculation]) -> list[Calculation]:
    by_id = {one.calculation_id: one for one in fresh}

    def decide(key: str, standing: Calculation | None) -> Calculation | None:
        one = by_id[key]
        if standing is None:
            return one
        if not _open(standing) or standing.same_result(one):
            return None
        again = replace(one, history=standing.history, state=standing.state, created_by=standing.created_by)
        return again.after(Action.RECALCULATE, at=context.clock(), by=_BY)

    return list(context.calculations.change(period, sorted(by_id), decide).values())


def _tell(context: IncentiveContext, run: CalculationRun) -> None:
    message = new_message(
        message_id=f"{run.run_id}-calculation.completed",
        message_type="calculation.completed",
        tenant=context.tenant,
        now=context.clock(),
        subject=run.period,
        correlation_id=run.run_id,
        data={"period": run.period, "runId": run.run_id, "differing": run.differing},
    )
    context.queues.send(NOTIFICATION_QUEUE, message)
