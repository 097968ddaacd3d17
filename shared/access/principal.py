"""Who calls (INC-31)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.access.requirement import Requirement

ADMIN = "DSIF.Admin"
APPROVER = "DSIF.Approver"


@dataclass(frozen=True)
class Principal:
    """A caller: subject, roles and scopes. The subject is all that logs may show; a person's name is never kept."""

    subject: str
    roles: frozenset[str] = frozenset()
    scopes: frozenset[str] = frozenset()

    def may(self, requirement: "Requirement") -> bool:
        """Tell whether the caller has what a route requires."""
        return requirement.met_by(self)


ANONYMOUS = Principal("anonymous")
