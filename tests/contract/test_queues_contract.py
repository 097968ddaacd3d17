"""What every implementation of the queue port does: in memory, on storage queues, on Service Bus."""

from collections.abc import Iterator
from typing import Any

import pytest

from shared.adapters.service_bus import ServiceBusQueues
from shared.adapters.service_bus_namespace import ServiceBusNamespace
from shared.kernel.clock import utc_now
from shared.kernel.errors import DataRefused
from shared.kernel.message import Message, new_message
from tests.contract.conftest import IMPLEMENTATIONS, Stores, Unique, stores_of
from tests.fakes.blobs import MemoryBlobs
from tests.fakes.tables import MemoryTables
from tests.servicebus import ServiceBusDouble

PAYLOADS = "message-payloads"


@pytest.fixture(scope="module")
def on_service_bus(service_bus: ServiceBusDouble) -> Iterator[Stores]:
    """Queues on Service Bus, payloads in memory. Connections are slow to open and to close: one set for all tests."""
    blobs = MemoryBlobs()
    queues = ServiceBusQueues(ServiceBusNamespace(service_bus.connection_string), blobs)
    yield Stores(MemoryTables(), blobs, queues, None)
    queues.close()


@pytest.fixture(params=[*IMPLEMENTATIONS, "servicebus"])
def stores(request: pytest.FixtureRequest) -> Stores:
    """The ports in memory, on Azurite both ways, then with queues on Service Bus."""
    if request.param == "servicebus":
        found: Stores = request.getfixturevalue("on_service_bus")
        return found
    return stores_of(request)


def message(message_id: str, data: dict[str, Any]) -> Message:
    """Return a message to send."""
    return new_message(message_id=message_id, message_type="Tested", tenant="t1", now=utc_now(), data=data)


def test_a_missing_queue_is_empty_and_appears_with_the_first_message(stores: Stores, unique: Unique) -> None:
    queue = unique("q")
    assert stores.queues.depth(queue) == 0
    stores.queues.send(queue, message(unique("m"), {"n": 1}))
    stores.queues.send(queue, message(unique("m"), {"n": 2}), delay=600)
    assert stores.queues.depth(queue) == 2


def test_a_small_message_is_its_own_payload(stores: Stores, unique: Unique) -> None:
    sent = message(unique("m"), {"n": 1})
    stores.queues.send(unique("q"), sent)
    assert stores.queues.resolve(sent) == sent
    assert list(stores.blobs.container(PAYLOADS).list(f"t1/{sent.id}")) == []


def test_a_payload_above_32_kb_is_stored_and_fetched(stores: Stores, unique: Unique) -> None:
    sent = message(unique("m"), {"text": "ü" * 20_000, "rows": [{"n": number} for number in range(10)]})
    stores.queues.send(unique("q"), sent)
    (blob,) = stores.blobs.container(PAYLOADS).list(f"t1/{sent.id}")
    travelling = sent.model_copy(update={"data": {}, "dataref": blob.name})
    assert stores.queues.resolve(travelling) == sent


def test_a_claim_check_can_be_sent_again(stores: Stores, unique: Unique) -> None:
    sent = message(unique("m"), {"text": "x" * 40_000})
    queue = unique("q")
    stores.queues.send(queue, sent)
    (blob,) = stores.blobs.container(PAYLOADS).list(f"t1/{sent.id}")
    travelling = sent.model_copy(update={"data": {}, "dataref": blob.name}).next_attempt()
    stores.queues.send(queue, travelling)
    stores.queues.send(queue, stores.queues.resolve(travelling))
    assert stores.queues.resolve(travelling) == sent.next_attempt()
    assert stores.queues.depth(queue) == 3


def test_a_claim_check_whose_payload_is_gone_is_refused(stores: Stores, unique: Unique) -> None:
    sent = message(unique("m"), {"text": "x" * 40_000})
    stores.queues.send(unique("q"), sent)
    payloads = stores.blobs.container(PAYLOADS)
    (blob,) = payloads.list(f"t1/{sent.id}")
    travelling = sent.model_copy(update={"data": {}, "dataref": blob.name})
    payloads.write(blob.name, b"[1]")
    with pytest.raises(DataRefused, match="no JSON object"):
        stores.queues.resolve(travelling)
    payloads.delete(blob.name)
    with pytest.raises(DataRefused, match="is gone"):
        stores.queues.resolve(travelling)


@pytest.mark.parametrize("dataref", ["t2/other.json", "t1/other.json", "../t1/m.json", "https://evil.example/x"])
def test_a_claim_check_of_another_message_is_refused(stores: Stores, dataref: str) -> None:
    with pytest.raises(DataRefused, match="not its own"):
        stores.queues.resolve(message("m", {}).model_copy(update={"dataref": dataref}))


def test_an_id_with_path_characters_stays_inside_its_tenant(stores: Stores, unique: Unique) -> None:
    sent = message(f"../../t2/{unique('m')}?x#y", {"text": "x" * 40_000})
    stores.queues.send(unique("q"), sent)
    assert [blob.name for blob in stores.blobs.container(PAYLOADS).list("t1/..%2F..%2Ft2%2F" + unique("m"))]


@pytest.mark.parametrize("delay", [-1, 7 * 24 * 3600 + 1])
def test_a_delay_is_at_most_seven_days(stores: Stores, unique: Unique, delay: float) -> None:
    with pytest.raises(ValueError, match="delayed by"):
        stores.queues.send(unique("q"), message("m", {}), delay=delay)


def test_the_longest_delay_is_accepted(stores: Stores, unique: Unique) -> None:
    stores.queues.send(unique("q"), message(unique("m"), {}), delay=7 * 24 * 3600)
    assert stores.queues.depth(unique("q")) == 1


def test_a_bad_queue_name_is_refused(stores: Stores) -> None:
    with pytest.raises(ValueError, match="queue name"):
        stores.queues.send("No_Queue", message("m", {}))
