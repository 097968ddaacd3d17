"""Two workers compete for messages and one is killed: each good one is applied once, each bad one is parked.

5,000 messages on Service Bus. On storage queues 1,000, which take ten seconds: 5,000 took three minutes. Azurite
needs the longer for one message the more there are.
"""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from local.azurite_process import Azurite
from local.orphan_guard import end_with_parent
from local.processes import ROOT
from shared.hub import Hub
from shared.kernel.clock import utc_now
from shared.kernel.message import Queues, new_message
from shared.kernel.transport import Transport, chosen_transport
from shared.messaging.queue_names import BROKER_DELIVERIES, NOTIFICATIONS, poison_queue_of
from tests.chaos.competing_worker import EFFECTS, QUEUE
from tests.servicebus import QueueRules, ServiceBusDouble
from tests.waiting import until

MESSAGES = {Transport.SERVICE_BUS: 5000, Transport.STORAGE: 1000}
SETTINGS = {
    "HUB_PAGE_TOKEN_SECRET": "a secret for page tokens",
    "HUB_MESSAGE_RETRY_DELAYS": "1,1",
    "PYTHON_THREADPOOL_THREAD_COUNT": "16",
    "LOCAL_HOST_QUEUE_LEASE_SECONDS": "3",
    "AzureFunctionsJobHost__extensions__queues__visibilityTimeout": "00:00:00",
}


def kind_of(number: int) -> str:
    """One in a hundred fails for ever, by an error that passes or by a defect; one in ten fails the first time."""
    if number % 100 == 0:
        return "failing" if number % 200 else "crashing"
    return "failing-once" if number % 10 == 1 else "good"


REASONS = {"failing": "ServerFailure", "crashing": "CrashLoop"}


HubSettings = tuple[dict[str, str], Callable[[], int]]


@pytest.fixture(params=list(Transport))
def hub_settings(request: pytest.FixtureRequest, azurite: Azurite) -> Iterator[HubSettings]:
    """The settings of a hub on each transport, and how many messages lie where the broker puts what it gives up."""
    given = SETTINGS | {"AzureWebJobsStorage": azurite.connection_string, "HUB_QUEUES": request.param.value}
    given["HUB_TENANT"] = f"competing-{request.param.value}"
    if request.param is Transport.STORAGE:
        queues = Hub(given).queues
        yield given, lambda: queues.depth(poison_queue_of(QUEUE))
        return
    rules = QueueRules(lock_seconds=3, max_delivery_count=BROKER_DELIVERIES)
    with ServiceBusDouble(dict.fromkeys((QUEUE, NOTIFICATIONS), rules), create_missing=False) as broker:
        yield given | {"ServiceBusConnection": broker.connection_string}, lambda: len(broker.dead_letters(QUEUE))


@contextmanager
def worker(settings: dict[str, str]) -> Iterator["subprocess.Popen[bytes]"]:
    """A worker process that is gone afterwards, however it ends."""
    command = end_with_parent([sys.executable, "-m", "tests.chaos.competing_worker"])
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **settings}, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def send_all(queues: Queues, tenant: str, kinds: dict[int, str]) -> None:
    def send(number: int) -> None:
        message = new_message(
            message_id=f"item-{number}",
            message_type="Tested",
            tenant=tenant,
            now=utc_now(),
            data={"number": number, "kind": kinds[number]},
        )
        queues.send(QUEUE, message)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(send, kinds))


def dead_letters(hub: Hub) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    position: str | None = None
    while True:
        items, position = hub.dead_letters.page(size=100, position=position, equal={"queue": QUEUE})
        found += items
        if position is None:
            return found


@pytest.mark.azurite
@pytest.mark.chaos
def test_no_message_is_lost_and_none_is_applied_twice_when_a_worker_is_killed(hub_settings: HubSettings) -> None:
    settings, left = hub_settings
    hub = Hub(settings)
    effects = hub.tables.table(EFFECTS)
    kinds = {number: kind_of(number) for number in range(MESSAGES[chosen_transport(settings)])}
    good = {str(number) for number, kind in kinds.items() if kind not in REASONS}
    bad = {f"item-{number}": REASONS[kind] for number, kind in kinds.items() if kind in REASONS}

    def applied() -> int:
        return sum(1 for _ in effects.query(hub.tenant))

    with worker(settings) as doomed, worker(settings):
        send_all(hub.queues, hub.tenant, kinds)
        until(lambda: applied() >= len(kinds) / 2, seconds=120)
        doomed.kill()
        assert applied() < len(good)  # it was killed with work left to do
        until(lambda: applied() == len(good), seconds=120)
        until(lambda: len(dead_letters(hub)) == len(bad), seconds=60)
        until(lambda: hub.queues.depth(QUEUE) == 0 and left() == 0)
    assert Counter(row.key for row in effects.query(hub.tenant)) == Counter(good)
    assert {letter["messageId"]: letter["reason"] for letter in dead_letters(hub)} == bad
    assert len(dead_letters(hub)) == len(bad)
