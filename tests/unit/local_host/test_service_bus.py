"""The stand-in host's Service Bus triggers: the broker is a double, the SDK and the wire are real."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Lock
from types import SimpleNamespace
from typing import Any

import azure.functions as func
import pytest
import requests
from azure.servicebus import ServiceBusClient, ServiceBusMessage
from azure.servicebus.amqp import AmqpMessageBodyType

from local.host.configuration import HostError
from local.host.host import FunctionsHost
from local.host.index import IndexedFunction
from local.host.service_bus import ServiceBusListener, _content
from tests.servicebus import QueueRules, ServiceBusDouble
from tests.waiting import until

QUEUE = "work-items"
DEAD_LETTERS = f"{QUEUE}/$deadletterqueue"
RULES = QueueRules(lock_seconds=30, max_delivery_count=3)


class Desk:
    """Functions that note what they are called with, and fail or wait as told."""

    def __init__(self) -> None:
        self.seen: list[func.ServiceBusMessage] = []
        self.buried: list[func.ServiceBusMessage] = []
        self.fail: Callable[[func.ServiceBusMessage], bool] = lambda _message: False
        self.hold = Event()
        self.hold.set()
        self.most_at_once = 0
        self._at_once = 0
        self._lock = Lock()

    def work(self, msg: func.ServiceBusMessage) -> None:
        with self._lock:
            self.seen.append(msg)
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            self.hold.wait(20)
            if self.fail(msg):
                raise RuntimeError("this one fails")
        finally:
            with self._lock:
                self._at_once -= 1

    def bury(self, msg: func.ServiceBusMessage) -> None:
        self.buried.append(msg)

    def app(self) -> func.FunctionApp:
        app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
        for name, path, function in (("Work", QUEUE, self.work), ("Bury", DEAD_LETTERS, self.bury)):
            trigger = app.service_bus_queue_trigger(
                arg_name="msg", queue_name=path, connection="Bus", data_type=func.DataType.BINARY
            )
            app.function_name(name=name)(trigger(function))
        return app


@contextmanager
def listening(broker: ServiceBusDouble, desk: Desk, **options: Any) -> Iterator[FunctionsHost]:
    host_json = {"extensions": {"serviceBus": options}}
    environment = {"Bus": broker.connection_string, "PYTHON_THREADPOOL_THREAD_COUNT": "8"}
    with FunctionsHost(desk.app(), host_json, environment=environment) as host:
        yield host


@pytest.fixture
def broker() -> Iterator[ServiceBusDouble]:
    with ServiceBusDouble({QUEUE: RULES}, create_missing=False) as running:
        yield running


def send(broker: ServiceBusDouble, *bodies: str, **properties: Any) -> None:
    client = ServiceBusClient.from_connection_string(broker.connection_string)
    with client, client.get_queue_sender(QUEUE) as sender:
        sender.send_messages([ServiceBusMessage(body, **properties) for body in bodies])


def test_a_message_is_handed_over_as_the_worker_does_and_completed(broker: ServiceBusDouble) -> None:
    desk = Desk()
    send(broker, '{"id": "ü"}', message_id="m-1", correlation_id="c-1", application_properties={"traceparent": "00-1"})
    with listening(broker, desk):
        until(lambda: broker.counters(QUEUE).completed == 1)
    (seen,) = desk.seen
    assert seen.get_body() == '{"id": "ü"}'.encode()
    assert (seen.message_id, seen.correlation_id, seen.delivery_count) == ("m-1", "c-1", 1)
    assert seen.application_properties == {"traceparent": "00-1"}
    assert broker.messages(QUEUE) == []


def test_a_message_whose_function_fails_is_given_back_until_it_is_a_dead_letter(broker: ServiceBusDouble) -> None:
    desk = Desk()
    desk.fail = lambda msg: msg.get_body() == b"bad"
    send(broker, "bad", "good")
    with listening(broker, desk):
        (buried,) = until(lambda: desk.buried)
        until(lambda: broker.counters(QUEUE).completed == 1 and not broker.dead_letters(QUEUE))
    assert [one.delivery_count for one in desk.seen if one.get_body() == b"bad"] == [1, 2, 3]
    assert buried.application_properties["DeadLetterReason"] == "MaxDeliveryCountExceeded"
    assert "3 delivery attempts" in buried.application_properties["DeadLetterErrorDescription"]


def test_no_more_functions_run_at_once_than_host_json_allows(broker: ServiceBusDouble) -> None:
    desk = Desk()
    desk.hold.clear()
    send(broker, *(str(number) for number in range(8)))
    with listening(broker, desk, maxConcurrentCalls=3):
        until(lambda: len(desk.seen) == 3)
        desk.hold.set()
        until(lambda: broker.counters(QUEUE).completed == 8)
    assert desk.most_at_once == 3


def test_a_lock_is_renewed_while_the_function_runs() -> None:
    """Or the message would be given to somebody else meanwhile."""
    desk = Desk()
    desk.hold.clear()
    rules = QueueRules(lock_seconds=1, max_delivery_count=3)
    with ServiceBusDouble({QUEUE: rules}) as broker:
        send(broker, "long")
        with listening(broker, desk):
            (locked,) = until(lambda: [one for one in broker.messages(QUEUE) if one.is_locked])
            began = time.monotonic()
            until(lambda: time.monotonic() - began > 2.5)
            desk.hold.set()
            until(lambda: broker.counters(QUEUE).completed == 1)
        assert (len(desk.seen), broker.counters(QUEUE).expired_locks) == (1, 0)
        assert locked.delivery_count == 0


def test_a_lock_is_renewed_no_longer_than_host_json_allows() -> None:
    desk = Desk()
    desk.hold.clear()
    rules = QueueRules(lock_seconds=0.5, max_delivery_count=9)
    with ServiceBusDouble({QUEUE: rules}) as broker:
        send(broker, "long")
        with listening(broker, desk, maxAutoLockRenewalDuration="00:00:00"):
            until(lambda: len(desk.seen) > 1)
            desk.hold.set()
            until(lambda: broker.counters(QUEUE).completed == 1)
        assert broker.counters(QUEUE).expired_locks >= 1


def test_a_broker_that_restarts_is_listened_to_again(broker: ServiceBusDouble) -> None:
    desk = Desk()
    with listening(broker, desk):
        send(broker, "before")
        until(lambda: broker.counters(QUEUE).completed == 1)
        broker.drop_connections()
        send(broker, "after")
        until(lambda: broker.counters(QUEUE).completed == 2)
    assert [one.get_body() for one in desk.seen] == [b"before", b"after"]


def test_a_host_that_stops_finishes_what_runs_and_leaves_the_rest(broker: ServiceBusDouble) -> None:
    desk = Desk()
    desk.hold.clear()
    send(broker, "running", "waiting")
    with listening(broker, desk, maxConcurrentCalls=1):
        until(lambda: desk.seen)
        desk.hold.set()
        desk.fail = lambda msg: False
    completed = broker.counters(QUEUE).completed
    assert completed == len(desk.seen)
    waiting = broker.messages(QUEUE)
    assert len(waiting) == 2 - completed
    assert not any(one.is_locked for one in waiting)


@pytest.mark.parametrize(
    "options",
    [
        {"topicName": "items"},
        {"queueName": QUEUE, "cardinality": func.Cardinality.MANY},
        {"queueName": QUEUE, "isSessionsEnabled": True},
    ],
    ids=["topic", "many", "sessions"],
)
def test_what_the_stand_in_cannot_do_is_refused_by_name(options: dict[str, Any]) -> None:
    function = IndexedFunction("Work", None, "serviceBusTrigger", "msg", options)
    with pytest.raises(HostError, match=r"function 'Work'.*by this stand-in"):
        ServiceBusListener(function, "", {}, None)  # type: ignore[arg-type]


def test_a_run_by_hand_is_a_message_that_no_queue_had(broker: ServiceBusDouble) -> None:
    desk = Desk()
    with listening(broker, desk) as host:
        answer = requests.post(f"{host.url}/admin/functions/Work", data=json.dumps({"input": "by hand"}), timeout=10)
        until(lambda: desk.seen)
    assert answer.status_code == 202
    assert desk.seen[0].get_body() == b"by hand"


@pytest.mark.parametrize(
    ("kind", "body", "content"),
    [
        ("DATA", [b"a", b"b"], b"ab"),
        ("DATA", b"ab", b"ab"),
        ("VALUE", {"a": 1}, b"{'a': 1}"),
        ("VALUE", 5, b"5"),
        ("SEQUENCE", [[1, 2]], b"[[1, 2]]"),
    ],
)
def test_a_body_that_is_no_data_is_handed_over_as_text_and_takes_no_other_along(
    kind: str, body: object, content: bytes
) -> None:
    message: Any = SimpleNamespace(body_type=AmqpMessageBodyType[kind], body=body)
    assert _content(message) == content
