"""What a route requires of its callers, as data (INC-31)."""

from dataclasses import dataclass

from shared.access.principal import ADMIN, APPROVER, Principal


@dataclass(frozen=True)
class Requirement:
    """Any one of the roles or scopes; nothing at all, not even a token, when anonymous."""

    any_role: frozenset[str] = frozenset()
    any_scope: frozenset[str] = frozenset()
    anonymous: bool = False
    signed: bool = False
    """The endpoint itself verifies a webhook's signature."""

    def met_by(self, principal: Principal) -> bool:
        """Tell whether a caller has what is needed."""
        return self.anonymous or bool(self.any_role & principal.roles or self.any_scope & principal.scopes)

    def describe(self) -> str:
        """Return what is needed, in words."""
        if self.signed:
            return "a signature"
        if self.anonymous:
            return "nothing"
        names = [f"role {name}" for name in sorted(self.any_role)]
        names += [f"scope {name}" for name in sorted(self.any_scope)]
        return " or ".join(names)


ANYONE = Requirement(anonymous=True)
SIGNED = Requirement(anonymous=True, signed=True)
ADMINS = Requirement(any_role=frozenset({ADMIN}))
APPROVERS = Requirement(any_role=frozenset({ADMIN, APPROVER}))
EMPLOYEE_READERS = Requirement(frozenset({ADMIN}), frozenset({"Employees.Read"}))
CALCULATION_READERS = Requirement(frozenset({ADMIN, APPROVER}), frozenset({"Calculations.Read"}))
