"""What travels on Service Bus, and what becomes of a send that goes wrong."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from azure.core.exceptions import ClientAuthenticationError, ResourceNotFoundError
from azure.core.pipeline.transport import RequestsTransport
from azure.servicebus import exceptions as sdk
from azure.servicebus.management import ServiceBusAdministrationClient

from shared.adapters.service_bus import CONTENT_TYPE, ServiceBusQueues, wire_id
from shared.adapters.service_bus_errors import in_our_words
from shared.adapters.service_bus_namespace import ServiceBusNamespace
from shared.kernel.errors import (
    ConfigurationError,
    DataRefused,
    HubError,
    NetworkFailure,
    PartnerTimeout,
    PartnerUnavailable,
    RateLimited,
    ServerFailure,
)
from shared.kernel.message import Message, new_message, parse_message
from tests.fakes.blobs import MemoryBlobs
from tests.servicebus import QueueRules, ServiceBusDouble

NOON = datetime(2025, 1, 15, 12, tzinfo=UTC)


def message(message_id: str = "m-1") -> Message:
    return new_message(message_id=message_id, message_type="Tested", tenant="t1", now=NOON, data={"text": "ü"})


@pytest.fixture
def queue(unique: Callable[[str], str]) -> str:
    return unique("queue")


@pytest.fixture
def queues(service_bus: ServiceBusDouble) -> Iterator[ServiceBusQueues]:
    opened = ServiceBusQueues(ServiceBusNamespace(service_bus.connection_string), MemoryBlobs())
    yield opened
    opened.close()


def test_a_message_travels_as_the_envelope_with_what_operators_and_traces_need(
    service_bus: ServiceBusDouble, queues: ServiceBusQueues, queue: str
) -> None:
    traced = message().model_copy(update={"traceparent": "00-" + "a" * 32 + "-" + "b" * 16 + "-01"})
    queues.send(queue, traced)
    (seen,) = service_bus.messages(queue)
    assert parse_message(seen.body) == traced
    assert seen.properties == {"traceparent": traced.traceparent}
    namespace = ServiceBusNamespace(service_bus.connection_string)
    with namespace.client as client, client.get_queue_receiver(queue) as receiver:
        (peeked,) = receiver.peek_messages()
    assert (peeked.content_type, peeked.correlation_id, peeked.subject) == (CONTENT_TYPE, "m-1", "Tested")


def test_a_delayed_message_waits_for_its_time(
    service_bus: ServiceBusDouble, queues: ServiceBusQueues, queue: str
) -> None:
    queues.send(queue, message(), delay=100)
    assert (service_bus.active_count(queue), service_bus.scheduled_count(queue)) == (0, 1)
    assert queues.depth(queue) == 1


def test_a_long_queue_is_not_counted_to_its_end(
    monkeypatch: pytest.MonkeyPatch, queues: ServiceBusQueues, queue: str
) -> None:
    monkeypatch.setattr("shared.adapters.service_bus.MAX_PEEKED", 3)
    for number in range(5):
        queues.send(queue, message(str(number)))
    assert queues.depth(queue) == 3


class PlainHttp(RequestsTransport):  # type: ignore[misc] # the SDK hides its type
    """The double has no TLS, and the SDK writes https whatever the connection string says."""

    def send(self, request: Any, **options: Any) -> Any:
        request.url = request.url.replace("https://", "http://", 1)
        return super().send(request, **options)


def test_in_azure_the_broker_itself_says_how_many_wait(
    service_bus: ServiceBusDouble, queues: ServiceBusQueues, queue: str
) -> None:
    for number in range(3):
        queues.send(queue, message(str(number)), delay=100 if number == 2 else 0)
    client = ServiceBusAdministrationClient.from_connection_string(
        service_bus.administration_connection_string, transport=PlainHttp()
    )
    namespace = ServiceBusNamespace(host_name="hub.servicebus.windows.net")
    namespace.__dict__["administration"] = client
    assert ServiceBusQueues(namespace, MemoryBlobs()).depth(queue) == 3
    client.close()


def test_a_decision_to_send_has_one_id_and_another_decision_another() -> None:
    """What would be lost if a broker took it for a duplicate: a retry, a postponement, what a watchdog queues again."""
    first = message()
    later = first.model_copy(update={"time": "2025-01-15T12:05:00.000Z"})
    ids = [wire_id(one) for one in (first, first.next_attempt(), first.put_off(), first.put_off().put_off(), later)]
    assert len(set(ids)) == 5
    assert wire_id(parse_message(first.to_json())) == wire_id(first)
    assert len(wire_id(message("x" * 500))) <= 128
    assert wire_id(message("x" * 500)) != wire_id(message("x" * 501))


def test_a_broker_that_detects_duplicates_drops_a_repeat_and_no_retry() -> None:
    rules = QueueRules(duplicate_detection_seconds=600)
    with ServiceBusDouble({"work-items": rules}) as broker:
        queues = ServiceBusQueues(ServiceBusNamespace(broker.connection_string), MemoryBlobs())
        for one in (message(), message(), message().put_off(), message().next_attempt()):
            queues.send("work-items", one)
        queues.close()
        kept = [json.loads(one.body) for one in broker.messages("work-items")]
    assert [(one["attempt"], one["postponed"]) for one in kept] == [(0, 0), (0, 1), (1, 0)]


def test_all_threads_may_send_at_once(service_bus: ServiceBusDouble, queues: ServiceBusQueues, queue: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: queues.send(queue, message(str(number))), range(200)))
    assert {parse_message(one.body).id for one in service_bus.messages(queue)} == {str(n) for n in range(200)}
    assert service_bus.active_count(queue) == 200


def test_a_connection_that_was_cut_is_opened_again(queue: str) -> None:
    """A send may have arrived before the cut and is repeated: the queue knows it, as those in Azure do."""
    with ServiceBusDouble({queue: QueueRules(duplicate_detection_seconds=600)}) as broker:
        queues = ServiceBusQueues(ServiceBusNamespace(broker.connection_string), MemoryBlobs())
        queues.send(queue, message("before"))
        assert queues.depth(queue) == 1
        broker.drop_connections()
        queues.send(queue, message("after"))
        assert queues.depth(queue) == 2
        queues.close()
        assert {parse_message(one.body).id for one in broker.messages(queue)} == {"before", "after"}


def test_a_broker_that_is_gone_is_a_passing_failure_and_one_that_is_back_is_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("shared.adapters.service_bus._SENT_WITHIN", 1.0)
    with ServiceBusDouble() as broker:
        port = broker.port
        queues = ServiceBusQueues(ServiceBusNamespace(broker.connection_string), MemoryBlobs())
        queues.send("work-items", message())
    with pytest.raises(PartnerUnavailable):
        queues.send("work-items", message())
    with ServiceBusDouble(port=port) as broker:
        queues.send("work-items", message())
        assert broker.active_count("work-items") == 1
        queues.close()


def test_a_queue_that_was_not_deployed_is_named() -> None:
    with ServiceBusDouble(["work-items"], create_missing=False) as broker:
        queues = ServiceBusQueues(ServiceBusNamespace(broker.connection_string), MemoryBlobs())
        for use in (lambda: queues.send("other-items", message()), lambda: queues.depth("other-items")):
            with pytest.raises(ConfigurationError, match="no queue other-items"):
                use()
        queues.send("work-items", message())
        queues.close()
        assert broker.active_count("work-items") == 1


def test_ids_of_any_length_travel(service_bus: ServiceBusDouble, queues: ServiceBusQueues, queue: str) -> None:
    """A message that was made before IDs were made to fit, or elsewhere."""
    long = message().model_copy(update={"id": "\u00e4" * 500, "correlationid": "\u00e4" * 500})
    queues.send(queue, long)
    (seen,) = service_bus.messages(queue)
    assert parse_message(seen.body) == long
    namespace = ServiceBusNamespace(service_bus.connection_string)
    with namespace.client as client, client.get_queue_receiver(queue) as receiver:
        (peeked,) = receiver.peek_messages()
    assert peeked.correlation_id
    assert peeked.message_id
    assert max(len(peeked.correlation_id), len(peeked.message_id)) <= 128


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (sdk.MessagingEntityNotFoundError(), ConfigurationError),
        (ResourceNotFoundError(), ConfigurationError),
        (sdk.MessagingEntityDisabledError(), ConfigurationError),
        (sdk.ServiceBusAuthorizationError(), ConfigurationError),
        (sdk.MessageSizeExceededError(), DataRefused),
        (sdk.OperationTimeoutError(), PartnerTimeout),
        (sdk.ServiceBusServerBusyError(), RateLimited),
        (sdk.ServiceBusQuotaExceededError(message=""), ServerFailure),
        (sdk.ServiceBusConnectionError(), NetworkFailure),
        (sdk.ServiceBusAuthenticationError(), NetworkFailure),
        (ClientAuthenticationError(), NetworkFailure),
        (sdk.ServiceBusError(message="Handler failed"), NetworkFailure),
        (ValueError("Management Operation error occurred."), NetworkFailure),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_each_error_is_told_by_who_must_act(raised: Exception, expected: type[HubError]) -> None:
    with pytest.raises(expected, match="queue work-items"), in_our_words("work-items"):
        raise raised


def test_a_namespace_in_azure_is_reached_by_identity_and_counts_by_administration() -> None:
    """Nothing is connected yet: what a deployment would do with the same settings."""
    namespace = ServiceBusNamespace(
        host_name="hub.servicebus.windows.net", client_id="11111111-2222-3333-4444-555555555555"
    )
    assert not namespace.is_emulated
    assert namespace.client.fully_qualified_namespace == "hub.servicebus.windows.net"
    assert namespace.administration.fully_qualified_namespace == "hub.servicebus.windows.net"
    namespace.client.close()
