"""Amendments: a correction of a calculation that is approved already, itself to be approved (INC-42)."""

from dataclasses import dataclass

from shared.incentives.calculation import Calculation, Kind, State
from shared.incentives.calculation_id import calculation_id
from shared.incentives.context import IncentiveContext
from shared.kernel.errors import Conflict, FieldProblem, InvalidRequest
from shared.kernel.money import amount_text, parse_amount, to_minor


@dataclass(frozen=True)
class Correction:
    """What a calculation is to come to, in minor units, and why."""

    corrected_net_minor: int
    reason: str


def amend(context: IncentiveContext, amended_id: str, correction: Correction, by: str) -> Calculation:
    """Store an amendment as a draft whose amount is the difference to what the calculation comes to so far.

    Idempotent: the same correction again gives the same amendment. Conflict while another one is open, or when the
    calculation is not approved yet; NotFound; InvalidRequest when nothing would change.
    """
    amended = context.calculations.get(amended_id)
    if amended.kind is Kind.AMENDMENT:
        raise Conflict(f"calculation {amended_id} is an amendment itself: amend {amended.amends}")
    if amended.state not in (State.APPROVED, State.EXPORTED):
        raise Conflict(f"calculation {amended_id} is {amended.state}: only what was approved is amended")
    calculations = context.calculations.of_employee(amended.period, amended.employee_id)
    amendments = [one for one in calculations if one.amends == amended_id]
    for one in amendments:
        if one.state in (State.DRAFT, State.PENDING):
            if one.breakdown.get("correctedNet") == amount_text(correction.corrected_net_minor):
                return one
            raise Conflict(f"amendment {one.calculation_id} is {one.state}: let it be decided on first")
    counting = [one.net_minor for one in amendments if one.state in (State.APPROVED, State.EXPORTED)]
    difference = correction.corrected_net_minor - amended.net_minor - sum(counting)
    if difference == 0:
        problem = FieldProblem("correctedNet", "is what the calculation comes to already")
        raise InvalidRequest("there is nothing to amend", (problem,))
    return _store(context, amended, len(amendments) + 1, difference, correction, by)


def refuse_outdated(context: IncentiveContext, amendment: Calculation) -> None:
    """Refuse to approve an amendment to what the sales came to, where they come to something else now. Conflict."""
    wanted = amendment.breakdown.get("presentNet")
    if wanted is None:
        return
    amended = context.calculations.get(amendment.amends)
    before = to_minor(parse_amount(str(wanted))) - amendment.net_minor
    present = _present(amended) or amount_text(before)
    if present != wanted:
        raise Conflict(
            f"amendment {amendment.calculation_id} corrects calculation {amendment.amends} to {wanted}, and by the "
            f"present sales it comes to {present}: reject it, and amend again unless that is {amount_text(before)}"
        )


def _by_sales(amended: Calculation, correction: Correction) -> dict[str, str]:
    """Return what is kept of an amendment to what the present sales come to; nothing of one for another reason."""
    wanted = amount_text(correction.corrected_net_minor)
    return {"presentNet": wanted} if wanted == _present(amended) else {}


def _present(amended: Calculation) -> str:
    """Return what a calculation would come to by the present sales, "" where that is what it comes to."""
    return amended.present_net.partition(",")[0]


def _store(
    context: IncentiveContext, amended: Calculation, number: int, difference: int, correction: Correction, by: str
) -> Calculation:
    source = f"{amended.calculation_id}#{number}"
    amendment = Calculation(
        calculation_id=calculation_id(amended.period, amended.employee_id, source),
        employee_id=amended.employee_id,
        period=amended.period,
        kind=Kind.AMENDMENT,
        source=source,
        gross_minor=difference,
        net_minor=difference,
        currency=amended.currency,
        plan_version=amended.plan_version,
        amends=amended.calculation_id,
        breakdown={
            "amends": amended.calculation_id,
            "net": amount_text(amended.net_minor),
            "correctedNet": amount_text(correction.corrected_net_minor),
            "difference": amount_text(difference),
            "reason": correction.reason,
            **_by_sales(amended, correction),
        },
    ).begun(at=context.clock(), by=by, note=correction.reason)

    found: list[Calculation] = []

    def decide(_key: str, standing: Calculation | None) -> Calculation | None:
        found[:] = [standing or amendment]
        return amendment if standing is None else None

    context.calculations.change(amended.period, [amendment.calculation_id], decide)
    if not found[0].same_result(amendment):
        raise Conflict(f"calculation {amended.calculation_id} is being amended by somebody else: look at it again")
    return found[0]
