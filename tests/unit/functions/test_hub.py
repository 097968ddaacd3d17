"""The composition root: lazy, cached, every part replaceable."""

import json
from functools import cached_property
from pathlib import Path

import azure.functions as func
import pytest

from functions.answering import ApiRequest
from functions.endpoints.health import startup
from shared.access.principal import ANONYMOUS
from shared.adapters.queues import StorageQueues
from shared.adapters.secret_cache import CachedSecrets, CacheLife
from shared.adapters.service_bus import ServiceBusQueues
from shared.adapters.settings.secret_settings import SECRETS
from shared.health.checks import Check, Finding, Verdict, examine, overall
from shared.hub import Hub, current_hub, replaced_hub
from shared.kernel.adapter import Health
from shared.kernel.errors import CircuitOpen, ConfigurationError, NetworkFailure
from shared.wiring.health import build as build_health
from shared.wiring.queues import build
from tests.fakes.blobs import MemoryBlobs
from tests.fakes.queues import MemoryQueues
from tests.fakes.secrets import MemorySecrets
from tests.fakes.tables import MemoryTables
from tests.unit.adapters.manual_time import ManualTime

ROOT = Path(__file__).resolve().parents[3]

PARTS = ["storage", "queues", "timers", "erp", "hr", "payroll", "payroll-sftp", "e-mail", "notifications"]
SECRET = {"HUB_PAGE_TOKEN_SECRET": "a secret for page tokens"}
ERP = {
    **SECRET,
    "ERP_BASE_URL": "http://127.0.0.1:9",
    "ERP_TOKEN_URL": "http://127.0.0.1:9/token",
    "ERP_CLIENT_ID": "hub",
    "ERP_CLIENT_SECRET": "erp-secret",
}


def memory_hub(**environment: str) -> Hub:
    return Hub(
        {**SECRET, **environment},
        tables=MemoryTables(),
        blobs=MemoryBlobs(),
        queues=MemoryQueues(),
        partner_probes={name: lambda: None for name in PARTS},
    )


def test_a_hub_without_settings_can_be_built_and_names_the_setting_when_it_is_needed() -> None:
    hub = Hub({})
    with pytest.raises(ConfigurationError, match="AUTH_ISSUER: is missing"):
        _ = hub.access_tokens


def test_services_are_built_once() -> None:
    hub = memory_hub()
    assert hub.messages is hub.messages
    assert hub.dead_letters is hub.dead_letters


def test_a_part_is_replaced_by_its_name_and_a_wrong_name_is_refused() -> None:
    tables = MemoryTables()
    assert Hub({}, tables=tables).tables is tables
    for name in ("tabels", "tenant", "clock_", "__init__"):
        with pytest.raises(TypeError, match="has no service"):
            Hub({}, **{name: object()})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ({}, StorageQueues),
        ({"HUB_QUEUES": "storage"}, StorageQueues),
        ({"HUB_QUEUES": "servicebus", "ServiceBusConnection": "Endpoint=sb://127.0.0.1/"}, ServiceBusQueues),
        ({"HUB_QUEUES": "servicebus", "ServiceBusConnection__fullyQualifiedNamespace": "h.example"}, ServiceBusQueues),
    ],
    ids=["by default", "storage", "a broker here", "a namespace in Azure"],
)
def test_messages_are_sent_by_the_transport_that_is_set(given: dict[str, str], kind: type) -> None:
    assert type(build(Hub({"AzureWebJobsStorage": "UseDevelopmentStorage=true", **given}))) is kind


def test_a_transport_that_is_none_is_named_when_something_is_sent() -> None:
    with pytest.raises(ConfigurationError, match="HUB_QUEUES"):
        _ = Hub({"HUB_QUEUES": "rabbits"}).queues


def test_the_hub_of_the_process_is_replaced_for_a_while() -> None:
    mine = memory_hub()
    before = current_hub()
    with replaced_hub(mine):
        assert current_hub() is mine
    assert current_hub() is before


def test_health_in_memory_is_good() -> None:
    findings = memory_hub().health.run()
    assert [finding.name for finding in findings] == PARTS
    assert overall(findings) is Health.HEALTHY


def looked_at(hub: Hub, name: str) -> Finding:
    """Return what somebody finds who has not looked before."""
    (finding,) = build_health(hub).run([name])
    return finding


class AnsweringErp:
    """An ERP that is well."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def get_json(self, path: str, params: dict[str, str]) -> dict[str, str]:
        assert not params
        self.asked.append(path)
        return {"status": "healthy"}


def test_health_asks_the_erp_again_once_its_circuit_may_be_tried() -> None:
    """INC-10, RES-03: without traffic nobody else would find out that it is back."""
    time, erp = ManualTime(), AnsweringErp()
    hub = Hub(ERP, clock=time.clock, tables=MemoryTables(), blobs=MemoryBlobs(), queues=MemoryQueues(), erp=erp)
    for _ in range(3):
        with pytest.raises(NetworkFailure):
            hub.erp_breaker.call(failing)
    time.advance(119)
    assert looked_at(hub, "erp").reason == "the circuit is open"
    assert erp.asked == []
    time.advance(1)
    assert looked_at(hub, "erp").verdict is Verdict.PASS
    assert erp.asked == ["/api/health"]


def test_a_probe_holds_the_circuit_for_as_long_as_a_call_may_take() -> None:
    """RES-03: the setting says how long that is, not the policy's default."""
    time, tables = ManualTime(), MemoryTables()
    probing, other = (Hub(ERP | {"ERP_CALL_TIMEOUT": "7"}, clock=time.clock, tables=tables) for _ in range(2))
    for _ in range(3):
        with pytest.raises(NetworkFailure):
            probing.erp_breaker.call(failing)
    time.advance(120)

    def probe() -> None:
        with pytest.raises(CircuitOpen) as held:
            other.erp_breaker.call(lambda: None)
        assert held.value.retry_after == 7

    probing.erp_breaker.call(probe)


@pytest.mark.parametrize("partner", ["payroll", "payroll-sftp"])
def test_health_says_open_no_longer_than_nobody_may_call(partner: str) -> None:
    time = ManualTime()
    hub = Hub(SECRET, clock=time.clock, tables=MemoryTables(), blobs=MemoryBlobs(), queues=MemoryQueues())
    for _ in range(5):
        with pytest.raises(NetworkFailure):
            hub.partners.breaker(partner).call(failing)
    assert hub.partners.circuits()[partner].state == "open"
    time.advance(30)
    assert hub.partners.circuits()[partner].state == "half-open"
    assert "circuit" not in looked_at(hub, partner).reason


def failing() -> None:
    raise NetworkFailure("partner", "no connection")


def test_health_tells_of_settings_that_are_missing_instead_of_failing() -> None:
    """INC-72."""
    findings = Hub({}).health.run()
    assert overall(findings) is Health.UNHEALTHY
    storage = next(finding for finding in findings if finding.name == "storage")
    assert "is missing" in storage.reason


VAULT_URL = {"KEY_VAULT_URL": "https://hub.vault.azure.net"}


def test_health_looks_at_the_vault_where_there_is_one() -> None:
    """RES-11."""
    time, store = ManualTime(), MemorySecrets()
    vault = CachedSecrets(store, CacheLife(), time.clock)
    hub = Hub(VAULT_URL, tables=MemoryTables(), blobs=MemoryBlobs(), queues=MemoryQueues(), vault=vault)
    (finding,) = hub.health.run(["key-vault"])
    assert finding.verdict is Verdict.PASS
    assert not finding.vital
    with pytest.raises(KeyError):
        memory_hub().health.run(["key-vault"])


def test_health_warns_while_the_vault_is_away_and_fails_when_nothing_is_left_to_go_on_with() -> None:
    time, store = ManualTime(), MemorySecrets()
    vault = CachedSecrets(store, CacheLife(), time.clock)
    hub = Hub({"HUB_PAGE_TOKEN_SECRET": "", **VAULT_URL}, vault=vault)
    path = hub.settings.hub.page_token_secret.path
    store.values[path] = ("a secret for page tokens",)
    probe = Check("key-vault", lambda: hub.vault.probe(path))
    assert examine(probe).verdict is Verdict.PASS
    store.failure = NetworkFailure("key-vault", "the vault does not answer")
    time.advance(301)
    found = examine(probe)
    assert (found.verdict, found.reason) == (
        Verdict.WARN,
        "1 secrets cannot be read (NetworkFailure); the oldest was read 301 s ago",
    )
    time.advance(5 * 3600)
    found = examine(probe)
    assert (found.verdict, found.reason) == (Verdict.FAIL, "NetworkFailure")


def test_page_tokens_go_on_over_a_rotation_without_a_restart() -> None:
    """RES-11."""
    store = MemorySecrets()
    hub = Hub(VAULT_URL, vault=store)
    path = hub.settings.hub.page_token_secret.path
    store.values[path] = ("the old secret of page tokens",)
    token = hub.page_tokens.write("query", "position")
    store.values[path] = ("the new secret of page tokens", "the old secret of page tokens")
    assert hub.page_tokens.read("query", token) == "position"


def test_the_vault_is_built_from_the_settings_and_asks_nobody() -> None:
    assert isinstance(Hub(VAULT_URL).vault, CachedSecrets)
    with pytest.raises(ConfigurationError, match="KEY_VAULT_URL: is missing"):
        _ = Hub({}).vault


def test_building_everything_reads_no_secret() -> None:
    """A vault that is away must not keep the hub from starting."""
    example = json.loads((ROOT / "local.settings.example.json").read_text())["Values"]
    given = {name: value for name, value in example.items() if name not in SECRETS} | VAULT_URL
    store = MemorySecrets()
    store.failure = NetworkFailure("key-vault", "the vault does not answer")
    hub = Hub(given, vault=store, tables=MemoryTables(), blobs=MemoryBlobs(), queues=MemoryQueues())
    for name, part in vars(Hub).items():
        if isinstance(part, cached_property):
            getattr(hub, name)
    assert store.reads.total() == 0


def test_startup_names_what_is_missing_in_the_vault() -> None:
    example = json.loads((ROOT / "local.settings.example.json").read_text())["Values"]
    store = MemorySecrets({kind.path("default"): (example[name],) for name, kind in SECRETS.items()})
    given = {name: value for name, value in example.items() if name not in SECRETS} | VAULT_URL
    request = ApiRequest(func.HttpRequest("GET", "/", body=b""), ANONYMOUS, "request")
    assert startup(Hub(given, vault=store), request).status == 200
    del store.values["integrations/default/payroll/client-secret"]
    answer = startup(Hub(given, vault=store), request)
    assert answer.status == 503
    assert answer.data == {
        "status": "unhealthy",
        "problems": [
            {
                "setting": "PAYROLL_CLIENT_SECRET",
                "problem": "is missing (in the vault: integrations/default/payroll/client-secret)",
            }
        ],
    }
