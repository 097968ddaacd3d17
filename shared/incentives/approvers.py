"""Who may approve: nobody their own, and nobody alone (INC-42, docs/decisions/0065-who-may-approve.md)."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from shared.incentives.calculation import Calculation, Kind
from shared.incentives.context import IncentiveContext, Staff
from shared.kernel.errors import Forbidden
from shared.kernel.identities import Identities, comparable, identities_of
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
        self._everybody: dict[str, Mapping[str, Staff]] = {}
        self._identities: Identities | None = None

    def refuse_unfit(self, calculation: Calculation) -> None:
        """Refuse to let the actor approve a calculation, with the reason. Forbidden."""
        here, called = calculation.calculation_id, self._known_as()
        employee = self._employee(calculation)
        if called.share(employee):
            raise Forbidden(f"calculation {here} is your own: somebody else must approve it")
        if calculation.kind is not Kind.PLAN and self._is(calculation.created_by):
            raise Forbidden(f"you brought in calculation {here}: somebody else must approve it")
        if self._context.four_eyes:
            self._refuse_alone(calculation)
        if not called.differ(employee) and not self._is_another(calculation):
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
        return comparable(name) in self._known_as().everything

    def _employee(self, calculation: Calculation) -> Identities:
        """Return everything that the employee of a calculation is called."""
        if self._many:
            member = self._staff(calculation.period).get(calculation.employee_id)
        else:
            member = self._context.staff_member(calculation.employee_id, parse_period(calculation.period))
        return identities_of(numbers=[calculation.employee_id]) | (member.identities if member else Identities())

    def _is_another(self, calculation: Calculation) -> bool:
        """Tell whether the actor is an employee, and not the one whom a calculation pays."""
        called = self._known_as()
        others = self._staff(calculation.period).values()
        return any(called.share(one.identities) for one in others if one.employee_id != calculation.employee_id)

    def _staff(self, period: str) -> Mapping[str, Staff]:
        if period not in self._everybody:
            self._everybody[period] = self._context.staff_of(parse_period(period))
        return self._everybody[period]
