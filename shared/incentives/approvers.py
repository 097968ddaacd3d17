"""Who may approve: nobody their own, and nobody alone (INC-42, docs/decisions/0065-who-may-approve.md)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from shared.incentives.calculation import Calculation, Kind
from shared.incentives.context import IncentiveContext
from shared.kernel.errors import Forbidden
from shared.kernel.identities import Identities, identities_of
from shared.kernel.pay_period import parse_period

FEW = 20
"""Employees who are looked up one by one; of more, everybody is read at once."""


@dataclass(frozen=True)
class Actor:
    """Who acts: the subject that is kept in the audit trail, and everything that the access token tells of them."""

    subject: str
    identities: Identities = field(default=Identities(), repr=False)
    address: str = field(default="", repr=False)

    @property
    def known_as(self) -> Identities:
        """Everything that the access token calls them. The address may be a user name: it proves no difference."""
        return self.identities | identities_of(names=(self.subject, self.address))


class Approver:
    """An actor who is about to approve, with all that the directory adds; looked up when first needed."""

    def __init__(self, context: IncentiveContext, actor: Actor, *, many: bool) -> None:
        """Keep who acts. `many`: calculations of many employees are approved, so that all are read at once."""
        self._context, self._actor, self._many = context, actor, many
        self._everybody: dict[str, Mapping[str, _Compared]] = {}
        self._identities: Identities | None = None

    def refuse_unfit(self, calculation: Calculation) -> None:
        """Refuse to let the actor approve a calculation, with the reason. Forbidden."""
        here, compared = calculation.calculation_id, self._compare(calculation)
        if compared.same:
            raise Forbidden(f"calculation {here} is your own: somebody else must approve it")
        if calculation.kind is not Kind.PLAN and self._is(calculation.created_by):
            raise Forbidden(f"you brought in calculation {here}: somebody else must approve it")
        if self._context.four_eyes:
            self._refuse_alone(calculation)
        if not compared.apart and not self._is_another(calculation):
            raise Forbidden(
                f"nobody can tell whether calculation {here} is your own: neither your access token nor the directory "
                "has an e-mail address or employee number of yours to compare with those of its employee. Have yours "
                "provisioned, or let somebody else approve it"
            )

    def _refuse_alone(self, calculation: Calculation) -> None:
        here = calculation.calculation_id
        if self._is(calculation.submitted_by) or self._is(calculation.submitter_address):
            raise Forbidden(f"you submitted calculation {here}: somebody else must approve it (HUB_FOUR_EYES)")
        if self._is(calculation.calculated_by):
            raise Forbidden(f"you ran the calculation of {here}: somebody else must approve it (HUB_FOUR_EYES)")

    def _known_as(self) -> Identities:
        if self._identities is None:
            told = self._actor.known_as
            self._identities = told | self._context.provisioned(told)
        return self._identities

    def _is(self, name: str) -> bool:
        return self._known_as().share(identities_of(names=[name]))

    def _compare(self, calculation: Calculation) -> "_Compared":
        """Compare the actor with the employee of a calculation."""
        employee_id, period = calculation.employee_id, calculation.period
        if self._many and (known := self._staff(period).get(employee_id)):
            return known
        member = None if self._many else self._context.staff_member(employee_id, parse_period(period))
        return self._compared(employee_id, member.identities if member else Identities())

    def _compared(self, employee_id: str, identities: Identities) -> "_Compared":
        called, employee = self._known_as(), identities_of(numbers=[employee_id]) | identities
        return _Compared(called.share(employee), called.differ(employee), called.share(identities))

    def _is_another(self, calculation: Calculation) -> bool:
        """Tell whether the actor is an employee, and not the one whom a calculation pays."""
        others = self._staff(calculation.period).items()
        return any(one.employed for employee_id, one in others if employee_id != calculation.employee_id)

    def _staff(self, period: str) -> Mapping[str, "_Compared"]:
        """Return how everybody compares with the actor: read a page at a time, and no more kept of each than that."""
        if period not in self._everybody:
            everybody = self._context.staff(parse_period(period))
            self._everybody[period] = {
                one.employee_id: self._compared(one.employee_id, one.identities) for one in everybody
            }
        return self._everybody[period]


class _Compared(NamedTuple):
    """How the actor compares with an employee."""

    same: bool
    """Something that both are called is common."""
    apart: bool
    """Both are known to be two persons."""
    employed: bool
    """What is known of the employee, without the ID of the calculation, is common with the actor."""
