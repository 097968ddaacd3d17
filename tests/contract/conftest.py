"""Every contract test runs on the fake in memory and on the real adapter against Azurite: by key, and by identity."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from local.azurite_process import ACCOUNT, Azurite, Tls, free_ports
from shared.adapters.blobs import AzureBlobs
from shared.adapters.queues import StorageQueues
from shared.adapters.storage_account import StorageAccount, StorageAddresses
from shared.adapters.tables import AzureTables
from shared.kernel.blob import BlobContainer, Blobs
from shared.kernel.clock import utc_now
from shared.kernel.message import Queues
from shared.kernel.table import Table, Tables
from tests.certificates import Certificate
from tests.fakes.azure_credential import Credential, storage_token
from tests.fakes.blobs import MemoryBlobs
from tests.fakes.queues import MemoryQueues
from tests.fakes.tables import MemoryTables

Unique = Callable[[str], str]


@dataclass
class Stores:
    """The three ports of one implementation."""

    tables: Tables
    blobs: Blobs
    queues: Queues
    account: StorageAccount | None


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """A certificate for this machine and for what stands in for Azure's services."""
    return Certificate(tmp_path_factory.mktemp("tls"), "*.vault.azure.net", "vault.example.com")


@pytest.fixture(scope="session")
def azurite_with_tokens(certificate: Certificate) -> Iterator[Azurite]:
    """An Azurite over HTTPS, where access tokens are accepted, as in Azure."""
    with Azurite(free_ports(), tls=Tls(certificate.file, certificate.key_file)) as running:
        yield running


IMPLEMENTATIONS = (
    "memory",
    pytest.param("azurite", marks=pytest.mark.azurite),
    pytest.param("azurite-by-identity", marks=pytest.mark.azurite),
)


@pytest.fixture(params=IMPLEMENTATIONS)
def stores(request: pytest.FixtureRequest) -> Stores:
    """The ports in memory, then on Azurite, then on Azurite by a managed identity's tokens (INC-32)."""
    return stores_of(request)


def stores_of(request: pytest.FixtureRequest) -> Stores:
    """Return the ports that a parameter names."""
    if request.param == "memory":
        memory = MemoryBlobs()
        return Stores(MemoryTables(), memory, MemoryQueues(utc_now, memory), None)
    if request.param == "azurite":
        azurite: Azurite = request.getfixturevalue("azurite")
        account = StorageAccount(azurite.connection_string)
    else:
        azurite, trusted = (request.getfixturevalue(name) for name in ("azurite_with_tokens", "certificate"))
        blob, queue, table = (f"https://127.0.0.1:{port}/{ACCOUNT}" for port in azurite.ports)
        place = StorageAddresses(blob, queue, table, lambda: Credential(token=storage_token()))
        account = StorageAccount(place, ca_bundle=str(trusted.file))
    blobs = AzureBlobs(account)
    return Stores(AzureTables(account), blobs, StorageQueues(account, blobs), account)


@pytest.fixture
def table(stores: Stores, unique: Unique) -> Table:
    """A table that is not there yet."""
    return stores.tables.table(unique("Contract"))


@pytest.fixture
def container(stores: Stores, unique: Unique) -> BlobContainer:
    """A container that is not there yet."""
    return stores.blobs.container(unique("contract"))
