"""Key Vault's own shapes: challenge, paging, disabled and expired versions, and every way it says no."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from azure.core.exceptions import ClientAuthenticationError

from shared.adapters.key_vault import VAULT_RETRY, KeyVaultSecrets, Version, holding
from shared.adapters.resilience.retry import Retry
from shared.adapters.resilience.retry_budget import RetryBudget
from shared.kernel.errors import (
    ConfigurationError,
    ContractBroken,
    HubError,
    NetworkFailure,
    PartnerRefused,
    RateLimited,
    ServerFailure,
)
from tests.certificates import Certificate
from tests.contract.key_vault_stand_in import TENANT, URL, Forced, KeyVaultStandIn
from tests.fakes.azure_credential import Credential
from tests.unit.adapters.manual_time import ManualTime

PATH = "integrations/default/erp/client-secret"
NAME = "integrations--default--erp--client-secret"


@pytest.fixture
def vault(certificate: Certificate) -> Iterator[KeyVaultStandIn]:
    with KeyVaultStandIn(certificate) as running:
        yield running


@pytest.fixture
def time() -> ManualTime:
    return ManualTime()


def secrets(
    vault: KeyVaultStandIn, time: ManualTime, credential: Credential | None = None, url: str = URL
) -> KeyVaultSecrets:
    given = credential or Credential()
    return KeyVaultSecrets(
        url,
        lambda: given,
        overlap=timedelta(hours=1),
        retry=Retry(VAULT_RETRY, RetryBudget(time.clock), sleep=time.sleep, chance=lambda: 0.5),
        clock=time.clock,
        transport=vault.transport(),
    )


def test_the_challenge_says_whose_token_is_wanted(vault: KeyVaultStandIn, time: ManualTime) -> None:
    vault.put(NAME, "value", time.now)
    credential = Credential()
    store = secrets(vault, time, credential)
    assert store.versions(PATH) == ("value",)
    assert store.versions(PATH) == ("value",)
    assert credential.asked == [(("https://vault.azure.net/.default",), TENANT)]
    without = [one for one in vault.requests if one.endswith("(no token)")]
    assert len(without) <= 1, "the challenge is remembered"


def test_every_page_of_versions_is_read_and_only_what_holds_is_fetched(
    vault: KeyVaultStandIn, time: ManualTime
) -> None:
    for number in range(5):
        vault.put(NAME, f"value-{number}", time.now + timedelta(hours=number))
    time.advance(4 * 3600 + 60)
    assert secrets(vault, time).versions(PATH) == ("value-4", "value-3")
    read = [one for one in vault.requests if "/versions" not in one and "no token" not in one]
    assert len(read) == 2


def test_the_old_version_holds_for_the_overlap_and_no_longer(vault: KeyVaultStandIn, time: ManualTime) -> None:
    """INC-25."""
    vault.put(NAME, "old", time.now - timedelta(days=300))
    vault.put(NAME, "new", time.now)
    store = secrets(vault, time)
    time.advance(3599)
    assert store.versions(PATH) == ("new", "old")
    time.advance(2)
    assert store.versions(PATH) == ("new",)


def test_disabled_expired_and_future_versions_do_not_hold(vault: KeyVaultStandIn, time: ManualTime) -> None:
    now = int(time.now.timestamp())
    vault.put(NAME, "good", time.now - timedelta(days=9))
    vault.put(NAME, "expired", time.now - timedelta(days=3), expires=now - 1)
    vault.put(NAME, "future", time.now - timedelta(days=2), not_before=now + 100)
    vault.put(NAME, "disabled", time.now - timedelta(days=1), enabled=False)
    store = secrets(vault, time)
    assert store.versions(PATH) == ("good",)
    time.advance(101)
    assert store.versions(PATH) == ("future", "good"), "the overlap begins when the newer one begins to hold"


def test_a_rotation_is_taken_back_by_disabling_the_new_version(vault: KeyVaultStandIn, time: ManualTime) -> None:
    vault.put(NAME, "old", time.now - timedelta(days=300))
    new = vault.put(NAME, "new", time.now - timedelta(days=2))
    store = secrets(vault, time)
    assert store.versions(PATH) == ("new",)
    new.enabled = False
    assert store.versions(PATH) == ("old",)


@pytest.mark.parametrize("lists_nothing", [True, False], ids=["an empty list", "404 SecretNotFound"])
def test_a_secret_that_is_not_there(vault: KeyVaultStandIn, time: ManualTime, lists_nothing: bool) -> None:
    vault.missing_lists_nothing = lists_nothing
    assert secrets(vault, time).versions(PATH) == ()


def test_a_secret_that_is_deleted_after_it_was_listed(vault: KeyVaultStandIn, time: ManualTime) -> None:
    vault.put(NAME, "value", time.now)
    vault.deleted_when_read.add(NAME)
    assert secrets(vault, time).versions(PATH) == ()


def test_throttling_is_waited_out_as_the_vault_asks(vault: KeyVaultStandIn, time: ManualTime) -> None:
    vault.put(NAME, "value", time.now)
    store = secrets(vault, time)
    store.versions(PATH)
    vault.forced = [Forced(429, "Throttled", {"Retry-After": "3"}), Forced(503), Forced(429)]
    with pytest.raises(RateLimited):
        store.versions(PATH)
    assert time.slept == [pytest.approx(3, abs=0.2), 1.0]
    assert store.versions(PATH) == ("value",)


REFUSALS: dict[str, tuple[Forced, type[HubError], str]] = {
    "forbidden": (Forced(403, "Forbidden"), ConfigurationError, "Key Vault Secrets User"),
    "throttled for long": (Forced(429, "Throttled", {"Retry-After": "60"}), RateLimited, "429"),
    "broken": (Forced(500), ServerFailure, "500"),
    "conflict": (Forced(409), PartnerRefused, "409"),
}


@pytest.mark.parametrize(("answer", "error", "text"), REFUSALS.values(), ids=REFUSALS.keys())
def test_refusals(vault: KeyVaultStandIn, time: ManualTime, answer: Forced, error: type[HubError], text: str) -> None:
    vault.forced = [answer] * 3
    with pytest.raises(error, match=text) as caught:
        secrets(vault, time).versions(PATH)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_a_token_that_the_vault_does_not_accept(vault: KeyVaultStandIn, time: ManualTime) -> None:
    with pytest.raises(ConfigurationError, match="KEY_VAULT_URL: the vault answered 401"):
        secrets(vault, time, Credential(token="another")).versions(PATH)


def test_without_an_identity(vault: KeyVaultStandIn, time: ManualTime) -> None:
    credential = Credential(failure=ClientAuthenticationError("no identity, and s3cr3t details"))
    with pytest.raises(ConfigurationError, match="AZURE_CLIENT_ID") as caught:
        secrets(vault, time, credential).versions(PATH)
    assert "s3cr3t" not in str(caught.value)


def test_what_asks_for_tokens_of_another_domain_gets_none(vault: KeyVaultStandIn, time: ManualTime) -> None:
    """The SDK's check of the challenge is on: nobody else collects our tokens."""
    credential = Credential()
    with pytest.raises(ContractBroken, match="no vault"):
        secrets(vault, time, credential, "https://vault.example.com").versions(PATH)
    assert credential.asked == []


def test_a_vault_that_is_away(certificate: Certificate, time: ManualTime) -> None:
    with KeyVaultStandIn(certificate) as vault:
        store = secrets(vault, time)
    with pytest.raises(NetworkFailure, match="does not answer"):
        store.versions(PATH)
    assert len(time.slept) == VAULT_RETRY.retries


def test_a_tenant_whose_names_do_not_fit_is_told_to_the_operator(vault: KeyVaultStandIn, time: ManualTime) -> None:
    with pytest.raises(ConfigurationError, match="HUB_TENANT"):
        secrets(vault, time).versions(f"integrations/{'A' * 64}/erp/client-secret")


def test_the_check_of_the_challenge_is_nowhere_turned_off() -> None:
    shared = Path(__file__).resolve().parents[2] / "shared"
    assert not [path for path in shared.rglob("*.py") if "verify_challenge_resource" in path.read_text()]


NOW = datetime(2025, 1, 15, tzinfo=UTC)


def test_versions_that_overlap_in_a_row() -> None:
    """Three in a quick succession: each holds for the overlap after its own successor began."""
    versions = [Version(str(age), True, NOW - timedelta(minutes=age)) for age in (50, 30, 90)]
    assert [one.number for one in holding(versions, NOW, timedelta(minutes=40))] == ["30", "50"]
    assert holding([replace(versions[0], enabled=False)], NOW, timedelta(0)) == []
    assert [one.number for one in holding(versions, NOW, timedelta(0))] == ["30"]
