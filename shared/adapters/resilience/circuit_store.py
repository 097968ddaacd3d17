"""A circuit's row in table `CircuitBreakers` (partition tenant, row key adapter ID), read rarely, written on change."""

import logging
from datetime import datetime, timedelta
from threading import RLock

from shared.adapters.resilience.circuit import CLOSED, Circuit, from_values, to_values
from shared.kernel.clock import Clock
from shared.kernel.keys import join_key, split_key
from shared.kernel.table import Row, RowChanged, RowExists, Tables

TABLE = "CircuitBreakers"
FRESH = timedelta(seconds=2)
"""How old a view of the row may be."""
CONFIRMED_USES = 10
"""So many calls may rest on one view that our own successes confirm: they are newer evidence than any row."""
OFFLINE = timedelta(seconds=30)
"""After storage failed, how long this process goes by its own count before it asks again."""

_log = logging.getLogger(__name__)


class CircuitStore:
    """The newest known state of one circuit. Thread-safe.

    Failure policy: storage that fails never holds a call back. The circuit is then this process's own, begins as last
    seen (closed when never seen), and opens and closes by local failures until storage answers again.
    """

    def __init__(self, tables: Tables, tenant: str, adapter_id: str, clock: Clock) -> None:
        """Read nothing yet."""
        self._table = tables.table(TABLE)
        self._partition, self._key = join_key(tenant), join_key(adapter_id)
        self._clock = clock
        self._known = Circuit()
        self._row: Row | None = None
        self._read_at: datetime | None = None
        self._offline_until: datetime | None = None
        self._uses = 0
        self._confirmed = False
        self._lock = RLock()

    def current(self) -> Circuit:
        """Return the state, read again when the view is too old."""
        with self._lock:
            self._uses += 1
            too_old = self._read_at is None or self._clock() - self._read_at > FRESH
            confirmed = self._confirmed and self._known.state == CLOSED and self._uses <= CONFIRMED_USES
            if too_old and not confirmed:
                return self.newest()
            return self._known

    def known(self) -> Circuit:
        """Return the state as last seen, however old; a write on it fails when it is not the newest."""
        with self._lock:
            return self._known

    def newest(self) -> Circuit:
        """Return the state as it is in storage now."""
        with self._lock:
            if self._is_offline():
                return self._known
            try:
                row = self._table.get(self._partition, self._key)
            except Exception as error:  # noqa: BLE001 - whatever storage raises: see the failure policy
                return self._go_offline(error, self._known)
            return self._seen(from_values(row.values) if row else Circuit(), row)

    def write(self, known: Circuit, wanted: Circuit) -> bool:
        """Replace the state that was seen; False when another instance or thread was first."""
        with self._lock:
            if known != self._known:
                return False
            if self._is_offline():
                self._known = wanted
                return True
            values = to_values(wanted)
            try:
                if self._row:
                    etag = self._table.replace(self._row, values)
                else:
                    etag = self._table.insert(self._partition, self._key, values)
            except (RowChanged, RowExists):
                return False
            except Exception as error:  # noqa: BLE001 - whatever storage raises: see the failure policy
                self._go_offline(error, wanted)
                return True
            self._seen(wanted, Row(self._partition, self._key, values, etag))
            return True

    def confirm(self) -> None:
        """A call of ours has just succeeded while the circuit was closed."""
        with self._lock:
            self._confirmed = True

    def _seen(self, circuit: Circuit, row: Row | None) -> Circuit:
        self._known, self._row, self._read_at = circuit, row, self._clock()
        self._uses, self._confirmed = 1, False
        return circuit

    def _is_offline(self) -> bool:
        return self._offline_until is not None and self._clock() < self._offline_until

    def _go_offline(self, error: Exception, circuit: Circuit) -> Circuit:
        _log.warning("circuit state of %s is local for now: %s", self._key, type(error).__name__)
        self._known, self._row, self._read_at = circuit, None, None
        self._offline_until = self._clock() + OFFLINE
        return circuit


def stored_circuits(tables: Tables, tenant: str) -> dict[str, Circuit]:
    """Return every circuit that was ever written, by adapter ID, in one scan."""
    rows = tables.table(TABLE).query(join_key(tenant))
    return {split_key(row.key)[0]: from_values(row.values) for row in rows}
