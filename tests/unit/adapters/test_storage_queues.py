"""What travels on a storage queue, and the queue in memory."""

import json
from base64 import b64decode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from shared.adapters.blobs import AzureBlobs
from shared.adapters.queues import StorageQueues
from shared.adapters.storage_account import StorageAccount
from shared.kernel.message import Message, new_message, parse_message
from tests.fakes.queues import MemoryQueues

NOON = datetime(2025, 1, 15, 12, tzinfo=UTC)


def message(message_id: str) -> Message:
    """Return a message."""
    return new_message(message_id=message_id, message_type="Tested", tenant="t1", now=NOON, data={"text": "ü"})


@pytest.mark.azurite
def test_messages_travel_as_base64_json_and_never_expire(
    storage_account: StorageAccount, unique: Callable[[str], str]
) -> None:
    queue = unique("q")
    StorageQueues(storage_account, AzureBlobs(storage_account)).send(queue, message("m1"))
    (received,) = storage_account.queues.get_queue_client(queue).receive_messages()
    body = b64decode(received.content, validate=True)
    assert parse_message(body) == message("m1")
    assert json.loads(body)["specversion"] == "1.0"
    assert received.expires_on
    assert received.expires_on > datetime.now(UTC) + timedelta(days=365)


@pytest.mark.azurite
def test_a_delayed_message_is_not_visible_yet(storage_account: StorageAccount, unique: Callable[[str], str]) -> None:
    queue = unique("q")
    StorageQueues(storage_account, AzureBlobs(storage_account)).send(queue, message("m1"), delay=100)
    client = storage_account.queues.get_queue_client(queue)
    assert list(client.receive_messages()) == []


def test_the_queue_in_memory_keeps_order_and_delays() -> None:
    now = [NOON]
    queues = MemoryQueues(lambda: now[0])
    for name, delay in [("late", 60.0), ("first", 0.0), ("second", 0.0)]:
        queues.send("work", message(name), delay=delay)
    assert [queued.id for queued in queues.messages("work")] == ["first", "second", "late"]
    assert [received.id for _ in range(3) if (received := queues.receive("work"))] == ["first", "second"]
    now[0] += timedelta(seconds=60)
    received = queues.receive("work")
    assert received == message("late")
    assert queues.receive("work") is None
