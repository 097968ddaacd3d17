"""Leases: one holder at a time of a named piece of work, across instances (RES-02). Table `Locks`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from shared.adapters.resilience.leased_rows import Claim, LeasedRows, LeaseLost, lease_end
from shared.kernel.clock import Clock, utc_now
from shared.kernel.errors import Busy
from shared.kernel.keys import join_key
from shared.kernel.table import Tables

TABLE = "Locks"
DURATION = 300.0
"""Seconds; a holder that crashed blocks no longer."""


@dataclass(frozen=True)
class Lease:
    """The right to do `name` until `expires`. `token` grows with each holder: a receiver can refuse an older one."""

    name: str
    token: int
    expires: datetime
    claim: Claim = field(repr=False, compare=False)


class Leases:
    """The leases of one tenant. Rows: partition tenant, row key the name. At most two transactions to acquire."""

    def __init__(self, tables: Tables, tenant: str, *, clock: Clock = utc_now) -> None:
        """Take nothing yet."""
        self._rows = LeasedRows(tables.table(TABLE), clock)
        self._partition = join_key(tenant)
        self._clock = clock

    def acquire(self, name: str, duration: float = DURATION) -> Lease:
        """Take a lease for `duration` seconds. Busy, with the seconds until it runs out, while another has it."""
        found = self._rows.claim(self._partition, join_key(name), {}, duration, is_new=False)
        if isinstance(found, Claim):
            return Lease(name, found.token, found.until, found)
        wait = (lease_end(found) - self._clock()).total_seconds()
        raise Busy(f"{name} is being done by somebody else", retry_after=max(wait, 0.0))

    def renew(self, lease: Lease, duration: float = DURATION) -> Lease:
        """Prolong a lease to `duration` seconds from now. LeaseLost when somebody else took it meanwhile."""
        claim = self._rows.write(lease.claim, {}, self._clock() + timedelta(seconds=duration))
        return Lease(lease.name, claim.token, claim.until, claim)

    def release(self, lease: Lease) -> None:
        """Let the next one have it at once; one that was taken over already is left alone."""
        with suppress(LeaseLost):
            self._rows.write(lease.claim, {}, self._clock())

    @contextmanager
    def hold(self, name: str, duration: float = DURATION) -> Iterator[Lease]:
        """Hold a lease for a block. Busy when another has it."""
        lease = self.acquire(name, duration)
        try:
            yield lease
        finally:
            self.release(lease)

    @contextmanager
    def hold_on(self, name: str, duration: float = DURATION) -> Iterator[Callable[[], None]]:
        """Hold a lease for a block of several parts; it gets what prolongs the lease, to be called between them.

        Busy when another has it, and LeaseLost from the prolonging when it was taken over meanwhile.
        """
        lease = self.acquire(name, duration)

        def prolong() -> None:
            nonlocal lease
            lease = self.renew(lease, duration)

        try:
            yield prolong
        finally:
            self.release(lease)
