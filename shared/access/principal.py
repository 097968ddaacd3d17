"""Who calls (INC-31)."""

from dataclasses import dataclass, field

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


ANONYMOUS = Principal("anonymous")
