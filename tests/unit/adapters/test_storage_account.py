"""The account: transactions counted exactly, throttling retried, pages that are empty, late imports."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import responses

from shared.adapters.blobs import AzureBlobs
from shared.adapters.queues import StorageQueues
from shared.adapters.storage_account import StorageAccount
from shared.adapters.tables import AzureTables
from shared.kernel.clock import utc_now
from shared.kernel.errors import StorageRefused, StorageUnavailable
from shared.kernel.message import new_message
from shared.kernel.table import Delete, Put

NOWHERE = (
    "DefaultEndpointsProtocol=https;AccountName=acct;AccountKey=a2V5;"
    "TableEndpoint=https://acct.table.example;BlobEndpoint=https://acct.blob.example;"
)
TABLES = "https://acct.table.example"
Unique = Callable[[str], str]


@pytest.fixture
def wire() -> Iterator[responses.RequestsMock]:
    """Answers in place of the network."""
    with responses.RequestsMock() as mock:
        yield mock


@pytest.mark.azurite
def test_every_table_request_is_counted_once(storage_account: StorageAccount, unique: Unique) -> None:
    table = AzureTables(storage_account).table(unique("Count"))
    count = storage_account.transactions
    assert table.get("p", "k") is None
    assert count.snapshot() == {"tables.get": 1}
    table.transact("p", [Put(f"{number}", {}) for number in range(100)])
    # refused, created, written: the price of a table's very first row
    assert count.snapshot() == {"tables.get": 1, "tables.transact": 2, "tables.create": 1}
    before = count.total
    table.transact("p", [Put(f"{number}", {}) for number in range(100)])
    table.put("p", "k", {})
    table.insert("p", "l", {})
    table.delete("p", "l")
    list(table.query("p"))
    assert count.total == before + 5
    assert count.snapshot()["tables.query"] == 1


@pytest.mark.azurite
def test_blob_and_queue_requests_are_counted(storage_account: StorageAccount, unique: Unique) -> None:
    blobs = AzureBlobs(storage_account)
    container = blobs.container(unique("c"))
    queues = StorageQueues(storage_account, blobs)
    container.write("x", b"1")
    container.read("x")
    container.info("x")
    list(container.list())
    container.delete("x")
    sent = new_message(message_id="m", message_type="T", tenant="t", now=utc_now())
    queues.send(unique("q"), sent)
    queues.send(unique("q"), sent)
    queues.depth(unique("q"))
    assert storage_account.transactions.snapshot() == {
        "blobs.create": 1,
        "blobs.write": 2,
        "blobs.read": 1,
        "blobs.info": 1,
        "blobs.list": 1,
        "blobs.delete": 1,
        "queues.create": 1,
        "queues.send": 3,
        "queues.depth": 1,
    }


@pytest.mark.azurite
def test_sixteen_threads_share_an_account(storage_account: StorageAccount, unique: Unique) -> None:
    table = AzureTables(storage_account).table(unique("Threads"))
    table.put("p", "first", {})
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda number: table.put("p", f"{number:03}", {"n": number}), range(64)))
    assert len(list(table.query("p"))) == 65
    # first: refused, created, written
    assert storage_account.transactions.total == 3 + 64 + 1


def test_an_empty_page_with_a_continuation_is_not_the_end(wire: responses.RequestsMock) -> None:
    entity = {"PartitionKey": "p", "RowKey": "k", "Timestamp": "2025-01-15T01:02:03.1234567Z", "n": 5}
    following = {"x-ms-continuation-NextPartitionKey": "1!4!cA--", "x-ms-continuation-NextRowKey": "1!4!aw--"}
    account = StorageAccount(NOWHERE)
    table = AzureTables(account).table("Sales")
    wire.get(f"{TABLES}/Sales()", json={"value": []}, headers=following)
    wire.get(f"{TABLES}/Sales()", json={"value": [entity]}, headers=following)
    wire.get(f"{TABLES}/Sales()", json={"value": []})
    (row,) = table.query("p")
    assert row.values == {"n": 5}
    assert row.etag == "W/\"datetime'2025-01-15T01%3A02%3A03.1234567Z'\""
    assert "NextRowKey=1%214%21aw--" in str(wire.calls[1].request.url)
    assert account.transactions.snapshot() == {"tables.query": 3}


def test_an_empty_page_gives_its_position(wire: responses.RequestsMock) -> None:
    following = {"x-ms-continuation-NextPartitionKey": "1!4!cA--"}
    table = AzureTables(StorageAccount(NOWHERE)).table("Sales")
    wire.get(f"{TABLES}/Sales()", json={"value": []}, headers=following)
    page = table.page("p", size=10)
    assert page.rows == []
    assert page.next_position
    wire.get(f"{TABLES}/Sales()", json={"value": []})
    assert table.page("p", size=10, position=page.next_position).next_position is None
    assert "NextPartitionKey=1%214%21cA--" in str(wire.calls[1].request.url)


@pytest.mark.parametrize(("status", "code"), [(503, "ServerBusy"), (500, "OperationTimedOut")])
def test_throttling_is_retried_and_each_attempt_counted(wire: responses.RequestsMock, status: int, code: str) -> None:
    account = StorageAccount(NOWHERE)
    refusal = {"odata.error": {"code": code, "message": {"value": "slow down"}}}
    wire.post(f"{TABLES}/$batch", json=refusal, status=status)
    wire.post(
        f"{TABLES}/$batch",
        status=202,
        body=b'--x\r\n\r\n--y\r\n\r\nHTTP/1.1 204 No Content\r\nETag: W/"1"\r\n\r\n\r\n--y--',
    )
    assert AzureTables(account).table("Sales").transact("p", [Put("k", {"n": 1})]) == ['W/"1"']
    assert account.transactions.snapshot() == {"tables.transact": 2}


def test_a_lasting_refusal_names_its_cause(wire: responses.RequestsMock) -> None:
    refusal = {"odata.error": {"code": "AuthorizationFailure", "message": {"value": "not allowed\nRequestId: 1"}}}
    wire.put(f"{TABLES}/Sales(PartitionKey='p',RowKey='k')", json=refusal, status=403)
    with pytest.raises(StorageRefused, match="403 AuthorizationFailure not allowed") as caught:
        AzureTables(StorageAccount(NOWHERE)).table("Sales").put("p", "k", {"secret": "hidden"})
    assert caught.value.status == 403
    assert "hidden" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_refused_operation_is_named_by_its_index(wire: responses.RequestsMock) -> None:
    inner = b'{"odata.error":{"code":"EntityTooLarge","message":{"value":"1:The entity is too large"}}}'
    body = b"--x\r\n\r\n--y\r\n\r\nHTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\n\r\n" + inner
    wire.post(f"{TABLES}/$batch", status=202, body=body + b"\r\n--y--\r\n--x--")
    with pytest.raises(StorageRefused, match="400 EntityTooLarge 1:The entity is too large"):
        AzureTables(StorageAccount(NOWHERE)).table("Sales").transact("p", [Put("k", {}), Delete("l")])


def test_a_transaction_is_throttled_by_the_answer_inside_its_answer(wire: responses.RequestsMock) -> None:
    inner = b'{"odata.error":{"code":"ServerBusy","message":{"value":"0:slow down"}}}'
    body = b"--x\r\n\r\n--y\r\n\r\nHTTP/1.1 503 Busy\r\nContent-Type: application/json\r\n\r\n" + inner
    wire.post(f"{TABLES}/$batch", status=202, body=body + b"\r\n--y--\r\n--x--")
    with pytest.raises(StorageUnavailable, match="503 ServerBusy"):
        AzureTables(StorageAccount(NOWHERE)).table("Sales").transact("p", [Put("k", {})])


def test_importing_the_adapters_loads_no_sdk() -> None:
    modules = "tables, blobs, queues, storage_account, identifiers"
    script = (
        f"import sys; from shared.adapters import {modules};"
        "print([name for name in sys.modules if name.split('.')[0] in ('azure', 'requests', 'uuid6')])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_bad_connection_string_is_noticed_when_it_is_used() -> None:
    account = StorageAccount("nonsense")
    with pytest.raises(ValueError, match=r"(?i)connection string"):
        _ = account.tables
