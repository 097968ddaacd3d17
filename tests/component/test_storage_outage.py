"""The hub in an outage of its storage that lasts longer than the broker has patience, on each transport (INC-70).

Azurite is behind a proxy that answers 503 for it; the functions run in the stand-in host, in this process, and storage
requests are tried once, so that an outage of many deliveries takes seconds and not an hour. On storage queues the
queues themselves are there: when they are not, nobody takes messages off them.
"""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from threading import Lock
from typing import Any

import azure.functions as func
import pytest

from functions.queues import CONSUMERS, register
from local.azurite_process import Azurite, free_ports
from local.host.host import FunctionsHost
from local.sandbox.generator import Shape, employees_of
from local.sandbox.server import Sandbox
from shared.adapters.storage_account import Patience, StorageAccount
from shared.hub import Hub, replaced_hub
from shared.kernel.transport import Transport
from shared.messaging.processing import MessageProcessor
from shared.messaging.queue_names import BROKER_DELIVERIES
from shared.provision import provision
from shared.sales.employees import map_employees
from shared.sales.runs import RunStatus, Trigger
from shared.sales.start import StartRequest, start_import
from tests.component.import_hub import environment
from tests.faulty_storage import SERVICES, FaultyStorage
from tests.waiting import until

HOST_JSON = json.loads((Path(__file__).resolve().parents[2] / "host.json").read_text())
SETTINGS = {
    "HUB_MESSAGE_RETRY_DELAYS": "0.1",
    "ERP_PAGE_SIZE": "100",
    "ERP_PAGES_PER_SLICE": "2",
    # A slice that was being worked on when storage went away is free again after this.
    "ERP_SLICE_LEASE_SECONDS": "2",
}


class Deliveries:
    """Counts how often each message is worked on."""

    def __init__(self, messages: MessageProcessor) -> None:
        self._messages = messages
        self._counts: Counter[str] = Counter()
        self._lock = Lock()

    def process(self, queue: str, body: bytes, *given: Any, **more: Any) -> None:
        with self._lock:
            self._counts[str(json.loads(body)["id"])] += 1
        self._messages.process(queue, body, *given, **more)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._messages, name)

    def begin(self) -> None:
        with self._lock:
            self._counts.clear()

    @property
    def most(self) -> int:
        """How often the message was worked on that was so most often, since the count began."""
        with self._lock:
            return max(self._counts.values(), default=0)


@dataclass
class World:
    """A hub that runs, and what can be done to its storage."""

    hub: Hub
    sandbox: Sandbox
    storage: FaultyStorage
    away: tuple[str, ...]
    deliveries: Deliveries

    def outage(self, after: int) -> None:
        """Let storage be away, after so many requests, for more deliveries of a message than the broker makes."""
        self.deliveries.begin()
        self.storage.go_away(503, self.away, after=after)
        until(lambda: self.deliveries.most > BROKER_DELIVERIES + 1)
        self.storage.come_back()


@pytest.fixture(scope="module")
def world(broker: str) -> Iterator[World]:
    transport = Transport.SERVICE_BUS if broker else Transport.STORAGE
    blueprint, app = func.Blueprint(), func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
    register(blueprint, CONSUMERS, transport)
    app.register_functions(blueprint)
    HOST_JSON["extensions"]["queues"]["visibilityTimeout"] = "00:00:00"
    with (
        Azurite(free_ports()) as azurite,
        FaultyStorage(azurite) as storage,
        Sandbox(Shape(records=1000, employees=20)) as sandbox,
    ):
        settings = environment(sandbox, **SETTINGS) | {
            "AzureWebJobsStorage": storage.connection_string,
            "HUB_QUEUES": transport.value,
            "ServiceBusConnection": broker,
        }
        account = StorageAccount(storage.connection_string, patience=Patience(retries=0))
        provision(account)
        hub = Hub(settings, storage_account=account, sleep=lambda _seconds: None)
        map_employees(hub.sales, {one["erpEmployeeId"]: one["employeeId"] for one in employees_of(sandbox.shape)})
        deliveries = Deliveries(hub.messages)
        hub.__dict__["messages"] = deliveries
        with replaced_hub(hub), FunctionsHost(app, HOST_JSON, environment=settings):
            yield World(hub, sandbox, storage, SERVICES if broker else ("blobs", "tables"), deliveries)
        close = getattr(hub.queues, "close", None)
        if close:
            close()


@pytest.mark.parametrize("requests", [0, 15, 30], ids=["at once", "while it is staged", "towards its end"])
def test_an_import_survives_an_outage_to_the_cent(world: World, requests: int) -> None:
    """Nothing is given up: no dead letter, no failed run, and the totals are those of the ledger."""
    hub, day = world.hub, date(2025, 1, 15)
    run_id = start_import(hub.sales, StartRequest(day, Trigger.API, "somebody"))
    world.outage(after=requests)
    until(lambda: hub.sales.runs.get(run_id).status.final)
    truth = world.sandbox.erp.totals(day)
    published = list(hub.sales.metrics.of_period("2025-01"))
    assert hub.sales.runs.get(run_id).status is RunStatus.PARTIAL_SUCCESS
    assert sum(one.total.transactions for one in published) == truth["imported"]
    assert sum(one.total.amount_minor for one in published) == int(Decimal(truth["importedAmount"]).scaleb(2))
    assert hub.dead_letters.page(size=10, position=None, equal={})[0] == []
