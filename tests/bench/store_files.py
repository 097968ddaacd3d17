"""Files of many stores of one day, pushed and imported by several workers at once: what each of them costs.

Run as a child process by the bench, with the number of files: settings come as JSON on standard input, prints one JSON
line.
"""

import base64
import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from datetime import date
from queue import Empty, SimpleQueue
from typing import Any

from shared.hub import Hub
from shared.kernel.keys import join_key
from shared.sales.context import IMPORT_QUEUE
from shared.sales.employees import map_employees
from shared.sales.files import import_file
from shared.sales.handle import delay_import_message, give_up_import_message, handle_import_message

WORKERS = 8
_DAY, _WARM_UP = date(2025, 1, 15), date(2024, 6, 3)
_EMPLOYEES_A_STORE = 5
_SALES_A_FILE = 20
_LEASE = 600.0
"""Seconds: no message comes a second time while somebody works on it."""


def names_of(day: date, files: int) -> list[str]:
    """Return the names of the files of so many stores."""
    return [f"S{store:04d}_{day.isoformat()}.jsonl" for store in range(files)]


def push(hub: Hub, day: date, files: int) -> None:
    """Let so many stores push what they sold on a day: 20 sales of 5 employees, 10.00 each."""
    inbox = hub.blobs.container("erp-inbox")
    for store, name in enumerate(names_of(day, files)):
        lines = [
            {
                "transactionId": f"{day.isoformat()}-{store}-{number}",
                "transactionDate": f"{day.isoformat()}T12:00:00+01:00",
                "employeeId": f"E{store}-{number % _EMPLOYEES_A_STORE}",
                "storeId": f"S{store:04d}",
                "salesAmount": "10.00",
                "unitsSold": 1,
            }
            for number in range(_SALES_A_FILE)
        ]
        inbox.write(name, "\n".join(json.dumps(line) for line in lines).encode())


class Workers:
    """Import what was dropped, as the host's functions do: a file that is told of, or a message, is taken by one."""

    def __init__(self, hub: Hub, names: Sequence[str]) -> None:
        """Begin with these files to be told of."""
        self._hub = hub
        self._names: SimpleQueue[str] = SimpleQueue()
        for name in names:
            self._names.put(name)
        self._queue = hub.storage_account.queues.get_queue_client(IMPORT_QUEUE)
        self._lock = threading.Lock()
        self._defects: list[Exception] = []
        self.polls = 0
        """Requests of the host's work: taking messages off the queue, and looking whether there are more."""

    def run(self) -> None:
        """Work until nothing is left, raise what nobody foresaw."""
        threads = [threading.Thread(target=self._until_done) for _ in range(WORKERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self._defects:
            raise self._defects[0]

    def _until_done(self) -> None:
        try:
            while not self._defects:
                if not (self._start_one() | self._work_on_one()) and self._is_done():
                    return
        except Exception as defect:  # noqa: BLE001 - raised by `run`
            self._defects.append(defect)

    def _start_one(self) -> bool:
        try:
            name = self._names.get_nowait()
        except Empty:
            return False
        import_file(self._hub.sales, name)
        return True

    def _work_on_one(self) -> bool:
        self._count_poll()
        messages = list(self._queue.receive_messages(max_messages=1, visibility_timeout=int(_LEASE)))
        sales = self._hub.sales
        for message in messages:
            self._hub.messages.process(
                IMPORT_QUEUE,
                base64.b64decode(message.content),
                lambda one: handle_import_message(sales, one),
                lambda one, error: give_up_import_message(sales, one, error),
                delayed=lambda one, error, tries, at: delay_import_message(sales, one, error, tries, at),
            )
            self._queue.delete_message(message)
            self._count_poll()
        return bool(messages)

    def _is_done(self) -> bool:
        """Wait a moment, tell whether no message is left, not even one that somebody works on or that is put off."""
        time.sleep(0.1)
        self._count_poll()
        return self._hub.queues.depth(IMPORT_QUEUE) == 0 and self._names.empty()

    def _count_poll(self) -> None:
        with self._lock:
            self.polls += 1


def import_files(hub: Hub, day: date, files: int) -> dict[str, Any]:
    """Push and import the files of so many stores, return what that cost: from the first file to the last sum."""
    employees = [f"E{store}-{one}" for store in range(files) for one in range(_EMPLOYEES_A_STORE)]
    map_employees(hub.sales, {one: f"H{one}" for one in employees}, day)
    push(hub, day, files)
    workers = Workers(hub, names_of(day, files))
    before, began, cpu = hub.storage_account.transactions.snapshot(), time.perf_counter(), time.process_time()
    workers.run()
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    kinds = Counter(hub.storage_account.transactions.snapshot())
    kinds.subtract(before)
    _check(hub, day, files)
    return {
        "files": files,
        "seconds": seconds,
        "processorSeconds": cpu,
        "transactions": kinds.total() - workers.polls,
        "kinds": {kind: round(number / files, 2) for kind, number in kinds.most_common() if number},
        "claims": _claims(hub, day),
    }


def _check(hub: Hub, day: date, files: int) -> None:
    metrics = list(hub.sales.metrics.of_period(day.isoformat()[:7]))
    found = sum(one.total.transactions for one in metrics), sum(one.total.amount_minor for one in metrics)
    wanted = files * _SALES_A_FILE, files * _SALES_A_FILE * 1000
    if found != wanted:
        raise SystemExit(f"{files} store files: {wanted} sales and cents were pushed, SalesMetrics holds {found}")


def _claims(hub: Hub, day: date) -> int:
    row = hub.tables.table("SalesMetrics").get(
        join_key(hub.tenant, day.isoformat()[:7]), join_key("day", day.isoformat())
    )
    assert row
    return int(str(row.values["claims"]))


def main() -> None:
    """Measure the import of so many files."""
    hub = Hub(json.load(sys.stdin))
    import_files(hub, _WARM_UP, WORKERS)  # SDKs loaded, connections open
    print(json.dumps(import_files(hub, _DAY, int(sys.argv[1]))))


if __name__ == "__main__":
    main()
