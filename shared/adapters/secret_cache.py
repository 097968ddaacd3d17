"""Secrets kept for a bounded time, so that a vault is asked rarely and may be away for a while (RES-11)."""

from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock

from shared.kernel.clock import Clock
from shared.kernel.errors import HubError, PartnerUnavailable
from shared.kernel.secret import SecretStore

MOST_ENTRIES = 256
REREAD_AFTER = timedelta(seconds=5)
"""A value younger than this is not read again, however often it is refused; nor is a failure younger than this."""
MISSING_FOR = timedelta(seconds=30)
"""How long it is taken for true that there is no such secret."""


@dataclass(frozen=True)
class CacheLife:
    """How long a value is used: `fresh` without asking, then up to `stale` more when the store gives none."""

    fresh: timedelta = timedelta(minutes=5)
    stale: timedelta = timedelta(hours=4)


@dataclass
class _Entry:
    """What is known of one path. Its lock lets one thread ask, and the others wait for what it learns."""

    lock: Lock = field(default_factory=Lock)
    values: tuple[str, ...] | None = field(default=None, repr=False)
    read_at: datetime | None = None
    good_until: datetime | None = None
    failure: HubError | None = None
    failed_until: datetime | None = None


class CachedSecrets:
    """Implements `SecretStore` over another one. Thread-safe; at most `most` paths, the longest unused ones go."""

    def __init__(self, store: SecretStore, life: CacheLife, clock: Clock, *, most: int = MOST_ENTRIES) -> None:
        """Read nothing yet."""
        self._store = store
        self._life = life
        self._clock = clock
        self._most = most
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._lock = Lock()

    def versions(self, path: str) -> tuple[str, ...]:
        """Return every value that holds. While the store fails: what was read last, for a bounded time."""
        entry = self._entry(path)
        found = self._known(entry)
        if found is not None:
            return found
        # While one thread reads again what has merely grown old, the others go on with it.
        aged = entry.values if entry.good_until else None
        if not entry.lock.acquire(blocking=not aged):
            return aged or ()
        try:
            found = self._known(entry)
            return self._read(path, entry) if found is None else found
        finally:
            entry.lock.release()

    def refresh(self, path: str) -> None:
        """Let the next read ask the store, unless it was asked a moment ago."""
        entry = self._entry(path)
        with entry.lock:
            if entry.read_at is not None and self._clock() - entry.read_at >= REREAD_AFTER:
                entry.good_until = None

    def probe(self, path: str) -> str | None:
        """Read a secret, and what could not be read before; return what is wrong, None when nothing is.

        What is returned names no path and no value. Raises what the store raises when there is nothing to go on with.
        """
        for failing in self._failing():
            with suppress(HubError):
                self.versions(failing)
        self.versions(path)
        failing_entries = self._failing().values()
        if not failing_entries:
            return None
        codes = ", ".join(sorted({one.failure.code for one in failing_entries if one.failure}))
        oldest = min((one.read_at for one in failing_entries if one.read_at), default=self._clock())
        age = (self._clock() - oldest).total_seconds()
        return f"{len(failing_entries)} secrets cannot be read ({codes}); the oldest was read {age:.0f} s ago"

    def _failing(self) -> dict[str, _Entry]:
        with self._lock:
            return {path: entry for path, entry in self._entries.items() if entry.failure}

    def _entry(self, path: str) -> _Entry:
        with self._lock:
            entry = self._entries.setdefault(path, _Entry())
            self._entries.move_to_end(path)
            while len(self._entries) > self._most:
                self._entries.popitem(last=False)
            return entry

    def _known(self, entry: _Entry) -> tuple[str, ...] | None:
        """Return the values without asking the store; None: it must be asked. Raises a failure of a moment ago."""
        now = self._clock()
        values, good_until, failure, failed_until = entry.values, entry.good_until, entry.failure, entry.failed_until
        if values is not None and good_until and now < good_until:
            return values
        if failure and failed_until and now < failed_until:
            return self._bridged(entry, failure)
        return None

    def _read(self, path: str, entry: _Entry) -> tuple[str, ...]:
        try:
            values = self._store.versions(path)
        except HubError as error:
            entry.failure = error
            entry.failed_until = self._clock() + max(REREAD_AFTER, timedelta(seconds=_wish(error)))
            return self._bridged(entry, error)
        now = self._clock()
        entry.values, entry.read_at, entry.failure = values, now, None
        entry.good_until = now + (self._life.fresh if values else min(self._life.fresh, MISSING_FOR))
        return values

    def _bridged(self, entry: _Entry, failure: HubError) -> tuple[str, ...]:
        """Return what was read last while that is not too old; else the failure is raised."""
        values, read_at = entry.values, entry.read_at
        if values and read_at and self._clock() < read_at + self._life.fresh + self._life.stale:
            return values
        # The same error may be raised often: it must not collect the frames of all who saw it.
        raise failure.with_traceback(None)


def _wish(error: HubError) -> float:
    """Return for how many seconds the store wants to be left alone, at most five minutes."""
    wish = error.retry_after if isinstance(error, PartnerUnavailable) else None
    return min(wish or 0.0, 300.0)
