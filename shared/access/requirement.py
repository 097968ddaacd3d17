"""What a route requires of its callers, as data (INC-31)."""

from dataclasses import dataclass

from shared.access.principal import ADMIN, APPROVER, Principal


@dataclass(frozen=True)
class Requirement:
    """Any one of the roles or scopes; nothing at all, not even a token, when anonymous."""

    any_role: frozenset[str] = frozenset()
    any_scope: frozenset[str] = frozenset()
    delegated_scope: str = ""
    """What an app that acts for a person must have been granted as well, whatever the person's own roles are. A token
    with scopes is such an app's; one without any is the caller's own."""
    anonymous: bool = False
    signed: bool = False
    """The endpoint itself verifies a webhook's signature."""

    def met_by(self, principal: Principal) -> bool:
        """Tell whether a caller has what is needed."""
        if self.anonymous:
            return True
        if principal.scopes and self.delegated_scope and self.delegated_scope not in principal.scopes:
            return False
        return bool(self.any_role & principal.roles or self.any_scope & principal.scopes)

    def describe(self) -> str:
        """Return what is needed, in words."""
        if self.signed:
            return "a signature"
        if self.anonymous:
            return "nothing"
        names = [f"role {name}" for name in sorted(self.any_role)]
        names += [f"scope {name}" for name in sorted(self.any_scope)]
        delegated = (
            f" (an app that acts for somebody: and scope {self.delegated_scope})" if self.delegated_scope else ""
        )
        return " or ".join(names) + delegated


ANYONE = Requirement(anonymous=True)
SIGNED = Requirement(anonymous=True, signed=True)
ADMINS = Requirement(any_role=frozenset({ADMIN}), delegated_scope="Approvals.Write")
"""Administration changes what is paid: of the scopes of INC-31 the one to approve is the one that allows as much."""
ADMIN_READERS = Requirement(any_role=frozenset({ADMIN}))
EMPLOYEE_ADMINS = Requirement(any_role=frozenset({ADMIN}), delegated_scope="Employees.Write")
APPROVERS = Requirement(any_role=frozenset({ADMIN, APPROVER}), delegated_scope="Approvals.Write")
EMPLOYEE_READERS = Requirement(frozenset({ADMIN}), frozenset({"Employees.Read"}))
CALCULATION_READERS = Requirement(frozenset({ADMIN, APPROVER}), frozenset({"Calculations.Read"}))
