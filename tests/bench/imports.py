"""One import in this process, measured; and the floor: the same pages, the same rows, nothing else.

Run as a child process by the bench, so that memory is that of an import alone: prints one JSON line.
"""

import base64
import gc
import json
import sys
import threading
import time
from collections.abc import Callable
from datetime import date
from typing import Any

import psutil
import requests

from shared.hub import Hub
from shared.kernel.keys import join_key
from shared.kernel.message import Message, parse_message
from shared.kernel.table import Put
from shared.sales.employees import map_employees
from shared.sales.handle import handle_import_message
from shared.sales.runs import Trigger
from shared.sales.start import StartRequest, start_import

_MEGABYTE = 1024 * 1024


def hub_of(given: dict[str, str]) -> Hub:
    """Return a hub for the sandbox and Azurite that the bench started; its bucket holds nobody up."""
    hub = Hub(given)
    employees = requests.get(f"{given['ERP_BASE_URL']}/employees", timeout=30).json()
    map_employees(hub.sales, {one["erpEmployeeId"]: one["employeeId"] for one in employees})
    return hub


class PeakMemory:
    """Samples resident memory every 10 ms; `above_idle` is the peak in MB above what it was at the beginning."""

    def __enter__(self) -> "PeakMemory":
        """Begin to sample."""
        gc.collect()
        self._process = psutil.Process()
        self._idle = self._peak = self._process.memory_info().rss
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop sampling."""
        self._done.set()
        self._thread.join()
        self.above_idle = (self._peak - self._idle) / _MEGABYTE

    def _sample(self) -> None:
        while not self._done.wait(0.01):
            self._peak = max(self._peak, self._process.memory_info().rss)


def run_import(hub: Hub, day: date) -> dict[str, Any]:
    """Import a day, from the start to SalesMetrics, and return what it cost."""
    count = hub.storage_account.transactions
    before, began = count.total, time.perf_counter()
    run_id = start_import(hub.sales, StartRequest(day, Trigger.API, "bench"))
    drain(hub, "import-slices", lambda message: handle_import_message(hub.sales, message))
    seconds = time.perf_counter() - began
    run = hub.sales.runs.get(run_id)
    return {
        "seconds": seconds,
        "records": run.records_read,
        "published": run.published,
        "status": run.status.value,
        # Taking messages off the queue is the host's work, not the import's.
        "transactions": count.total - before - hub.__dict__.pop("polls", 0),
    }


def drain(hub: Hub, queue: str, handle: Callable[[Message], None]) -> None:
    """Process a queue until it is empty; `polls` counts the requests that take messages off it."""
    client = hub.storage_account.queues.get_queue_client(queue)
    polls = 0
    while True:
        polls += 1
        messages = list(client.receive_messages(max_messages=1))
        if not messages:
            break
        message = parse_message(base64.b64decode(messages[0].content))
        if message.tenant == hub.tenant:  # others that worked on the same account may have left theirs
            handle(hub.queues.resolve(message))
        client.delete_message(messages[0])
        polls += 1
    hub.__dict__["polls"] = polls


def floor(hub: Hub, given: dict[str, str], day: date) -> dict[str, Any]:
    """Fetch the same pages one after the other and write the same rows in transactions of 100: no checks, no sums."""
    began = time.perf_counter()
    session = requests.Session()
    form = {"grant_type": "client_credentials", "client_id": "hub-erp", "client_secret": "erp-secret"}
    token = session.post(given["ERP_TOKEN_URL"], data=form, timeout=30).json()["access_token"]
    session.headers["Authorization"] = f"Bearer {token}"
    table, number, pages, records = hub.tables.table("StagingSalesData"), 1, 1, 0
    while number <= pages:
        params = {"date": day.isoformat(), "page": str(number), "pageSize": "1000"}
        page = session.get(f"{given['ERP_BASE_URL']}/api/v1/sales", params=params, timeout=30).json()
        pages = page["pagination"]["totalPages"]
        partition = join_key("default", "floor", day.isoformat(), str(number))
        rows = [
            Put(f"{line:05d}-{one['transactionId']}", _values(one, number, line))
            for line, one in enumerate(page["data"])
        ]
        for start in range(0, len(rows), 100):
            table.transact(partition, rows[start : start + 100])
        records += len(rows)
        number += 1
    return {"seconds": time.perf_counter() - began, "records": records}


def _values(one: dict[str, Any], page: int, line: int) -> dict[str, Any]:
    return {
        "batchId": "01a20bb4-b1f4-7a13-9d8a-5c93fbf6c4ba",
        "transactionDate": one["transactionDate"],
        "employeeId": one["employeeId"] or "",
        "storeId": one["storeId"],
        "salesAmountMinor": 1234567,
        "unitsSold": one["unitsSold"],
        "productCategory": one["productCategory"],
        "productSku": one["productSku"],
        "page": page,
        "line": line,
        "attempt": 1,
    }


def main() -> None:
    """Measure one import and its floor; settings come as JSON on standard input."""
    given: dict[str, str] = json.load(sys.stdin)
    hub = hub_of(given)
    run_import(hub, date(2025, 2, 1))  # warm: SDKs loaded, connections open, tables there
    day = date(2025, 1, 15)
    with PeakMemory() as memory:
        results: dict[str, Any] = {"import": run_import(hub, day)}
    results["peakAboveIdleMegabytes"] = memory.above_idle
    results["floor"] = floor(hub, given, day)
    before = _state(hub)
    results["again"] = run_import(hub, day)
    results["totalsUnchanged"] = before == _state(hub)
    print(json.dumps(results))


def _state(hub: Hub) -> list[Any]:
    return [(one.employee_id, one.total.amount_minor, one.days) for one in hub.sales.metrics.of_period("2025-01")]


if __name__ == "__main__":
    main()
