"""Clients of partner systems, each under its policies (RES-03, RES-04, RES-07)."""

import logging
from collections.abc import Callable
from dataclasses import replace

from shared.adapters.entra import EntraGrant
from shared.adapters.http import PartnerClient
from shared.adapters.http_wire import Timeouts, Wire
from shared.adapters.oauth import ClientCredentials, ClientSettings, FormGrant, Grant, TokenSource
from shared.adapters.partner_probes import PartnerProbe
from shared.adapters.resilience.circuit import CLOSED, Circuit
from shared.adapters.resilience.circuit_breaker import CircuitBreaker
from shared.adapters.resilience.circuit_store import stored_circuits
from shared.adapters.resilience.policies import policy_of
from shared.adapters.resilience.rate_limit import TokenBucket
from shared.adapters.resilience.retry import Retry
from shared.adapters.resilience.retry_budget import RetryBudget
from shared.adapters.settings import (
    ErpSettings,
    GraphSettings,
    HrSettings,
    PayrollSettings,
    SalesSettings,
    SftpSettings,
)
from shared.adapters.sftp import PARTNER as SFTP
from shared.adapters.sftp import SftpServer, SftpTransfer
from shared.adapters.telemetry.partner_calls import PartnerCalls
from shared.adapters.telemetry.telemetry import Telemetry
from shared.kernel.clock import Clock
from shared.kernel.errors import Busy, NotFound
from shared.kernel.table import Tables

_log = logging.getLogger(__name__)

ADAPTERS = ("erp", "hr", "payroll", SFTP, "e-mail", "notifications")
"""The adapter IDs of all partners."""

OAuthPartner = ErpSettings | GraphSettings | HrSettings | PayrollSettings | SalesSettings


class Partners:
    """Builds the client of each partner, on the shared state of breakers and rate limits."""

    def __init__(
        self,
        tables: Tables,
        tenant: str,
        clock: Clock,
        sleep: Callable[[float], None],
        telemetry: Telemetry | None = None,
    ) -> None:
        """Keep the tables that hold the shared state, and what observes the calls (default: nothing)."""
        self._tables, self._tenant, self._clock, self._sleep = tables, tenant, clock, sleep
        self._telemetry = telemetry or Telemetry()

    def calls(self, partner: str) -> PartnerCalls:
        """Return what observes the calls to a partner (RES-08, RES-09)."""
        return PartnerCalls(self._telemetry, partner, self._tenant)

    def breaker(self, partner: str, call_timeout: float | None = None) -> CircuitBreaker:
        """Return the circuit breaker of a partner; a call may take `call_timeout` seconds (default: the policy's)."""
        policy = policy_of(partner).breaker
        if call_timeout:
            policy = replace(policy, call_timeout=call_timeout)
        return CircuitBreaker(self._tables, self._tenant, partner, policy, clock=self._clock)

    def circuits(self) -> dict[str, Circuit]:
        """Return every circuit as it is now, by adapter ID (RES-03, RES-09). What was never called is closed."""
        now = self._clock()
        known = dict.fromkeys(ADAPTERS, Circuit()) | stored_circuits(self._tables, self._tenant)
        return {adapter_id: circuit.seen(policy_of(adapter_id).breaker, now) for adapter_id, circuit in known.items()}

    def reset(self, adapter_id: str, by: str) -> Circuit:
        """Close a circuit by hand, for all instances, and return it; calls on their way do not count any more.

        NotFound. Busy when it is not closed afterwards: storage did not take it, or the next calls have failed.
        """
        if adapter_id not in self.circuits():
            raise NotFound(f"there is no circuit {adapter_id!r}")
        self.breaker(adapter_id).reset()
        _log.warning("circuit of %s: closed by hand", adapter_id, extra={"adapterId": adapter_id, "by": by})
        found = self.circuits()[adapter_id]
        if found.state != CLOSED:
            raise Busy(f"the circuit of {adapter_id} is {found.state} again: look at the partner", retry_after=5)
        return found

    def with_oauth(self, partner: str, settings: OAuthPartner, breaker: CircuitBreaker | None = None) -> PartnerClient:
        """Return the client of a partner that trusts client credentials: `erp`, `hr`, `payroll`, `sales`, `graph`."""
        return self.client(
            partner,
            settings.base_url,
            settings.call_timeout,
            self.retry(partner, settings.retry_first_delay),
            breaker or self.breaker(partner, settings.call_timeout),
            self.tokens(partner, settings),
        )

    def tokens(self, partner: str, settings: OAuthPartner) -> TokenSource:
        """Return where a partner's tokens come from: Entra ID for an authority (INC-32), else its token URL."""
        names = ("AUTHORITY", "SCOPE") if settings.authority else ("TOKEN_URL",)
        credentials = ClientSettings(
            settings.authority or settings.token_url or "",
            settings.client_id,
            settings.client_secret,
            settings.scope,
            tuple(f"{partner.upper()}_{name}" for name in (*names, "CLIENT_ID", "CLIENT_SECRET")),
        )
        grant: Grant = EntraGrant if settings.authority else FormGrant
        return ClientCredentials(f"{partner}-identity", credentials, grant=grant, clock=self._clock)

    def retry(self, partner: str, first_delay: float | None = None) -> Retry:
        """Return the retries of a partner, with a budget of their own; `first_delay` in seconds (default: policy's)."""
        policy = policy_of(partner).retry
        if first_delay is not None:
            policy = replace(policy, first_delay=first_delay)
        return Retry(policy, RetryBudget(self._clock), sleep=self._sleep)

    def rate_limit(self, partner: str) -> TokenBucket | None:
        """Return the rate limit of a partner, None where none is agreed."""
        bucket = policy_of(partner).bucket
        if bucket is None:
            return None
        return TokenBucket(self._tables, self._tenant, partner, bucket, clock=self._clock, sleep=self._sleep)

    def probe(self, partner: str, url: str, tokens: TokenSource | None = None) -> PartnerProbe:
        """Return what asks a partner whether it is there, beside its circuit."""
        return PartnerProbe(partner, url, self._clock, tokens)

    def sftp(self, settings: SftpSettings) -> SftpTransfer:
        """Return where payroll picks files up (INC-54)."""
        server = SftpServer(
            settings.host,
            settings.port,
            settings.username,
            settings.host_key.fingerprints,
            settings.directory,
            *settings.credentials,
            settings.timeout,
            settings.host_key.kinds,
        )
        patience = self.retry(SFTP, settings.retry_first_delay)
        return SftpTransfer(server, patience, self.breaker(SFTP, settings.timeout), self.calls(SFTP))

    def webhook(self, partner: str, base_url: str) -> PartnerClient:
        """Return the client of an incoming webhook of ours somewhere (INC-70)."""
        timeout = 10.0
        return self.client(partner, base_url, timeout, self.retry(partner), self.breaker(partner, timeout), None)

    def mail_gateway(self, base_url: str) -> PartnerClient:
        """Return the client of an e-mail gateway, under the policy `e-mail` (INC-61)."""
        timeout = policy_of("e-mail").breaker.call_timeout
        return self.client("e-mail", base_url, timeout, self.retry("e-mail"), self.breaker("e-mail"), None)

    def client(
        self,
        partner: str,
        base_url: str,
        call_timeout: float,
        retry: Retry,
        breaker: CircuitBreaker,
        tokens: TokenSource | None,
    ) -> PartnerClient:
        """Return a client with everything it is guarded by."""
        timeouts = Timeouts(read=call_timeout, total=call_timeout)
        return PartnerClient(
            partner,
            base_url,
            wire=Wire(partner, timeouts),
            retry=retry,
            breaker=breaker,
            rate_limit=self.rate_limit(partner),
            tokens=tokens,
            clock=self._clock,
            calls=self.calls(partner),
        )
