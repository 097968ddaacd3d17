"""Storage by identity: every request carries a bearer token, and none a shared key (INC-32)."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler

import pytest

from local.loopback_http import LoopbackHttp
from shared.adapters.blobs import AzureBlobs
from shared.adapters.queues import StorageQueues
from shared.adapters.settings import Settings
from shared.adapters.storage_account import StorageAccount, StorageAddresses, storage_account
from shared.adapters.tables import AzureTables
from shared.kernel.table import Put, RowChanged
from tests.certificates import Certificate
from tests.fakes.azure_credential import TOKEN, Credential


class Listener:
    """Answers 404 to everything, over HTTPS, and keeps what it was sent."""

    def __init__(self, certificate: Certificate) -> None:
        self.seen: list[tuple[str, dict[str, str]]] = []
        listener = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _answer(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                listener.seen.append((f"{self.command} {self.path}", {k.lower(): v for k, v in self.headers.items()}))
                self.send_response(404)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _answer  # noqa: N815 - names of the base class

        self.server = LoopbackHttp(Handler, tls=certificate.of_server())
        self.url = self.server.url


@pytest.fixture
def listener(certificate: Certificate) -> Iterator[Listener]:
    running = Listener(certificate)
    with running.server:
        yield running


def test_every_request_carries_a_bearer_token_and_no_shared_key(listener: Listener, certificate: Certificate) -> None:
    credential = Credential()
    made: list[Credential] = []

    def make() -> Credential:
        made.append(credential)
        return credential

    place = StorageAddresses(listener.url, listener.url, listener.url, make)
    account = StorageAccount(place, ca_bundle=str(certificate.file))
    table = AzureTables(account).table("Sales")
    assert table.get("partition", "row") is None
    assert list(table.query("partition")) == []
    with pytest.raises(RowChanged):
        table.transact("partition", [Put("row", {"amount": 1})])
    blobs = AzureBlobs(account)
    assert blobs.container("erp-inbox").info("file") is None
    assert StorageQueues(account, blobs).depth("import-slices") == 0
    assert {line.split()[0] for line, _ in listener.seen} >= {"GET", "POST", "HEAD"}
    for line, headers in listener.seen:
        assert headers["authorization"] == f"Bearer {TOKEN}", line
        assert "sig=" not in line
    assert len(made) == 1, "one credential, one cache of tokens"
    assert {scopes for scopes, _ in credential.asked} == {("https://storage.azure.com/.default",)}


def test_addresses_in_the_settings_lead_to_the_identity() -> None:
    services = ("blob", "queue", "table")
    given = {f"AzureWebJobsStorage__{name}ServiceUri": f"https://hub.{name}.core.windows.net" for name in services}
    account = storage_account(Settings(given | {"AzureWebJobsStorage__credential": "managedidentity"}).storage)
    assert account.tables.url == "https://hub.table.core.windows.net"
    assert account.blobs.url == "https://hub.blob.core.windows.net/"
    assert account.queues.url == "https://hub.queue.core.windows.net/"
    assert type(account.tables.credential).__name__ == "DefaultAzureCredential"
