"""Every contract test runs twice: on the fake in memory and on the real adapter against Azurite."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from local.azurite_process import Azurite
from shared.adapters.blobs import AzureBlobs
from shared.adapters.queues import StorageQueues
from shared.adapters.storage_account import StorageAccount
from shared.adapters.tables import AzureTables
from shared.kernel.blob import BlobContainer, Blobs
from shared.kernel.clock import utc_now
from shared.kernel.message import Queues
from shared.kernel.table import Table, Tables
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


@pytest.fixture(params=["memory", pytest.param("azurite", marks=pytest.mark.azurite)])
def stores(request: pytest.FixtureRequest) -> Stores:
    """The ports in memory, then on Azurite."""
    if request.param == "memory":
        memory = MemoryBlobs()
        return Stores(MemoryTables(), memory, MemoryQueues(utc_now, memory), None)
    azurite: Azurite = request.getfixturevalue("azurite")
    account = StorageAccount(azurite.connection_string)
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
