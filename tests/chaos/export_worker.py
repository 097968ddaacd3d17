"""A host for the payroll export that dies when it is told to: `python -m tests.chaos.export_worker`.

It reads orders, a line of JSON each, and forks a process for each: that one does the work with the hub's own functions
and ends itself with SIGKILL at the n-th place. Places are before and after each effect on storage, queue, payroll and
SFTP, and in the middle of an upload.
"""

import json
import os
import signal
import sys
import time
from base64 import b64decode
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from functools import wraps
from typing import Any

import azure.data.tables
import azure.servicebus
import azure.storage.blob
import azure.storage.queue
import paramiko
import requests

from functions.queues import CONSUMERS, process
from functions.scheduled import export_payroll
from shared.adapters.blobs import AzureContainer
from shared.adapters.http import PartnerClient
from shared.adapters.queues import StorageQueues
from shared.adapters.service_bus import ServiceBusQueues
from shared.adapters.tables import AzureTable
from shared.hub import Hub, replaced_hub
from shared.kernel.clock import utc_now
from shared.kernel.errors import Conflict
from shared.kernel.pay_period import parse_period
from shared.messaging.queue_names import PAYROLL_EXPORTS
from shared.payroll.start import ExportRequest, start_export

(EXPORTS,) = (one for one in CONSUMERS if one.queue == PAYROLL_EXPORTS)
LOADED = (azure.data.tables, azure.servicebus, azure.storage.blob, azure.storage.queue, paramiko, requests)
"""Loaded once, before anything is forked."""

EFFECTS: tuple[tuple[type, str], ...] = (
    (AzureTable, "insert"),
    (AzureTable, "put"),
    (AzureTable, "replace"),
    (AzureTable, "delete"),
    (AzureTable, "transact"),
    (AzureContainer, "write"),
    (AzureContainer, "delete"),
    (StorageQueues, "send"),
    (ServiceBusQueues, "send"),
    (PartnerClient, "post_body"),
    (paramiko.SFTPClient, "posix_rename"),
    (paramiko.SFTPClient, "remove"),
)


class Places:
    """Counts the places, and dies at the one that was ordered."""

    def __init__(self, victim: int) -> None:
        self._victim = victim
        self.names: list[str] = []

    def reach(self, name: str) -> None:
        self.names.append(name)
        if len(self.names) == self._victim:
            os.kill(os.getpid(), signal.SIGKILL)

    def watch(self) -> None:
        """Stand before and after each effect."""
        for owner, name in EFFECTS:
            setattr(owner, name, self._around(owner, name))
        write = paramiko.SFTPFile.write

        def by_halves(file: Any, data: bytes) -> None:
            self.reach("before upload")
            write(file, data[: len(data) // 2])
            file.flush()
            self.reach("half of an upload")
            write(file, data[len(data) // 2 :])
            file.flush()
            self.reach("after upload")

        paramiko.SFTPFile.write = by_halves  # type: ignore[method-assign, assignment]

    def _around(self, owner: type, name: str) -> Callable[..., Any]:
        effect = getattr(owner, name)

        @wraps(effect)
        def call(itself: Any, *arguments: Any, **options: Any) -> Any:
            what = f"{owner.__name__}.{name} {getattr(itself, '_name', '')}".strip()
            self.reach(f"before {what}")
            result = effect(itself, *arguments, **options)
            self.reach(f"after {what}")
            return result

        return call


def work(order: dict[str, Any]) -> None:
    """Do what an order asks for."""
    offset = timedelta(seconds=order.get("offset", 0))
    hub = Hub(order["environment"], clock=lambda: utc_now() + offset)
    with replaced_hub(hub):
        match order["action"]:
            case "start":
                _start(hub, order)
            case "timer":
                export_payroll(hub, "")
            case "handle":
                process(EXPORTS, b64decode(order["body"]))
            case "start and work":
                time.sleep(max(0.0, order["at"] - time.time()))
                with suppress(Conflict):
                    _start(hub, order)
                _work_off(hub)


def _start(hub: Hub, order: dict[str, Any]) -> None:
    start_export(hub.payroll, ExportRequest(parse_period(order["period"]), "Api", "chaos"))


def _work_off(hub: Hub) -> None:
    queue = hub.storage_account.queues.get_queue_client("payroll-exports")
    while messages := list(queue.receive_messages(max_messages=1, visibility_timeout=30)):
        process(EXPORTS, b64decode(messages[0].content))
        queue.delete_message(messages[0])


def _fork(order: dict[str, Any]) -> tuple[int, int]:
    """Let a process of its own do an order; return its ID and where it tells the places that it came by."""
    reading, writing = os.pipe()
    child = os.fork()
    if child:
        os.close(writing)
        return child, reading
    os.close(reading)
    code = 1
    try:
        places = Places(order.get("victim", 0))
        places.watch()
        work(order)
        os.write(writing, json.dumps(places.names).encode())
        code = 0
    finally:
        sys.stderr.flush()
        os._exit(code)


def _await(child: int, reading: int) -> dict[str, Any]:
    with os.fdopen(reading, "rb") as pipe:
        content = pipe.read()
    _, status = os.waitpid(child, 0)
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    return {"killed": killed, "failed": not killed and status != 0, "places": json.loads(content or b"[]")}


def main() -> None:
    """Take orders until there are no more; several on a line are done at once."""
    for line in sys.stdin:
        running = [_fork(order) for order in json.loads(line)]
        sys.stdout.write(json.dumps([_await(child, reading) for child, reading in running]) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
