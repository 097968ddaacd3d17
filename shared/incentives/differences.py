"""What was submitted, approved or exported and would come to something else by the present sales (INC-40, INC-42).

A calculation that was approved is never altered: it is amended, and the amendment that would put it right is proposed.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from shared.incentives.amend import Correction
from shared.incentives.calculation import Calculation, Kind
from shared.incentives.context import IncentiveContext
from shared.kernel.money import amount_text, parse_amount, to_minor


@dataclass(frozen=True)
class Difference:
    """A calculation with what it comes to, approved amendments included, in minor units."""

    calculation: Calculation
    net_minor: int

    @property
    def proposal(self) -> Correction | None:
        """The amendment that puts it right; None for what waits for a decision: it is rejected and calculated again."""
        if not self.calculation.counts:
            return None
        present, _, _ = self.calculation.present_net.partition(",")
        reason = f"By the sales of {self.calculation.period} as they are now it is {present}"
        return Correction(to_minor(parse_amount(present)), f"{reason}, not {amount_text(self.net_minor)}")


def differences_in(calculations: Iterable[Calculation]) -> list[Difference]:
    """Return the differences in calculations, among which are all of each employee. Nothing where it was amended."""
    found: list[Calculation] = []
    amended: dict[str, int] = defaultdict(int)
    for one in calculations:
        if one.kind is Kind.AMENDMENT and one.counts:
            amended[one.amends] += one.net_minor
        elif one.present_net and not one.is_open:
            found.append(one)
    all_of_them = [Difference(one, one.net_minor + amended[one.calculation_id]) for one in found]
    return [one for one in all_of_them if one.calculation.present_net != amount_text(one.net_minor)]


def difference_of(context: IncentiveContext, calculation: Calculation) -> Difference | None:
    """Return what a calculation differs in, or None."""
    if not calculation.present_net:
        return None
    of_employee = context.calculations.of_employee(calculation.period, calculation.employee_id)
    found = {one.calculation.calculation_id: one for one in differences_in(of_employee)}
    return found.get(calculation.calculation_id)


def shown_difference(difference: Difference) -> dict[str, Any]:
    """Return a difference as the API tells it; the proposal can be posted as it stands."""
    proposal = difference.proposal
    return {
        "comesTo": amount_text(difference.net_minor),
        "presentNet": difference.calculation.present_net,
        "proposedAmendment": proposal
        and {
            "correctedNet": amount_text(proposal.corrected_net_minor),
            "difference": amount_text(proposal.corrected_net_minor - difference.net_minor),
            "reason": proposal.reason,
        },
    }
