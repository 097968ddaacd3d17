"""INC-07: the host is killed at random moments while it imports; no sale is lost, none is counted twice."""

import time
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from random import Random

import pytest

from local.client import HubClient
from local.processes import Stack
from shared.adapters.storage_account import StorageAccount
from shared.adapters.tables import AzureTables
from shared.kernel.keys import join_key

KILLS = 20
DAYS = [date(2025, 3, 3) + timedelta(days=number) for number in range(4)]
SETTINGS = {
    "ERP_PAGE_SIZE": "200",
    "ERP_PAGES_PER_SLICE": "3",
    "ERP_SLICE_LEASE_SECONDS": "8",
    "ERP_RETRY_FIRST_DELAY": "0.05",
    "HUB_MESSAGE_RETRY_DELAYS": "0.1,0.1,0.5",
    "IMPORT_STALL_SECONDS": "10",
    "LOCAL_HOST_QUEUE_LEASE_SECONDS": "2",
}


@pytest.fixture
def stack(broker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    logs = tmp_path_factory.mktemp("logs")
    options = ("--records", "1500", "--employees", "25")
    with Stack(settings=SETTINGS, service_bus=broker, sandbox_options=options, logs=logs) as running:
        yield running
        # Asked to end, it would finish what runs: for a timer's run that was killed, its next one waits a minute.
        running.kill_host()


@pytest.mark.chaos
def test_twenty_kills_lose_and_double_nothing(stack: Stack) -> None:
    draw = Random(20250303)
    client = HubClient(stack.host_url, stack.sandbox_url)
    client.map_all_employees()
    runs = [client.start_import(day.isoformat()) for day in DAYS]
    for kill in range(KILLS):
        time.sleep(draw.uniform(0.05, 0.9))  # the moment is what is being drawn
        stack.kill_host()
        stack.start_host()
        if kill % 3 == 2:
            runs.append(client.start_import(draw.choice(DAYS).isoformat()))
    for run_id in runs:
        run = _finished(stack, client, run_id)
        assert run["status"] in ("PartialSuccess", "Superseded"), run
    tables = AzureTables(StorageAccount(stack.azurite.connection_string))
    counted, cents = 0, 0
    for row in tables.table("SalesMetrics").query(join_key("default", "2025-03")):
        if row.key.startswith("employee|"):
            counted += int(str(row.values["transactions"]))
            cents += int(str(row.values["amountMinor"]))
    truth = [client.ask_sandbox("GET", "/ledger", params={"date": day.isoformat()}) for day in DAYS]
    assert counted == sum(one["imported"] for one in truth)
    assert cents == sum(int(Decimal(one["importedAmount"]).scaleb(2)) for one in truth)


def _finished(stack: Stack, client: HubClient, run_id: str) -> dict[str, object]:
    """Wait for a run, doing meanwhile what an operator and time do.

    The watchdog, which a timer wakes every five minutes, is woken by hand. A message whose worker was killed more
    than five times is given up by the broker: its dead letter is sent again.
    """
    end = time.monotonic() + 120
    while time.monotonic() < end:
        try:
            run = client.wait_for(run_id, seconds=4)
        except TimeoutError:
            client.session.post(f"{stack.host_url}/admin/functions/WatchImports", json={"input": ""}, timeout=10)
            continue
        if run["status"] != "Failed":
            return run
        assert run["failureCode"] == "CrashLoop", run
        for letter in client.call("GET", "/admin/dead-letters", params={"status": "Open", "kind": "Broker"}):
            client.call("POST", f"/admin/dead-letters/{letter['id']}/resubmit", json={})
        time.sleep(0.2)
    return client.wait_for(run_id, seconds=1)
