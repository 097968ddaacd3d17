"""Every table, container, queue, function and setting that the code names is in the templates, and the reverse."""

import json
import re
from functools import reduce
from operator import getitem
from typing import Any

from local.host.configuration import duration
from shared.adapters.settings import Settings
from shared.messaging.queue_names import BROKER_DELIVERIES, QUEUES
from shared.provision import CONTAINERS, TABLES
from shared.provision import QUEUES as STORAGE_QUEUES
from tests.unit.functions.indexed import triggers
from tests.unit.infra.compiler import parameters
from tests.unit.infra.templates import (
    ROOT,
    operator_settings,
    platform_settings,
    resources,
    setting_fields,
    string_literals,
    template,
    variable,
)

STORAGE = "modules/storage.bicep"
SERVICE_BUS = "modules/service-bus.bicep"

AT_ONCE = "AzureFunctionsJobHost__extensions__serviceBus__maxConcurrentCalls"
OF_THE_HOST = {
    "ServiceBusConnection__credential",
    "PYTHON_THREADPOOL_THREAD_COUNT",
    "AzureWebJobsDisableHomepage",
    AT_ONCE,
}
"""Settings that the Functions host or the worker reads, not the hub."""
NOT_IN_AZURE = {"OTEL_EXPORTER_OTLP_ENDPOINT"}
"""Settings for other places: the collector of whoever chooses TELEMETRY_EXPORTER=otlp."""
NO_SECRET = {"APPLICATIONINSIGHTS_CONNECTION_STRING"}
"""Kept out of logs by the code, though it opens nothing: local authentication is off."""


WHERE_USED = {"SALES_BASE_URL", "SALES_CLIENT_ID", "GRAPH_CLIENT_ID"}
"""Required where the hub takes orders in or pulls users, and a hub need not: the hub checks that, the type cannot."""
EITHER_OR = {"ERP_TOKEN_URL", "HR_TOKEN_URL", "PAYROLL_TOKEN_URL", "SALES_TOKEN_URL", "GRAPH_TOKEN_URL"}
"""Required unless the partner's authority is given: the hub checks that, the type cannot."""


def test_each_table_is_there_and_no_other() -> None:
    made = variable("tables", STORAGE)
    assert len(made) == len(set(made))
    assert set(made) == set(TABLES)
    assert set(TABLES) <= string_literals("shared")


def test_each_container_is_there_and_no_other() -> None:
    assert sorted(variable("containers", STORAGE)) == sorted(CONTAINERS)
    assert sorted(variable("platformContainers", STORAGE)) == ["deployments", "undelivered-events"]


def test_each_queue_is_in_service_bus_and_only_what_blob_triggers_gave_up_in_storage() -> None:
    assert sorted(variable("queues", SERVICE_BUS)) == sorted(QUEUES)
    carried = {*QUEUES, *(f"{queue}-poison" for queue in QUEUES)}
    assert variable("queues", STORAGE) == sorted(set(STORAGE_QUEUES) - carried)


def test_the_broker_gives_a_message_up_after_as_many_deliveries_as_the_code_says() -> None:
    (queue,) = resources("Microsoft.ServiceBus/namespaces/queues")
    assert queue["properties"]["maxDeliveryCount"] == BROKER_DELIVERIES
    assert queue["properties"]["deadLetteringOnMessageExpiration"] is True


def test_what_a_killed_worker_sent_is_known_when_its_message_is_back() -> None:
    """The broker remembers IDs for longer than the lock of a message can be renewed, and lasts after the last time."""
    (queue,) = resources("Microsoft.ServiceBus/namespaces/queues")
    given = queue["properties"]
    host = json.loads((ROOT / "host.json").read_text())["extensions"]["serviceBus"]
    renewed_for = duration(host["maxAutoLockRenewalDuration"]) / 60
    assert given["requiresDuplicateDetection"] is True
    assert minutes(given["duplicateDetectionHistoryTimeWindow"]) > renewed_for + minutes(given["lockDuration"])


def minutes(text: str) -> int:
    """Read an ISO 8601 duration of whole minutes."""
    (number,) = re.fullmatch(r"PT([0-9]+)M", text).groups()  # type: ignore[union-attr]
    return int(number)


def test_each_inbox_has_its_subscription() -> None:
    inboxes = {one["container"]: one["function"] for one in variable("inboxes", "inbox-subscriptions.bicep")}
    blobs = triggers("blobTrigger")
    assert inboxes == {trigger["path"].partition("/")[0]: name for name, trigger in blobs.items()}
    assert {trigger["source"] for trigger in blobs.values()} == {"EventGrid"}
    (subscription,) = resources("Microsoft.EventGrid/systemTopics/eventSubscriptions")
    dead_letters = subscription["properties"]["deadLetterWithResourceIdentity"]["deadLetterDestination"]["properties"]
    assert dead_letters["blobContainerName"] in variable("platformContainers", STORAGE)
    assert subscription["properties"]["retryPolicy"] == {"maxDeliveryAttempts": 30, "eventTimeToLiveInMinutes": 1440}


def test_each_setting_that_the_code_reads_is_in_the_templates_unless_it_is_a_secret() -> None:
    read = {name for name, (_, secret) in setting_fields().items() if not secret} - NOT_IN_AZURE
    declared = platform_settings() | operator_settings().keys()
    assert read - declared == set()


def test_each_setting_in_the_templates_is_read_by_something() -> None:
    read = {name for name, (_, secret) in setting_fields().items() if not secret} | NO_SECRET
    declared = platform_settings() | operator_settings().keys()
    assert declared - read - OF_THE_HOST == set()


def test_no_setting_is_an_operator_s_and_the_platform_s() -> None:
    assert platform_settings() & operator_settings().keys() == set()


def test_what_the_code_requires_the_templates_require() -> None:
    required = {name for name, (needed, _) in setting_fields().items() if needed}
    for name, needed in operator_settings().items():
        assert needed == (name in required - EITHER_OR - WHERE_USED), name


def test_what_is_for_a_laptop_is_not_in_azure() -> None:
    local = {"AzureWebJobsStorage", "ServiceBusConnection", "FUNCTIONS_WORKER_RUNTIME"}
    declared = platform_settings() | operator_settings().keys()
    assert {name for name in declared if name in local or name.startswith("LOCAL_")} == set()


def test_the_parameters_file_makes_a_hub_that_starts() -> None:
    """Checked by the hub's own rules, as /api/v1/health/startup does; the secrets come from the vault."""
    secrets = {
        name: "c2VjcmV0LW9mLXRoZS10ZXN0LCBhbmQgbG9uZyBlbm91Z2gh"
        for name, (_, secret) in setting_fields().items()
        if secret
    }
    environment = {
        **secrets,
        "HUB_NOTIFICATION_URL": "https://chat.example.com/hook",
        "SFTP_PRIVATE_KEY": "",
        "ServiceBusConnection": "",
        "AzureWebJobsStorage": "UseDevelopmentStorage=true",
        "AUTH_ISSUER": "https://sts.windows.net/a-tenant/",
        "AUTH_JWKS_URL": "https://login.example.com/a-tenant/discovery/v2.0/keys",
        **parameters("main.bicepparam")["settings"],
    }
    assert Settings(environment).problems() == ()


def host_extensions() -> dict[str, Any]:
    extensions: dict[str, Any] = json.loads((ROOT / "host.json").read_text())["extensions"]
    return extensions


def test_as_many_messages_are_worked_on_at_once_as_there_are_threads() -> None:
    """Messages that wait for a thread are locked meanwhile, and expire: one parameter says both; host.json agrees."""
    settings = variable("platformSettings", "modules/function-app.bicep")
    assert settings[AT_ONCE] == settings["PYTHON_THREADPOOL_THREAD_COUNT"]
    assert "threads" in str(settings[AT_ONCE])
    names = AT_ONCE.removeprefix("AzureFunctionsJobHost__extensions__").split("__")
    assert reduce(getitem, names, host_extensions()) == template("main.bicep")["parameters"]["threads"]["default"]


def test_storage_queues_take_no_more_than_there_are_threads() -> None:
    """What they take at most is host.json's, whatever the parameter says: so it has a minimum."""
    queues = host_extensions()["queues"]
    threads = template("main.bicep")["parameters"]["threads"]
    minimum = next(one["argument"] for one in threads["decorators"] if one["type"] == "min_value")
    assert queues["batchSize"] + queues["newBatchThreshold"] <= minimum <= threads["default"]


def test_always_ready_groups_are_groups_of_the_app() -> None:
    """`function:<name>` must be a function; `http` and `blob` are whole groups."""
    functions = {*triggers("timerTrigger"), *triggers("queueTrigger"), *triggers("serviceBusTrigger")}
    groups = [group["name"] for group in parameters("main.bicepparam")["alwaysReady"]]
    assert groups
    assert set(groups) <= {"http", "blob", *(f"function:{name}" for name in functions)}
