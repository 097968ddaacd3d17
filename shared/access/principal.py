"""Who calls, and what a route requires of them (INC-31)."""

from dataclasses import dataclass

ADMIN = "DSIF.Admin"
APPROVER = "DSIF.Approver"


@dataclass(frozen=True)
class Principal:
    """A caller by a validated access token: subject, roles and scopes. Holds no name, so that none gets logged."""

    subject: str
    roles: frozenset[str] = frozenset()
    scopes: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Requirement:
    """What a caller needs: any of the roles or scopes; nothing at all when anonymous."""

    any_role: frozenset[str] = frozenset()
    any_scope: frozenset[str] = frozenset()
    anonymous: bool = False

    def met_by(self, principal: Principal) -> bool:
        """Tell whether a caller may."""
        return self.anonymous or bool(self.any_role & principal.roles or self.any_scope & principal.scopes)

    def describe(self) -> str:
        """Return what is needed, in words."""
        return " or ".join(sorted(self.any_role | self.any_scope)) or "nothing"


ANYONE = Requirement(anonymous=True)
ADMINS = Requirement(any_role=frozenset({ADMIN}))
