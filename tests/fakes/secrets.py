"""Secrets in memory."""

from collections import Counter

from shared.kernel.secret import Secret


class MemorySecrets:
    """Implements `SecretStore`; counts what it is asked, and raises `failure` while there is one."""

    def __init__(self, values: dict[str, tuple[str, ...]] | None = None) -> None:
        self.values = dict(values or {})
        self.failure: Exception | None = None
        self.reads: Counter[str] = Counter()
        self.refreshed: Counter[str] = Counter()

    def versions(self, path: str) -> tuple[str, ...]:
        self.reads[path] += 1
        if self.failure:
            raise self.failure
        return self.values.get(path, ())

    def refresh(self, path: str) -> None:
        self.refreshed[path] += 1


class RotatingSecrets(MemorySecrets):
    """Gives what was read before until it is told to ask anew, as a cache does."""

    def __init__(self, before: tuple[str, ...], after: tuple[str, ...]) -> None:
        super().__init__()
        self._given, self._after = before, after

    def versions(self, path: str) -> tuple[str, ...]:
        self.reads[path] += 1
        return self._given

    def refresh(self, path: str) -> None:
        super().refresh(path)
        self._given = self._after


def fixed(*values: str, setting: str = "A_SECRET") -> Secret:
    """Return a secret that has these values and no others."""
    return held_by(MemorySecrets({"integrations/acme/partner/secret": values}), setting)


def rotated(before: str, after: str) -> Secret:
    """Return a secret that was read before it was rotated."""
    return held_by(RotatingSecrets((before,), (after,)))


def held_by(store: MemorySecrets, setting: str = "A_SECRET") -> Secret:
    """Return a secret that a store holds."""
    return Secret(setting, "integrations/acme/partner/secret", lambda: store)
