"""Who calls (INC-31)."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.access.requirement import Requirement

ADMIN = "DSIF.Admin"
APPROVER = "DSIF.Approver"


@dataclass(frozen=True)
class Principal:
    """A caller: subject, roles and scopes. The subject is all that logs may show."""

    subject: str
    roles: frozenset[str] = frozenset()
    scopes: frozenset[str] = frozenset()
    identities: frozenset[str] = field(default=frozenset(), repr=False)
    """Everything that the token calls the caller, in lower case: tells whether something concerns himself."""
    address: str = field(default="", repr=False)
    """His e-mail address, where the token has one."""

    def may(self, requirement: "Requirement") -> bool:
        """Tell whether the caller has what a route requires."""
        return requirement.met_by(self)


ANONYMOUS = Principal("anonymous")
