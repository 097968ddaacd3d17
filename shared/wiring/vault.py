"""Where secrets are: Key Vault by the hub's identity, behind a cache."""

from datetime import timedelta
from typing import TYPE_CHECKING

from shared.adapters.azure_identity import azure_credential
from shared.adapters.key_vault import VAULT_RETRY, KeyVaultSecrets
from shared.adapters.resilience.retry import Retry
from shared.adapters.resilience.retry_budget import RetryBudget
from shared.adapters.secret_cache import CachedSecrets, CacheLife
from shared.kernel.errors import ConfigurationError, FieldProblem

if TYPE_CHECKING:
    from shared.hub import Hub


def build(hub: "Hub") -> CachedSecrets:
    """Return the secrets of the vault. ConfigurationError when no vault is set."""
    given = hub.settings.vault
    if given.url is None:
        raise ConfigurationError((FieldProblem("KEY_VAULT_URL", "is missing"),))
    store = KeyVaultSecrets(
        given.url,
        lambda: azure_credential(given.client_id),
        overlap=timedelta(seconds=given.overlap_seconds),
        retry=Retry(VAULT_RETRY, RetryBudget(hub.clock), sleep=hub.sleep),
        clock=hub.clock,
    )
    life = CacheLife(timedelta(seconds=given.cache_seconds), timedelta(seconds=given.stale_seconds))
    return CachedSecrets(store, life, hub.clock)
