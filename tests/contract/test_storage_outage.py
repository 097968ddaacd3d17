"""Storage that is away or asks for slower requests: one error of the hub's, whichever service and request it is.

On the real adapters: Azurite behind a proxy that answers for it. What storage refuses for good is another error.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from local.azurite_process import Azurite
from shared.adapters.blobs import AzureBlobs
from shared.adapters.queues import StorageQueues
from shared.adapters.storage_account import Patience, StorageAccount
from shared.adapters.storage_errors import passes, passing_named
from shared.adapters.tables import AzureTables
from shared.kernel.blob import BlobChanged, BlobMissing
from shared.kernel.clock import utc_now
from shared.kernel.errors import StorageRefused, StorageUnavailable
from shared.kernel.message import new_message
from shared.kernel.table import Put, Row, RowChanged, RowExists
from tests.faulty_storage import Fault, FaultyStorage, Network

pytestmark = pytest.mark.azurite

ONCE = Patience(retries=0, unanswered_retries=0)
IMPATIENT = replace(ONCE, read=0.2)


class Ports:
    """The three ports on one account."""

    def __init__(self, storage: FaultyStorage, name: str, patience: Patience = ONCE) -> None:
        self.name = name
        account = StorageAccount(storage.connection_string, patience=patience)
        self.blobs = AzureBlobs(account)
        self.table = AzureTables(account).table(name)
        self.container = self.blobs.container(name.lower())
        self.queues, self.queue = StorageQueues(account, self.blobs), name.lower()
        self.message = new_message(message_id="m", message_type="t", tenant="default", now=utc_now())


@pytest.fixture
def storage(azurite: Azurite) -> Iterator[FaultyStorage]:
    with FaultyStorage(azurite) as running:
        yield running


@pytest.fixture
def ports(storage: FaultyStorage, unique: Callable[[str], str]) -> Ports:
    """Ports whose table, container and queue are there, with a row and a blob."""
    made = Ports(storage, unique("Outage"))
    made.table.insert("p", "k", {"n": 1})
    made.container.write("b", b"content")
    made.queues.send(made.queue, made.message)
    return made


OPERATIONS: dict[str, Callable[[Ports], object]] = {
    "table get": lambda to: to.table.get("p", "k"),
    "table insert": lambda to: to.table.insert("p", "new", {}),
    "table put": lambda to: to.table.put("p", "k", {}),
    "table replace": lambda to: to.table.replace(Row("p", "k", {}, "*"), {}),
    "table delete": lambda to: to.table.delete("p", "k"),
    "table transact": lambda to: to.table.transact("p", [Put("k", {})]),
    "table query": lambda to: list(to.table.query("p")),
    "table page": lambda to: to.table.page("p", size=10),
    "blob read": lambda to: to.container.read("b"),
    "blob write": lambda to: to.container.write("b", b"other"),
    "blob info": lambda to: to.container.info("b"),
    "blob delete": lambda to: to.container.delete("b"),
    "blob list": lambda to: list(to.container.list()),
    "queue send": lambda to: to.queues.send(to.queue, to.message),
    "queue depth": lambda to: to.queues.depth(to.queue),
}


@pytest.mark.parametrize("fault", [429, 503, Network.RESET, Network.SILENT, Network.TORN], ids=str)
def test_every_operation_says_that_storage_is_away_and_succeeds_when_it_is_back(
    storage: FaultyStorage, ports: Ports, fault: Fault
) -> None:
    hasty = Ports(storage, ports.name, IMPATIENT)
    storage.go_away(fault)
    for name, operation in OPERATIONS.items():
        if fault is Network.TORN and name not in READING:
            continue  # what it has done counts, whatever its answer says
        with pytest.raises(StorageUnavailable) as caught:
            operation(hasty)
        assert name.split()[0] in caught.value.service, name
        assert "127.0.0.1" not in str(caught.value)
        assert caught.value.__cause__ is None
    storage.come_back()
    for operation in OPERATIONS.values():
        if operation is not OPERATIONS["blob read"]:
            operation(ports)


READING = {"table get", "table query", "table page", "blob read", "blob list"}


@pytest.mark.parametrize("service", ["blobs", "queues", "tables"])
def test_a_service_that_answers_works_while_the_others_are_away(
    storage: FaultyStorage, ports: Ports, service: str
) -> None:
    storage.go_away(503, {"blobs", "queues", "tables"} - {service})
    for name, operation in OPERATIONS.items():
        if name.split()[0] in service:
            operation(ports)


def test_what_storage_refuses_for_a_reason_keeps_its_meaning(ports: Ports) -> None:
    """INC-70: 404, 409 and 412 are answers; nobody would be helped by asking again."""
    assert ports.table.get("p", "missing") is None
    with pytest.raises(RowExists):
        ports.table.insert("p", "k", {})
    row = ports.table.get("p", "k")
    assert row
    ports.table.put("p", "k", {"n": 2})
    with pytest.raises(RowChanged):
        ports.table.replace(row, {})
    with pytest.raises(BlobMissing):
        ports.container.read("missing")
    with pytest.raises(BlobChanged):
        ports.container.write("b", b"", overwrite=False)


@pytest.mark.parametrize("status", [400, 403, 501])
def test_what_lasts_is_told_with_its_status(storage: FaultyStorage, ports: Ports, status: int) -> None:
    storage.go_away(status)
    for name, operation in OPERATIONS.items():
        with pytest.raises(StorageRefused) as caught:
            operation(ports)
        assert (caught.value.status, caught.value.retryable) == (status, False), name
        assert ("the hub's identity needs its role" in caught.value.message) is (status == 403), name


@pytest.mark.parametrize(
    ("status", "passing"),
    [
        *((status, False) for status in (200, 304, 400, 401, 403, 404, 405, 409, 411, 412, 413, 416, 431, 501, 505)),
        *((status, True) for status in (408, 429, 500, 502, 503, 504, 507, 599)),
    ],
)
def test_which_statuses_pass(status: int, *, passing: bool) -> None:
    assert passes(status) is passing


def test_without_an_access_token_nothing_is_to_be_had() -> None:
    from azure.core.exceptions import ClientAuthenticationError

    with pytest.raises(StorageUnavailable), passing_named("tables"):
        raise ClientAuthenticationError("the identity's endpoint does not answer")
