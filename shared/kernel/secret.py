"""Secrets: where they are kept, and one that is asked for each time it is needed (RES-11, INC-25)."""

from collections.abc import Callable
from typing import Protocol, TypeVar

from shared.kernel.errors import ConfigurationError, CredentialsRefused, FieldProblem

Result = TypeVar("Result")

MOST_TRIED = 2
"""Versions that are tried at a partner which refuses them: every refusal may count towards locking us out."""


class SecretStore(Protocol):
    """The port to where secrets are kept, each under a path; see `secret_path`. Thread-safe."""

    def versions(self, path: str) -> tuple[str, ...]:
        """Return every value that holds now, the newest first: two while a secret is rotated; none: there is none.

        PartnerUnavailable when the store does not answer; ConfigurationError when it does not let us in.
        """
        ...

    def refresh(self, path: str) -> None:
        """Let the next read ask the store itself, because a value that it gave was refused."""
        ...


def secret_path(tenant: str, adapter: str, name: str) -> str:
    """Return the path of a secret, such as `integrations/default/erp/client-secret` (RES-11). ValueError."""
    for part in (tenant, adapter, name):
        if not part or "/" in part:
            raise ValueError(f"{part!r} is no part of a secret's path: it is empty or holds a slash")
    return f"integrations/{tenant}/{adapter}/{name}"


def any_value(value: str) -> str:  # noqa: ARG001 - every rule has it
    """Accept whatever it is."""
    return ""


class Secret:
    """A secret of one setting. Its value is nowhere kept and nowhere shown: whoever needs it asks each time."""

    def __init__(
        self,
        setting: str,
        path: str,
        store: Callable[[], SecretStore],
        rule: Callable[[str], str] = any_value,
        *,
        in_vault: bool = False,
    ) -> None:
        """Read nothing yet. `rule` says in words what is wrong with a value, "" when nothing is."""
        self.setting = setting
        self.path = path
        self.in_vault = in_vault
        self._store = store
        self._rule = rule

    def __repr__(self) -> str:
        """Tell which one it is."""
        return f"Secret({self.setting}, {self.path})"

    def value(self) -> str:
        """Return the newest value. ConfigurationError names setting and path; PartnerUnavailable."""
        return self.versions()[0]

    def versions(self) -> tuple[str, ...]:
        """Return all values that hold, the newest first; at least one. Errors as `value`."""
        found = self._store().versions(self.path)
        if not found:
            raise self._wrong("is missing")
        for value in found:
            if problem := self._rule(value):
                raise self._wrong(problem)
        return found

    def find(self) -> str | None:
        """Return the newest value, None when there is none. Errors as `value`."""
        return self.value() if self._store().versions(self.path) else None

    def held(self, *, fresh: bool = False) -> tuple[str, ...]:
        """Return all values that hold, the newest first; none when there is none. Errors as `value`.

        `fresh` asks the store itself, because a value was refused.
        """
        if fresh:
            self._store().refresh(self.path)
        return self.versions() if self._store().versions(self.path) else ()

    def use(self, call: Callable[[str], Result]) -> Result:
        """Return what a call with the value gives; the call raises CredentialsRefused when the value is refused.

        Then the version before it is tried, if it still holds, and then what the store itself says now: whichever was
        told first of a rotation, the partner or the store, the call gets through. Each value is tried once.
        """
        tried: set[str] = set()
        refusal: CredentialsRefused | None = None
        for read in (self.versions, self.fresh_versions):
            for value in read()[:MOST_TRIED]:
                if value in tried:
                    continue
                tried.add(value)
                try:
                    return call(value)
                except CredentialsRefused as error:
                    refusal = refusal or error
        assert refusal, "there is at least one version"
        raise refusal

    def fresh_versions(self) -> tuple[str, ...]:
        """Return all values that hold after asking the store itself. Errors as `value`."""
        self._store().refresh(self.path)
        return self.versions()

    def _wrong(self, problem: str) -> ConfigurationError:
        where = f" (in the vault: {self.path})" if self.in_vault else ""
        return ConfigurationError((FieldProblem(self.setting, problem + where),))
