"""The app as the host finds it: what it imports, its triggers, host.json, the example settings."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import azure.functions as func
import pytest

from local.host.configuration import duration
from shared.adapters.settings import Settings
from shared.adapters.settings.kinds import Group as SettingsGroup
from shared.messaging.queue_names import BROKER_DELIVERIES, QUEUES, poison_queue_of
from shared.provision import QUEUES as PROVISIONED
from shared.sales.context import IMPORT_QUEUE, NOTIFICATION_QUEUE
from tests.unit.functions.indexed import triggers

ROOT = Path(__file__).resolve().parents[3]
HEAVY = (
    "jinja2",
    "smtplib",
    "requests",
    "jwt",
    "cryptography",
    "paramiko",
    "msal",
    "azure.core",
    "azure.data.tables",
    "azure.storage",
    "azure.servicebus",
    "azure.identity",
)


def read(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((ROOT / name).read_text())
    return content


def test_importing_the_app_needs_no_setting_and_loads_no_sdk() -> None:
    script = "import sys, function_app; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, env={}, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "function_app" in loaded
    assert not [name for name in HEAVY if name in loaded]


def test_the_app_stays_a_list_of_capabilities() -> None:
    assert len((ROOT / "function_app.py").read_text().splitlines()) < 40


def test_each_queue_that_is_listened_to_has_a_function_for_what_the_broker_gives_up() -> None:
    """INC-71."""
    names = {trigger["queueName"]: name for name, trigger in triggers("queueTrigger").items()}
    listened = [queue for queue in QUEUES if queue in names]
    assert listened
    for queue in listened:
        camel_case = "".join(part.capitalize() for part in queue.split("-"))
        assert names[poison_queue_of(queue)] == f"DeadLetter{camel_case}"


def test_every_queue_that_is_listened_to_or_sent_to_is_known() -> None:
    listened = {trigger["queueName"] for trigger in triggers("queueTrigger").values()}
    # The last one is the host's own: versions of dropped files that its blob trigger gave up.
    known = {*QUEUES, *map(poison_queue_of, QUEUES), "webjobs-blobtrigger-poison"}
    assert listened <= known
    assert {IMPORT_QUEUE, NOTIFICATION_QUEUE} <= set(QUEUES)
    assert set(PROVISIONED) <= known
    assert set(QUEUES) <= set(PROVISIONED)


def test_dropped_files_are_taken_as_bytes() -> None:
    """Of a file that is text and JSON, the host takes the properties for metadata: it could name another file."""
    assert {name: trigger["dataType"] for name, trigger in triggers("blobTrigger").items()} == {
        "ImportDroppedFile": func.DataType.BINARY,
        "TakeInCalculations": func.DataType.BINARY,
    }


def test_the_host_gives_a_message_up_after_as_many_deliveries_as_dead_letters_say() -> None:
    queues = read("host.json")["extensions"]["queues"]
    assert queues["maxDequeueCount"] == BROKER_DELIVERIES
    assert (queues["batchSize"], queues["visibilityTimeout"], queues["messageEncoding"]) == (8, "00:00:10", "base64")


def test_dropped_files_are_handed_over_one_at_a_time_and_given_up_as_messages_are() -> None:
    """The host holds a file whole, and so does the worker: eight at once would be more than an instance has."""
    blobs = read("host.json")["extensions"]["blobs"]
    assert blobs == {"maxDegreeOfParallelism": 1, "poisonBlobThreshold": BROKER_DELIVERIES}


def test_the_worker_has_a_thread_for_every_message_that_the_host_hands_it() -> None:
    """A message that waits for a thread uses up its lock without being worked on."""
    extensions = read("host.json")["extensions"]
    threads = int(read("local.settings.example.json")["Values"]["PYTHON_THREADPOOL_THREAD_COUNT"])
    assert extensions["serviceBus"]["maxConcurrentCalls"] == threads
    assert extensions["queues"]["batchSize"] + extensions["queues"]["newBatchThreshold"] <= threads


def test_service_bus_messages_stay_ours_as_long_as_a_function_may_run() -> None:
    host_json = read("host.json")
    service_bus = host_json["extensions"]["serviceBus"]
    assert duration(service_bus["maxAutoLockRenewalDuration"]) >= duration(host_json["functionTimeout"])
    # Python functions cannot settle messages themselves, and what is fetched ahead of its turn ages under its lock.
    assert service_bus["autoCompleteMessages"] is True
    assert service_bus["prefetchCount"] == 0


def test_the_host_puts_the_security_headers_on_what_it_answers_itself() -> None:
    """INC-34."""
    headers = read("host.json")["extensions"]["http"]["customHeaders"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "strict-origin-when-cross-origin"
    assert "unsafe-inline" not in headers["Content-Security-Policy"]


def test_the_example_names_every_setting() -> None:
    given = read("local.settings.example.json")["Values"]
    named = {field.alias for group in SettingsGroup.__subclasses__() for field in group.model_fields.values()}
    missing = {name for name in named if name} - set(given)
    assert not missing


def test_the_example_is_valid_and_stays_on_this_machine() -> None:
    given = read("local.settings.example.json")["Values"]
    assert Settings(given).problems() == ()
    urls = [value for value in given.values() if value.startswith("http")]
    assert all(url.startswith("http://127.0.0.1:7080/") for url in urls)


@pytest.mark.parametrize("name", ["AUTH_ISSUER", "HUB_PAGE_TOKEN_SECRET", "AzureWebJobsStorage"])
def test_a_setting_that_is_missing_is_named(name: str) -> None:
    given = dict(read("local.settings.example.json")["Values"])
    del given[name]
    assert [problem.field for problem in Settings(given).problems()] == [name]
