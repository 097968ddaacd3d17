"""How the hub logs in to the SFTP server: with what there is, and with a rotated password at once (RES-11)."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from local.sandbox.sftp_server import PASSWORD, USERNAME, SftpServer
from shared.adapters.partners import Partners
from shared.adapters.settings import Settings
from shared.kernel.errors import CredentialsRefused
from tests.fakes.secrets import MemorySecrets, RotatingSecrets
from tests.fakes.tables import MemoryTables
from tests.unit.adapters.manual_time import ManualTime

PASSWORD_PATH = "integrations/default/payroll-sftp/password"


@pytest.fixture(scope="module")
def server() -> Iterator[SftpServer]:
    with closing(SftpServer()) as running:
        yield running


def deliver(server: SftpServer, vault: MemorySecrets, name: str, **more: str) -> None:
    given = {
        "KEY_VAULT_URL": "https://hub.vault.azure.net",
        "SFTP_HOST": "127.0.0.1",
        "SFTP_PORT": str(server.port),
        "SFTP_USERNAME": USERNAME,
        "SFTP_HOST_KEY": server.host_key_line,
    }
    time = ManualTime()
    settings = Settings(given | more, lambda: vault).sftp
    Partners(MemoryTables(), "acme", time.clock, time.sleep).sftp(settings).deliver(name, b"content")


def test_a_password_in_the_vault_is_used_where_there_is_no_key(server: SftpServer) -> None:
    deliver(server, MemorySecrets({PASSWORD_PATH: (PASSWORD,)}), "vault.csv")
    assert server.files()["/incoming/dsif/vault.csv"] == b"content"


def test_a_password_in_the_settings_wins(server: SftpServer) -> None:
    vault = MemorySecrets({"integrations/default/payroll-sftp/private-key": ("no key at all",)})
    deliver(server, vault, "settings.csv", SFTP_PASSWORD=PASSWORD)
    assert server.files()["/incoming/dsif/settings.csv"] == b"content"
    assert vault.reads.total() == 0


def test_a_rotated_password_is_taken_up_at_once(server: SftpServer) -> None:
    class Passwords(RotatingSecrets):
        def versions(self, path: str) -> tuple[str, ...]:
            return super().versions(path) if path == PASSWORD_PATH else ()

    vault = Passwords(("the old one",), (PASSWORD,))
    deliver(server, vault, "rotated.csv")
    assert server.files()["/incoming/dsif/rotated.csv"] == b"content"
    assert vault.refreshed == {PASSWORD_PATH: 1}


def test_a_wrong_password_is_for_the_operator(server: SftpServer) -> None:
    with pytest.raises(CredentialsRefused, match="SFTP_PASSWORD") as caught:
        deliver(server, MemorySecrets({PASSWORD_PATH: ("wr0ng",)}), "wrong.csv")
    assert "wr0ng" not in str(caught.value)
