"""Who calls (INC-31)."""

from dataclasses import dataclass, field

from shared.kernel.identities import Identities

ADMIN = "DSIF.Admin"
APPROVER = "DSIF.Approver"


@dataclass(frozen=True)
class Principal:
    """A caller: subject, roles and scopes. The subject is all that logs may show."""

    subject: str
    roles: frozenset[str] = frozenset()
    scopes: frozenset[str] = frozenset()
    identities: Identities = field(default=Identities(), repr=False)
    """Everything that the token calls the caller: tells whether something concerns them."""
    address: str = field(default="", repr=False)
    """Their e-mail address, where the token has one."""


ANONYMOUS = Principal("anonymous")
