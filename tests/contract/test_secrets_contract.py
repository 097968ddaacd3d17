"""What every store of secrets does: the vault over TLS, the cache before it, settings, the fake."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta

import pytest

from shared.adapters.key_vault import VAULT_RETRY, KeyVaultSecrets
from shared.adapters.resilience.retry import Retry
from shared.adapters.resilience.retry_budget import RetryBudget
from shared.adapters.secret_cache import CachedSecrets, CacheLife
from shared.adapters.settings.secret_settings import SECRETS, LocalSecrets
from shared.adapters.vault_names import vault_name
from shared.kernel.secret import SecretStore
from tests.contract.key_vault_stand_in import URL, KeyVaultStandIn
from tests.fakes.azure_credential import Credential
from tests.fakes.secrets import MemorySecrets
from tests.unit.adapters.manual_time import ManualTime

PATH = SECRETS["HR_WEBHOOK_SECRET"].path("acme")
OTHER = SECRETS["ERP_CLIENT_SECRET"].path("acme")
FIRST, SECOND = "first-s3cr3t-of-hr", "second-s3cr3t-of-hr"


@dataclass
class Kept:
    """A store, and how an operator rotates what it holds: the newest value comes first."""

    store: SecretStore
    rotate: Callable[[str], None]


@pytest.fixture(params=["memory", "settings", "key-vault", "cached-key-vault"])
def kept(request: pytest.FixtureRequest) -> Iterator[Kept]:
    if request.param == "memory":
        memory = MemorySecrets()
        yield Kept(memory, lambda value: memory.values.update({PATH: (value, *memory.values.get(PATH, ()))}))
        return
    if request.param == "settings":
        environment: dict[str, str] = {}

        def rotate_setting(value: str) -> None:
            before = environment.get("HR_WEBHOOK_SECRET")
            environment["HR_WEBHOOK_SECRET"] = f"{value}, {before}" if before else value

        yield Kept(LocalSecrets(environment, "acme"), rotate_setting)
        return
    time = ManualTime()
    with KeyVaultStandIn(request.getfixturevalue("certificate")) as vault:
        retry = Retry(VAULT_RETRY, RetryBudget(time.clock), sleep=time.sleep)
        store: SecretStore = KeyVaultSecrets(
            URL, Credential, overlap=timedelta(days=1), retry=retry, clock=time.clock, transport=vault.transport()
        )
        if request.param == "cached-key-vault":
            store = CachedSecrets(store, CacheLife(), time.clock)

        def rotate_version(value: str) -> None:
            time.advance(60)
            vault.put(vault_name(PATH), value, time.now)

        yield Kept(store, rotate_version)


def test_a_secret_is_read(kept: Kept) -> None:
    kept.rotate(FIRST)
    assert kept.store.versions(PATH) == (FIRST,)


def test_what_is_not_there_has_no_versions(kept: Kept) -> None:
    kept.rotate(FIRST)
    assert kept.store.versions(OTHER) == ()
    assert kept.store.versions("integrations/acme/nobody/secret") == ()


def test_during_a_rotation_both_hold_and_the_newest_comes_first(kept: Kept) -> None:
    """INC-25."""
    kept.rotate(FIRST)
    kept.rotate(SECOND)
    assert kept.store.versions(PATH) == (SECOND, FIRST)


def test_a_rotated_secret_is_read_after_a_refresh(kept: Kept) -> None:
    """RES-11: without a restart."""
    kept.rotate(FIRST)
    assert kept.store.versions(PATH)[0] == FIRST
    kept.rotate(SECOND)
    kept.store.refresh(PATH)
    assert kept.store.versions(PATH)[0] == SECOND


def test_many_threads_read_the_same(kept: Kept) -> None:
    kept.rotate(FIRST)
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: kept.store.versions(PATH), range(16))) == {(FIRST,)}


def test_no_value_is_shown(kept: Kept, caplog: pytest.LogCaptureFixture) -> None:
    """RES-12."""
    caplog.set_level("DEBUG")
    kept.rotate(FIRST)
    kept.store.versions(PATH)
    assert "s3cr3t" not in repr(kept.store) + caplog.text
