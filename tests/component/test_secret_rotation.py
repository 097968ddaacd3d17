"""A secret is rotated at the partner and in the vault while the hub runs: no restart, no failure (RES-11)."""

import logging
from datetime import timedelta
from pathlib import Path

import pytest

from local.sandbox import identity
from local.sandbox.server import Sandbox
from shared.adapters.key_vault import VAULT_RETRY, KeyVaultSecrets
from shared.adapters.resilience.retry import Retry
from shared.adapters.resilience.retry_budget import RetryBudget
from shared.adapters.secret_cache import CachedSecrets, CacheLife
from shared.adapters.vault_names import vault_name
from shared.hub import Hub
from tests.certificates import Certificate
from tests.contract.key_vault_stand_in import URL, KeyVaultStandIn
from tests.fakes.azure_credential import Credential
from tests.fakes.tables import MemoryTables
from tests.unit.adapters.manual_time import ManualTime

NAME = vault_name("integrations/default/erp/client-secret")
SALES = {"date": "2025-01-15", "page": "1", "pageSize": "1"}


def test_a_client_secret_is_rotated_without_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    time = ManualTime()
    with KeyVaultStandIn(Certificate(tmp_path, "*.vault.azure.net")) as vault, Sandbox() as sandbox:
        retry = Retry(VAULT_RETRY, RetryBudget(time.clock), sleep=time.sleep)
        store = KeyVaultSecrets(
            URL, Credential, overlap=timedelta(days=1), retry=retry, clock=time.clock, transport=vault.transport()
        )
        hub = Hub(
            {
                "KEY_VAULT_URL": URL,
                "ERP_BASE_URL": f"{sandbox.url}/erp",
                "ERP_TOKEN_URL": f"{sandbox.url}/identity/oauth2/v2.0/token",
                "ERP_CLIENT_ID": "hub-erp",
            },
            clock=time.clock,
            sleep=time.sleep,
            tables=MemoryTables(),
            vault=CachedSecrets(store, CacheLife(), time.clock),
        )
        vault.put(NAME, "erp-secret", time.now)
        assert hub.erp.get_json("/api/v1/sales", SALES)["data"]
        read = len(vault.requests)

        time.advance(60)
        vault.put(NAME, "erp-s3cr3t-2", time.now)
        monkeypatch.setitem(identity.CLIENTS, "hub-erp", identity.Client("erp-s3cr3t-2", "erp"))
        assert hub.erp.get_json("/api/v1/sales", SALES)["data"]
        assert len(vault.requests) == read, "the token still holds: nobody asked"
        sandbox.identity.revoke_all()
        assert hub.erp.get_json("/api/v1/sales", SALES)["data"]
        assert len(vault.requests) > read
    assert "s3cr3t" not in caplog.text
