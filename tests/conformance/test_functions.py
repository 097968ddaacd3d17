"""The functions as the host sees them, and the rules that it refuses functions by."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conformance.functions import recorded
from tests.conformance.worker import Worker


def triggers(worker: Worker) -> Iterator[tuple[str, dict[str, Any]]]:
    yield from ((name, worker.trigger(name)) for name in worker.bindings)


def test_the_worker_finds_the_functions_on_record(worker: Worker, transport: str) -> None:
    """Changed on purpose? Write the record anew: see functions.py."""
    found, expected = worker.bindings, recorded(transport)
    assert sorted(found) == sorted(expected)
    assert [(name, found[name], expected[name]) for name in found if found[name] != expected[name]] == []


def test_names_are_such_that_the_host_takes_them(worker: Worker) -> None:
    names = list(worker.bindings)
    assert [name for name in names if not re.fullmatch(r"[A-Za-z][A-Za-z0-9]{0,127}", name)] == []
    assert len({name.lower() for name in names}) == len(names)
    for bindings in worker.bindings.values():
        own = [str(one["name"]) for one in bindings if one["name"] != "$return"]
        assert [name for name in own if not re.fullmatch(r"[A-Za-z][A-Za-z0-9]*", name)] == []
        assert len({name.lower() for name in own}) == len(own)


def test_routes_are_versioned_and_none_takes_what_is_the_hosts_own(worker: Worker) -> None:
    routes = [
        (trigger["route"], method)
        for _, trigger in triggers(worker)
        if trigger["type"] == "httpTrigger"
        for method in trigger["methods"]
        if method != "OPTIONS"
    ]
    assert routes
    assert {route for route, _ in routes if not re.match(r"v1/", route)} == {"{*path}"}, "all but what is nothing"
    assert len(set(routes)) == len(routes)


def test_each_http_function_answers_by_its_return_value_and_no_other_function_has_one(worker: Worker) -> None:
    for name, trigger in triggers(worker):
        outputs = [(one["type"], one["name"]) for one in worker.bindings[name] if one["direction"] == "OUT"]
        assert outputs == ([("http", "$return")] if trigger["type"] == "httpTrigger" else []), name


def test_triggers_are_such_that_flex_consumption_takes_them(worker: Worker) -> None:
    """It refuses blob triggers that poll; a timer at each start would run with each new instance."""
    for name, trigger in triggers(worker):
        match trigger["type"]:
            case "blobTrigger":
                assert trigger["source"] == "EventGrid", name
                assert "{" not in str(trigger["path"]).partition("/")[0], name
            case "timerTrigger":
                assert trigger["runOnStartup"] is False, name
                assert len(str(trigger["schedule"]).split()) == 6, name
            case "serviceBusTrigger":
                assert trigger["cardinality"] == "ONE", name
            case kind:
                assert kind in ("httpTrigger", "queueTrigger"), name


def test_no_body_can_overwrite_what_the_host_says_of_it(worker: Worker) -> None:
    """Of a text that is JSON, the host writes the properties over the metadata: deliveryCount, blobTrigger, ..."""
    bodies = ("queueTrigger", "serviceBusTrigger", "blobTrigger")
    carriers = [(name, trigger.get("dataType")) for name, trigger in triggers(worker) if trigger["type"] in bodies]
    assert carriers
    assert [name for name, kind in carriers if kind != "BINARY"] == []


@pytest.mark.parametrize("name", ["ImportErpSalesData", "GetHealth", "ProcessImportSlice", "ImportDroppedFile"])
def test_what_the_alerts_and_runbooks_name_is_there(worker: Worker, name: str) -> None:
    assert name in worker.bindings
