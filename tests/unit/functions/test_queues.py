"""The table of queues, on both transports: what is registered, and what a message that comes is led to."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import azure.functions as func
import pytest
from azure.functions.servicebus import ServiceBusMessage

from functions.queues import CONSUMERS, Consumer, register
from local.host.index import IndexedFunction, index
from local.host.trigger_data import trigger_data
from shared.adapters.settings import Settings
from shared.hub import Hub, replaced_hub
from shared.kernel.transport import Transport
from shared.messaging.queue_names import BROKER_DELIVERIES, QUEUES
from tests.fakes.invocation import context
from tests.unit.messaging.post import Post

ROOT = Path(__file__).resolve().parents[3]
CONSUMER = Consumer("import-slices", "Work", "Do it.", "sales", f"{__name__}:handle", f"{__name__}:give_up")
CALLED: list[tuple[Any, ...]] = []


def handle(*given: Any) -> None:
    CALLED.append(given)


def give_up(*given: Any) -> None:
    CALLED.append(given)


@pytest.fixture(autouse=True)
def _nothing_called() -> None:
    CALLED.clear()


def app_on(transport: Transport, *consumers: Consumer) -> dict[str, IndexedFunction]:
    blueprint, app = func.Blueprint(), func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
    register(blueprint, consumers, transport)
    app.register_functions(blueprint)
    return {one.name: one for one in index(app, {})}


@pytest.mark.parametrize("transport", Transport)
def test_every_queue_has_a_function_and_one_for_what_the_broker_gives_up(transport: Transport) -> None:
    """INC-71: the same names and queues on both transports."""
    kind, end = ("serviceBusTrigger", "/$deadletterqueue") if transport == "servicebus" else ("queueTrigger", "-poison")
    found = app_on(transport, *CONSUMERS)
    assert {one.queue for one in CONSUMERS} == set(QUEUES)
    for consumer in CONSUMERS:
        worker, undertaker = found.pop(consumer.function), found.pop(consumer.dead_letter_function)
        assert (worker.trigger, undertaker.trigger) == (kind, kind)
        assert worker.options["queueName"] == consumer.queue
        assert undertaker.options["queueName"] == consumer.queue + end
        assert "Idempotent by" in worker.call.__doc__
        assert "Idempotent by" in undertaker.call.__doc__
    assert found == {}


def test_service_bus_gives_one_message_at_a_time_by_a_named_connection() -> None:
    """Without a name of its own the scale controller does not wake an app that waits."""
    for function in app_on(Transport.SERVICE_BUS, *CONSUMERS).values():
        assert function.options["cardinality"].value == "one"
        assert function.options["connection"] == "ServiceBusConnection"


@pytest.mark.parametrize(
    ("chosen", "kind"),
    [("servicebus", "serviceBusTrigger"), ("storage", "queueTrigger"), ("rabbits", "queueTrigger")],
)
def test_the_setting_is_read_when_the_app_is_loaded(chosen: str, kind: str) -> None:
    """An unknown transport leaves an app that can say what is wrong; dropped files go by storage queues always."""
    code = """
import json, sys, function_app
found = {one.get_function_name(): one.get_trigger().type for one in function_app.app.get_functions()}
print(json.dumps([found, sorted(sys.modules)]))
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, env={"HUB_QUEUES": chosen}, capture_output=True, text=True, check=True)
    kinds, loaded = json.loads(done.stdout)
    assert {kinds[name] for one in CONSUMERS for name in (one.function, one.dead_letter_function)} == {kind}
    assert kinds["DeadLetterDroppedFiles"] == "queueTrigger"
    assert not {"azure.servicebus", "azure.core", "azure.identity", "pydantic"} & set(loaded)
    named = [problem.field for problem in Settings({"HUB_QUEUES": chosen}).problems()]
    assert ("HUB_QUEUES" in named) is (chosen == "rabbits")


def test_every_use_case_that_the_table_names_is_there() -> None:
    """A name that leads nowhere would show when the first message comes."""
    from importlib import import_module
    from operator import attrgetter

    for consumer in CONSUMERS:
        assert hasattr(Hub, consumer.service), consumer
        for use_case in filter(None, (consumer.handle, consumer.given_up)):
            module, _, name = use_case.partition(":")
            assert callable(attrgetter(name)(import_module(module))), use_case


def hub_of(post: Post) -> Hub:
    return Hub({}, messages=post.processor, sales="the sales")


def message_of(function: IndexedFunction, body: bytes, **values: Any) -> Any:
    """Return what a function is called with, by the host's rules and the worker's converters."""
    said = {"Id": "1", "DequeueCount": 5, "PopReceipt": "", "MessageId": "1", "DeliveryCount": 6, "UserProperties": {}}
    datum, metadata = trigger_data(function, body, said | values)
    return func.get_binding_registry().get(function.trigger).decode(datum, trigger_metadata=metadata)


@pytest.mark.parametrize("transport", Transport)
def test_a_message_is_led_to_its_use_case_with_the_service_first(transport: Transport) -> None:
    post, function = Post(), app_on(transport, CONSUMER)["Work"]
    with replaced_hub(hub_of(post)):
        function.call(message_of(function, post.message(data={"runId": "r"}).to_json().encode()), context())
    ((service, message),) = CALLED
    assert (service, message.data) == ("the sales", {"runId": "r"})


@pytest.mark.parametrize("transport", Transport)
def test_a_crash_loop_is_the_same_dead_letter_on_both_transports(transport: Transport) -> None:
    post, function = Post(), app_on(transport, CONSUMER)["DeadLetterImportSlices"]
    properties = {"DeadLetterReason": "MaxDeliveryCountExceeded", "DeadLetterErrorDescription": "after 5 attempts"}
    with replaced_hub(hub_of(post)):
        body = post.message().to_json().encode()
        for _ in range(2):
            function.call(message_of(function, body, ApplicationProperties=properties), context())
    (letter,) = post.listed()
    assert (letter["kind"], letter["reason"], letter["deliveryCount"]) == ("Broker", "CrashLoop", BROKER_DELIVERIES)
    assert {(service, error.code) for service, _, error in CALLED} == {("the sales", "CrashLoop")}


@pytest.mark.parametrize(
    ("properties", "reason", "description"),
    [
        ({"DeadLetterReason": "Expired", "DeadLetterErrorDescription": "too old"}, "Expired", "too old"),
        ({}, "NoReason", "the broker says nothing more"),
    ],
    ids=["expired", "nothing said"],
)
def test_whatever_else_service_bus_gives_up_keeps_its_reason(
    properties: dict[str, str], reason: str, description: str
) -> None:
    post, function = Post(), app_on(Transport.SERVICE_BUS, CONSUMER)["DeadLetterImportSlices"]
    with replaced_hub(hub_of(post)):
        function.call(
            message_of(function, b"no message of ours", DeliveryCount=3, ApplicationProperties=properties), context()
        )
    (letter,) = post.listed()
    assert (letter["reason"], letter["deliveryCount"]) == (reason, 2)
    assert description in str(post.letters.show(letter["id"]))
    assert CALLED == []


FORGED = {
    "deliveryCount": "abc",
    "dequeueCount": "abc",
    "messageId": 7,
    "applicationProperties": {"DeadLetterReason": "forged"},
    "userProperties": "forged",
}


@pytest.mark.parametrize("name", ["Work", "DeadLetterImportSlices"])
@pytest.mark.parametrize("transport", Transport)
def test_a_body_cannot_change_what_the_broker_says_of_it(transport: Transport, name: str) -> None:
    """As a text it would: the metadata would be its own, or the function would never be called."""
    post, function = Post(), app_on(transport, CONSUMER)[name]
    truth = {"ApplicationProperties": {"DeadLetterReason": "MaxDeliveryCountExceeded"}}
    body = json.dumps(json.loads(post.message().to_json()) | FORGED).encode()
    with replaced_hub(hub_of(post)):
        function.call(message_of(function, body, **truth), context())
    assert len(CALLED) == 1
    assert [letter["reason"] for letter in post.listed()] == (["CrashLoop"] if name != "Work" else [])


def test_as_a_text_the_body_would_change_it() -> None:
    """That the stand-in does as the real host does, or the test above would show nothing."""
    function = IndexedFunction("Text", None, "serviceBusTrigger", "msg", {})
    with pytest.raises(ValueError, match="int"):
        message_of(function, json.dumps({"deliveryCount": "abc"}).encode())
    seen = message_of(function, b'{"MESSAGEID": "forged"}')
    assert isinstance(seen, ServiceBusMessage)
    assert seen.message_id == "forged"
