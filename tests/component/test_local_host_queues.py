"""INC-71: what the stand-in host does with messages of storage queues that no function can read, on Azurite."""

from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import azure.functions as func
import pytest
from azure.storage.queue import QueueClient

from functions.queues import CONSUMERS, process, register
from local.azurite_process import Azurite
from local.host.host import FunctionsHost
from local.host.queues import _each
from shared.hub import Hub, replaced_hub
from shared.kernel.clock import utc_now
from shared.kernel.message import new_message
from shared.kernel.transport import Transport
from shared.messaging.queue_names import HR_EVENTS, poison_queue_of
from tests.waiting import until

HOST_JSON = {"extensions": {"queues": {"batchSize": 8, "maxDequeueCount": 2, "visibilityTimeout": "00:00:00"}}}
Unique = Callable[[str], str]


def settings_of(azurite: Azurite, tenant: str) -> dict[str, str]:
    return {
        "AzureWebJobsStorage": azurite.connection_string,
        "HUB_TENANT": tenant,
        "HUB_PAGE_TOKEN_SECRET": "a secret for page tokens",
    }


def queue(azurite: Azurite, name: str) -> QueueClient:
    client = QueueClient.from_connection_string(azurite.connection_string, name)
    client.create_queue()
    return client


def text(body: bytes) -> str:
    return b64encode(body).decode()


class Desk:
    """Functions of a queue and its poison queue that note what they are called with, and fail where told."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.seen: list[bytes] = []
        self.buried: list[bytes] = []
        self.fail: Callable[[bytes], bool] = lambda _body: False
        self.fail_to_bury: Callable[[bytes], bool] = lambda _body: False

    def work(self, msg: func.QueueMessage) -> None:
        self.seen.append(msg.get_body())
        if self.fail(msg.get_body()):
            raise RuntimeError("this one fails")

    def bury(self, msg: func.QueueMessage) -> None:
        if self.fail_to_bury(msg.get_body()):
            raise RuntimeError("this one cannot be buried")
        self.buried.append(msg.get_body())

    @contextmanager
    def listening(self, azurite: Azurite) -> Iterator[None]:
        app = func.FunctionApp()
        for name, path, function in (("Work", self.name, self.work), ("Bury", f"{self.name}-poison", self.bury)):
            trigger = app.queue_trigger(
                arg_name="msg", queue_name=path, connection="Storage", data_type=func.DataType.BINARY
            )
            app.function_name(name=name)(trigger(function))
        environment = {"AzureWebJobsStorage": azurite.connection_string, "LOCAL_HOST_QUEUE_LEASE_SECONDS": "2"}
        with FunctionsHost(app, HOST_JSON, environment=environment):
            yield


def test_one_that_is_not_base64_takes_no_other_along_and_reaches_its_function(azurite: Azurite, unique: Unique) -> None:
    desk = Desk(unique("items"))
    client = queue(azurite, desk.name)
    sent = ['{"not": "base64"}', text(b"one"), "%%%", text(b"\xff\xfe"), text(b"[]"), "abc", text(b"two")]
    for one in sent:
        client.send_message(one)
    with desk.listening(azurite):
        until(lambda: len(desk.seen) >= len(sent))
        until(lambda: client.get_queue_properties().approximate_message_count == 0)
    raw = [b'{"not": "base64"}', b"%%%", b"abc"]
    assert sorted(desk.seen) == sorted([*raw, b"one", b"\xff\xfe", b"[]", b"two"])
    assert desk.buried == []


def test_a_function_that_fails_at_a_message_has_it_taken_to_the_poison_queue_as_it_came(
    azurite: Azurite, unique: Unique
) -> None:
    desk = Desk(unique("items"))
    desk.fail = lambda body: body != b"good"
    client = queue(azurite, desk.name)
    for one in ("%%%", text(b"bad"), text(b"good")):
        client.send_message(one)
    with desk.listening(azurite):
        until(lambda: len(desk.buried) == 2)
    assert sorted(desk.buried) == [b"%%%", b"bad"]
    assert desk.seen.count(b"%%%") == desk.seen.count(b"bad") == 2
    assert desk.seen.count(b"good") == 1


def test_what_cannot_be_buried_stays_in_the_poison_queue_and_holds_up_no_other(
    azurite: Azurite, unique: Unique
) -> None:
    desk = Desk(unique("items"))
    queue(azurite, desk.name)
    poison = queue(azurite, f"{desk.name}-poison")
    tries: list[bytes] = []

    def fails(body: bytes) -> bool:
        tries.append(body)
        return body == b"stubborn" and tries.count(body) < 3

    desk.fail_to_bury = fails
    for one in (text(b"stubborn"), "%%%", text(b"other")):
        poison.send_message(one)
    with desk.listening(azurite):
        until(lambda: {b"%%%", b"other"} <= set(desk.buried), 10)
        until(lambda: b"stubborn" in desk.buried)
        until(lambda: poison.get_queue_properties().approximate_message_count == 0)
    assert tries.count(b"stubborn") == 3, "more often than maxDequeueCount: nothing is deleted unburied"
    assert sorted(desk.buried) == [b"%%%", b"other", b"stubborn"]


def test_each_bad_message_becomes_a_dead_letter_with_its_reason_beside_good_ones(
    azurite: Azurite, unique: Unique, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant = unique("tenant")
    settings = settings_of(azurite, tenant)
    hub = Hub(settings)
    hub.__dict__["workforce"] = None
    name = unique("messages")
    (consumer,) = [one for one in CONSUMERS if one.queue == HR_EVENTS]
    done: list[str] = []
    monkeypatch.setattr("shared.workforce.apply.handle_hr_message", lambda _service, message: done.append(message.id))

    def message(number: int, of: str) -> str:
        envelope = new_message(message_id=f"m-{number}", message_type="hr.event", tenant=of, now=utc_now(), data={})
        return text(envelope.model_dump_json().encode())

    bad = ["not base64!", text(b"{"), text(b"\xff"), text(b"[]"), message(9, "another"), ""]
    client = queue(azurite, name)
    for one in [message(1, tenant), *bad, message(2, tenant)]:
        client.send_message(one)
    app = func.FunctionApp()

    def consume(msg: func.QueueMessage) -> None:
        process(consumer, msg.get_body())

    trigger = app.queue_trigger(arg_name="msg", queue_name=name, connection="Storage", data_type=func.DataType.BINARY)
    app.function_name(name="Consume")(trigger(consume))
    with replaced_hub(hub), FunctionsHost(app, HOST_JSON, environment=settings):
        until(lambda: len(letters(hub)) == len(bad) and len(done) == 2)
    assert sorted(done) == ["m-1", "m-2"]
    assert {one["reason"] for one in letters(hub)} == {"DataRefused"}
    assert sum("not a hub message" in one["description"] for one in letters(hub)) == len(bad) - 1
    assert sum("of another tenant" in one["description"] for one in letters(hub)) == 1


def test_a_poison_message_that_is_not_base64_becomes_a_dead_letter(azurite: Azurite, unique: Unique) -> None:
    settings = settings_of(azurite, unique("tenant"))
    hub = Hub(settings)
    app = func.FunctionApp()
    blueprint = func.Blueprint()
    register(blueprint, [one for one in CONSUMERS if one.queue == HR_EVENTS], Transport.STORAGE)
    app.register_functions(blueprint)
    poison = queue_or_old(azurite, poison_queue_of(HR_EVENTS))
    poison.send_message("<not> base64!")
    with replaced_hub(hub), FunctionsHost(app, HOST_JSON, environment=settings):
        (letter,) = until(lambda: letters(hub))
        shown = hub.dead_letters.show(letter["id"])
    assert shown["message"] == "<not> base64!"
    assert letter["reason"] == "CrashLoop"


def queue_or_old(azurite: Azurite, name: str) -> QueueClient:
    from azure.core.exceptions import ResourceExistsError

    client = QueueClient.from_connection_string(azurite.connection_string, name)
    try:
        client.create_queue()
    except ResourceExistsError:
        client.clear_messages()
    return client


def letters(hub: Hub) -> list[dict[str, Any]]:
    return hub.dead_letters.page(size=100, position=None, equal={})[0]


def test_each_has_its_turn_whatever_becomes_of_the_others() -> None:
    done: list[int] = []

    def action(number: int) -> None:
        if number == 1:
            raise ValueError(number)
        done.append(number)

    with pytest.raises(ValueError, match="1"):
        _each([0, 1, 2], action)
    assert done == [0, 2]
