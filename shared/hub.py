"""The composition root: settings in, services out, each built when first used and replaceable in a test."""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property, partial
from threading import Lock
from typing import TYPE_CHECKING

from shared.access.bearer import BearerTokens, TokenVerifier
from shared.access.provisioning import ProvisioningTokens
from shared.adapters.blobs import AzureBlobs
from shared.adapters.identifiers import instance_name, new_uuid7
from shared.adapters.json_web_tokens import JsonWebTokens, KeySet
from shared.adapters.logs import set_up_logs
from shared.adapters.partners import Partners
from shared.adapters.resilience.circuit_breaker import CircuitBreaker
from shared.adapters.resilience.idempotency import Idempotency
from shared.adapters.resilience.lease import Leases
from shared.adapters.settings import Settings
from shared.adapters.signing import PageTokens
from shared.adapters.storage_account import StorageAccount, storage_account
from shared.adapters.tables import AzureTables
from shared.adapters.telemetry.queues import TracedQueues
from shared.adapters.telemetry.recorder import Recorder
from shared.adapters.telemetry.telemetry import Telemetry
from shared.adapters.telemetry.work import ObservedWork
from shared.adapters.timer_runs import StoredTimerRuns
from shared.adapters.webhook_channel import WebhookChannel
from shared.health.checks import HealthChecks, Probe
from shared.health.timers import TIMERS
from shared.kernel.blob import Blobs
from shared.kernel.clock import Clock, utc_now
from shared.kernel.identifiers import NewId
from shared.kernel.json_client import JsonPoster, JsonReader
from shared.kernel.message import Queues
from shared.kernel.table import Tables
from shared.kernel.timer import TimerRuns
from shared.messaging.dead_letters import DeadLetters
from shared.messaging.processing import MessageProcessor
from shared.notify.mailing import Mailing
from shared.notify.notifications import Notifier
from shared.sales.context import ImportContext, ImportRules, stores_of
from shared.sales.drops import DropRules
from shared.sales.erp_source import ErpSource
from shared.sales.file_source import FileSource
from shared.sales.runs import ImportRun
from shared.sales.sources import SalesSource
from shared.workforce.context import WorkforceContext

if TYPE_CHECKING:
    from shared.adapters.secret_cache import CachedSecrets
    from shared.incentives.context import IncentiveContext
    from shared.kernel.file_transfer import FileTransfer
    from shared.orders.intake import OrderIntake
    from shared.payroll.context import PayrollContext
    from shared.provisioning.context import SyncContext
    from shared.provisioning.directory import Directory


class Hub:
    """All services of one process, each built when first used."""

    def __init__(
        self,
        environment: Mapping[str, str],
        *,
        clock: Clock = utc_now,
        new_id: NewId = new_uuid7,
        sleep: Callable[[float], None] = time.sleep,
        **parts: object,
    ) -> None:
        """Keep what everything else is built from; nothing is read or connected yet.

        `parts` stand in for services by name: `Hub({}, tables=MemoryTables())`. TypeError for a name that is none.
        """
        self.settings = Settings(environment, lambda: self.vault)
        self.clock = clock
        self.new_id = new_id
        self.sleep = sleep
        for name, part in parts.items():
            if not isinstance(getattr(type(self), name, None), cached_property):
                raise TypeError(f"the hub has no service {name!r}")
            self.__dict__[name] = part

    @cached_property
    def storage_account(self) -> StorageAccount:
        """The storage account."""
        return storage_account(self.settings.storage)

    @cached_property
    def vault(self) -> "CachedSecrets":
        """Where secrets are that are no settings (RES-11). Only asked for where KEY_VAULT_URL is set."""
        from shared.wiring.vault import build

        return build(self)

    @cached_property
    def tables(self) -> Tables:
        """All tables."""
        return AzureTables(self.storage_account)

    @cached_property
    def blobs(self) -> Blobs:
        """All blob containers."""
        return AzureBlobs(self.storage_account)

    @cached_property
    def queues(self) -> Queues:
        """All queues."""
        from shared.wiring.queues import build

        return TracedQueues(build(self))

    @property
    def tenant(self) -> str:
        """The tenant that this deployment serves."""
        return self.settings.hub.tenant

    @cached_property
    def token_verifier(self) -> TokenVerifier:
        """Validates callers' access tokens (INC-30)."""
        given = self.settings.auth
        return JsonWebTokens(given.issuer, given.audience, KeySet(given.jwks_url, self.clock))

    @cached_property
    def access_tokens(self) -> BearerTokens:
        """Tells callers by their access tokens."""
        return BearerTokens(self.token_verifier)

    @cached_property
    def provisioning_tokens(self) -> ProvisioningTokens:
        """Tells callers of the SCIM server (INC-33)."""
        return ProvisioningTokens(self.access_tokens, lambda: self.settings.auth.scim_token)

    @cached_property
    def page_tokens(self) -> PageTokens:
        """Signs positions in listings."""
        return PageTokens(self.settings.hub.page_token_secret.versions, self.tenant)

    @cached_property
    def dead_letters(self) -> DeadLetters:
        """Messages that were given up (INC-71)."""
        return DeadLetters(
            self.tables.table("DeadLetters"),
            self.blobs.container("dead-letters"),
            self.queues,
            self.tenant,
            self.clock,
            self.new_id,
        )

    @cached_property
    def messages(self) -> MessageProcessor:
        """Processes queued messages."""
        delays = self.settings.hub.message_retry_delays
        return MessageProcessor(
            self.queues,
            self.dead_letters,
            self.tenant,
            self.clock,
            delays,
            observe=self.work.message,
            sleep=self.sleep,
        )

    @cached_property
    def telemetry(self) -> Telemetry:
        """Spans and metrics (RES-08, RES-09)."""
        return Telemetry(self._recorder)

    @cached_property
    def work(self) -> ObservedWork:
        """Observes what the hub does."""
        return ObservedWork(self.telemetry, lambda: self.tenant)

    @cached_property
    def once(self) -> Idempotency:
        """Does things once per key (RES-02)."""
        return Idempotency(self.tables, self.tenant, clock=self.clock, sleep=self.sleep)

    @cached_property
    def timer_runs(self) -> TimerRuns:
        """Does each due time's work once, and keeps how it went."""
        return StoredTimerRuns(
            self.tables, self.tenant, TIMERS, instance=instance_name(), clock=self.clock, sleep=self.sleep
        )

    @cached_property
    def partners(self) -> Partners:
        """Builds clients of partners."""
        return Partners(self.tables, self.tenant, self.clock, self.sleep, self.telemetry)

    @cached_property
    def erp_breaker(self) -> CircuitBreaker:
        """The ERP's circuit breaker."""
        return self.partners.breaker("erp", self.settings.erp.call_timeout)

    @cached_property
    def erp(self) -> JsonReader:
        """The ERP's API."""
        return self.partners.with_oauth("erp", self.settings.erp, self.erp_breaker)

    @cached_property
    def notifier(self) -> Notifier:
        """Tells what happened."""
        url = self.settings.hub.notification_url
        channel = WebhookChannel(url, partial(self.partners.webhook, "notifications")) if url else None
        return Notifier(channel, self.once, self.mailing)

    @cached_property
    def mailing(self) -> Mailing | None:
        """Writes e-mails."""
        from shared.wiring.mailing import build

        return build(self)

    @cached_property
    def sales(self) -> ImportContext:
        """What the import of sales works with."""
        given = self.settings.imports
        return ImportContext(
            tenant=self.tenant,
            rules=ImportRules(
                time_zone=given.time_zone,
                max_reject_share=given.max_reject_share,
                known_stores=frozenset(given.known_stores),
                currency=given.currency,
                pay_calendar=given.pay_calendar,
                pages_per_slice=given.pages_per_slice,
                slice_lease=given.slice_lease,
                stall_after=given.stall_after,
                expected_by=given.expected_by,
                triggers_calculation=given.triggers_calculation,
                drops=DropRules(given.confirm_drop_share, given.confirm_drop_records),
            ),
            clock=self.clock,
            new_id=self.new_id,
            queues=self.queues,
            once=self.once,
            source_of=self._sales_source,
            writers=self._staging_writers,
            **stores_of(self.tables, self.blobs, self.tenant, given.currency),
        )

    @cached_property
    def hr(self) -> JsonReader:
        """The HR system's API."""
        return self.partners.with_oauth("hr", self.settings.hr)

    @cached_property
    def workforce(self) -> WorkforceContext:
        """What the workforce works with."""
        from shared.wiring.workforce import build

        return build(self)

    @cached_property
    def incentives(self) -> "IncentiveContext":
        """What the incentives work with."""
        from shared.wiring.incentives import build

        return build(self)

    @cached_property
    def directories(self) -> "Mapping[str, Directory]":
        """Provisioned users and groups (INC-33)."""
        from shared.wiring.provisioning import build

        return build(self)

    @cached_property
    def user_sync(self) -> "SyncContext":
        """What the pull of users works with (INC-33). Conflict where there is no Microsoft Graph."""
        from shared.wiring.graph import build

        return build(self)

    @cached_property
    def leases(self) -> Leases:
        """Lets one worker at a time do a piece of work."""
        return Leases(self.tables, self.tenant, clock=self.clock)

    @cached_property
    def payroll_client(self) -> JsonPoster:
        """Payroll's API."""
        return self.partners.with_oauth("payroll", self.settings.payroll)

    @cached_property
    def file_transfer(self) -> "FileTransfer":
        """Where payroll picks files up."""
        return self.partners.sftp(self.settings.sftp)

    @cached_property
    def payroll(self) -> "PayrollContext":
        """What payroll works with."""
        from shared.wiring.payroll import build

        return build(self)

    @cached_property
    def orders(self) -> "OrderIntake":
        """Brings orders to the sales system (RES-01). Conflict where there is none."""
        from shared.wiring.orders import build

        return build(self)

    @cached_property
    def health(self) -> HealthChecks:
        """What can be looked at (INC-72)."""
        from shared.wiring.health import build

        return build(self)

    @cached_property
    def partner_probes(self) -> Mapping[str, Probe]:
        """How each partner is asked whether it is there."""
        from shared.wiring.health import partner_probes

        return partner_probes(self)

    def _recorder(self) -> Recorder:
        from shared.adapters.telemetry.exporters import recorder_of

        return recorder_of(self.settings.telemetry)

    def _sales_source(self, run: ImportRun) -> SalesSource:
        if run.file_name:
            return FileSource(self.sales.inbox, run.file_name, run.file_etag)
        return ErpSource(self.erp, run.day, run.store_id, self.settings.erp.page_size)

    def _staging_writers(self) -> AbstractContextManager[Executor]:
        return ThreadPoolExecutor(self.settings.imports.writers, thread_name_prefix="staging")


_lock = Lock()
_current: Hub | None = None


def current_hub() -> Hub:
    """Return the hub of this process, built from the environment when first asked for."""
    global _current
    with _lock:
        if _current is None:
            set_up_logs()
            _current = Hub(os.environ)
        return _current


@contextmanager
def replaced_hub(hub: Hub) -> Iterator[Hub]:
    """Let a hub be the current one for a while."""
    global _current
    with _lock:
        before, _current = _current, hub
    try:
        yield hub
    finally:
        with _lock:
            _current = before
