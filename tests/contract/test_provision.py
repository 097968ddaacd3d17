"""What the hub needs in a storage account is created once; a second time is no error."""

import pytest

from local.azurite_process import Azurite
from shared.adapters.storage_account import StorageAccount
from shared.provision import CONTAINERS, QUEUES, TABLES, provision


@pytest.mark.azurite
def test_it_can_be_done_again(azurite: Azurite) -> None:
    account = StorageAccount(azurite.connection_string)
    for _ in range(2):
        provision(account)
    assert set(TABLES) <= {one.name for one in account.tables.list_tables()}
    assert set(CONTAINERS) <= {one.name for one in account.blobs.list_containers()}
    assert set(QUEUES) <= {one.name for one in account.queues.list_queues()}
