"""Health: what is looked at, and how each partner is asked (INC-72, RES-10)."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from shared.adapters.key_vault import PARTNER as VAULT
from shared.adapters.partners import ADAPTERS, OAuthPartner
from shared.adapters.resilience.circuit import OPEN
from shared.adapters.sftp import PARTNER as SFTP
from shared.health.checks import Check, HealthChecks, Probe
from shared.health.storage import probe_queues, probe_storage
from shared.health.timers import probe_timers
from shared.kernel.adapter import AdapterHealth
from shared.kernel.errors import ConfigurationError
from shared.messaging.queue_names import QUEUES

if TYPE_CHECKING:
    from shared.hub import Hub

SALES, GRAPH = "sales", "graph"
PARTNERS_KEEP = 60.0
"""Seconds for which what a partner answered is good."""
_DEADLINE = 5.0
"""Seconds, where the settings cannot be read: health says so instead of failing itself."""


def build(hub: "Hub") -> HealthChecks:
    """Return every check. A partner whose circuit is open is not asked; no partner is vital."""
    checks = (
        Check("storage", lambda: probe_storage(hub.tables, hub.blobs, hub.tenant), vital=True),
        Check("queues", lambda: probe_queues(hub.queues, QUEUES), vital=True),
        Check("timers", lambda: probe_timers(hub.timer_runs.heartbeats(), hub.clock())),
        *(
            Check(name, hub.partner_probes[name], keep=PARTNERS_KEEP, held_back=partial(_open_circuit, hub, name))
            for name in (*ADAPTERS, *_optional_partners(hub))
        ),
        *_vault_check(hub),
    )
    try:
        deadline = hub.settings.hub.health_deadline
    except ConfigurationError:
        deadline = _DEADLINE
    return HealthChecks({check.name: check for check in checks}, deadline)


def partner_probes(hub: "Hub") -> Mapping[str, Probe]:
    """Return how each partner is asked. Nothing is read before it is."""
    return {
        "erp": partial(_erp, hub),
        "hr": lambda: _oauth(hub, "hr", hub.settings.hr),
        "payroll": lambda: _oauth(hub, "payroll", hub.settings.payroll),
        SFTP: lambda: hub.partners.sftp(hub.settings.sftp).probe(),
        "e-mail": partial(_mail, hub),
        "notifications": partial(_notifications, hub),
        SALES: partial(_sales, hub),
        GRAPH: partial(_graph, hub),
    }


def _optional_partners(hub: "Hub") -> Iterator[str]:
    """Yield the partners that a hub need not have, where it has them."""
    for name, is_set in ((SALES, hub.settings.has_sales), (GRAPH, hub.settings.has_graph)):
        if is_set:
            yield name


def _open_circuit(hub: "Hub", partner: str) -> str | None:
    return "the circuit is open" if hub.partners.breaker(partner).state() == OPEN else None


def _erp(hub: "Hub") -> None:
    """Ask as its contract says (INC-10), through its circuit: an answer helps to close it."""
    hub.erp.get_json("/api/health", {})


def _oauth(hub: "Hub", partner: str, settings: OAuthPartner) -> None:
    hub.partners.probe(partner, settings.base_url, hub.partners.tokens(partner, settings)).ask()


def _mail(hub: "Hub") -> None:
    """Ask who sends e-mails; where nobody does, nothing can be wrong."""
    from shared.adapters.mail_providers import mail_provider

    settings = hub.settings.mail
    provider = mail_provider(settings, hub.partners, hub.clock)
    if provider:
        provider.probe(settings.sender)


def _notifications(hub: "Hub") -> None:
    """Knock at the host: a webhook itself cannot be asked without telling it something."""
    secret = hub.settings.hub.notification_url
    url = secret.find() if secret else None
    if url:
        parts = urlsplit(url)
        hub.partners.probe("notifications", f"{parts.scheme}://{parts.netloc}").ask()


def _sales(hub: "Hub") -> AdapterHealth:
    return hub.orders.health_check()


def _graph(hub: "Hub") -> None:
    settings = hub.settings.graph
    if settings:
        _oauth(hub, GRAPH, settings)


def _vault_check(hub: "Hub") -> Iterator[Check]:
    if hub.settings.has_vault:
        yield Check(VAULT, lambda: hub.vault.probe(hub.settings.hub.page_token_secret.path))
