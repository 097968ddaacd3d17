"""Imports in this process, by turns without telemetry and with the console exporter to nowhere.

Run as a child process by the bench: prints one JSON line with the seconds of each import, pairs in order.
"""

import base64
import json
import os
import sys
import time
from datetime import date
from pathlib import Path

from shared.hub import Hub
from shared.sales.handle import give_up_import_message, handle_import_message
from shared.sales.runs import Trigger
from shared.sales.start import StartRequest, start_import
from tests.bench.imports import hub_of

ROUNDS = 5
DAY = date(2025, 1, 15)


def main() -> None:
    """Measure; settings come as JSON on standard input."""
    given: dict[str, str] = json.load(sys.stdin)
    with Path(os.devnull).open("w") as nowhere:
        sys.stdout = nowhere
        off = hub_of(given | {"TELEMETRY_EXPORTER": "none"})
        on = hub_of(given | {"TELEMETRY_EXPORTER": "console"})
        for hub in (off, on):
            seconds_of(hub)  # warm: SDKs loaded, connections open, tables there
        pairs = []
        for number in range(ROUNDS):
            # Whoever goes first pays for what the other finds warm: they take turns.
            first, second = (off, on) if number % 2 else (on, off)
            took = {id(first): seconds_of(first), id(second): seconds_of(second)}
            pairs.append([took[id(off)], took[id(on)]])
        on.telemetry.flush()
        sys.stdout = sys.__stdout__
    print(json.dumps({"off": [one for one, _ in pairs], "on": [one for _, one in pairs]}))


def seconds_of(hub: Hub) -> float:
    """Import a day as the host would have it done, a message at a time."""
    client = hub.storage_account.queues.get_queue_client("import-slices")
    began = time.perf_counter()
    with hub.work.request("StartImport", "admin/imports", "POST", None, "bench-request"):
        run_id = start_import(hub.sales, StartRequest(DAY, Trigger.API, "bench"))
    while messages := list(client.receive_messages(max_messages=1)):
        hub.messages.process(
            "import-slices",
            base64.b64decode(messages[0].content),
            lambda message: handle_import_message(hub.sales, message),
            lambda message, error: give_up_import_message(hub.sales, message, error),
        )
        client.delete_message(messages[0])
    seconds = time.perf_counter() - began
    status = hub.sales.runs.get(run_id).status.value
    assert status in ("Succeeded", "PartialSuccess"), status
    return seconds


if __name__ == "__main__":
    main()
