"""What every test may ask for: the emulator, an account on it, names that nobody else uses."""

import os
from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest
from hypothesis import settings

from local.azurite_process import Azurite, free_ports
from shared.adapters.storage_account import StorageAccount
from shared.kernel.transport import Transport
from shared.messaging.queue_names import BROKER_DELIVERIES, QUEUES
from tests.servicebus import QueueRules, ServiceBusDouble

settings.register_profile("hub", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("hub")

_OWN = (
    "HUB_",
    "ERP_",
    "AUTH_",
    "IMPORT_",
    "PAY_",
    "HR_",
    "PAYROLL_",
    "SALES_",
    "GRAPH_",
    "MAIL_",
    "AZURE",
    "WEBSITE_",
    "FUNCTIONS_",
    "OTEL_",
    "APPLICATIONINSIGHTS_",
    "TELEMETRY_",
    "KEY_VAULT_",
    "SECRET_",
    "SERVICEBUS",
)
for _name in list(os.environ):
    # Before anything reads them: a proxy would catch loopback calls, a developer's settings would change results.
    if _name.lower().endswith("_proxy") or _name.upper().startswith(_OWN):
        del os.environ[_name]


@pytest.fixture(scope="session")
def azurite() -> Iterator[Azurite]:
    """One Azurite for the session, in memory, on free ports."""
    with Azurite(free_ports()) as running:
        yield running


@pytest.fixture(scope="session")
def service_bus() -> Iterator[ServiceBusDouble]:
    """One broker for the session; a queue is there as soon as somebody uses it."""
    with ServiceBusDouble() as running:
        yield running


@pytest.fixture(scope="module", params=list(Transport))
def broker(request: pytest.FixtureRequest) -> Iterator[str]:
    """What carries the hub's messages, one transport after the other: the connection string of a Service Bus broker.

    It is empty where storage queues carry them. The broker has the hub's queues and no others, as when it is deployed;
    only its locks are short, so that what a killed worker held is soon given out again.
    """
    if request.param is Transport.STORAGE:
        yield ""
        return
    rules = QueueRules(lock_seconds=3, max_delivery_count=BROKER_DELIVERIES)
    with ServiceBusDouble(dict.fromkeys(QUEUES, rules), create_missing=False) as running:
        yield running.connection_string


@pytest.fixture
def storage_account(azurite: Azurite) -> StorageAccount:
    """A fresh account object (its transaction count begins at zero) on the session's Azurite."""
    return StorageAccount(azurite.connection_string)


@pytest.fixture
def unique() -> Callable[[str], str]:
    """Return a function that makes a name unique: letters and digits for tables, lower case for queues, containers."""
    suffix = uuid4().hex[:12]
    return lambda name: f"{name}{suffix}"
