"""A worker process for test_competing_workers: our registration, our processor, and the stand-in host.

Its one function writes a row for each message, or fails as the message says.
"""

import os
import signal
import threading

import azure.functions as func

from functions.queues import Consumer, register
from local.host.configuration import load_host_json
from local.host.host import FunctionsHost
from local.processes import ROOT
from shared.kernel.errors import ServerFailure
from shared.kernel.message import Message
from shared.kernel.table import RowExists, Tables
from shared.kernel.transport import chosen_transport

QUEUE = "work-items"
EFFECTS = "Effects"


def work(tables: Tables, message: Message) -> None:
    """Apply a message. Idempotent by its number."""
    kind, number = str(message.data["kind"]), str(message.data["number"])
    if kind == "crashing":
        raise RuntimeError(f"{number} is more than this function can bear")
    if kind == "failing" or (kind == "failing-once" and message.attempt == 0):
        raise ServerFailure("partner", f"{number} is not to be had")
    try:
        tables.table(EFFECTS).insert(message.tenant, number, {"kind": kind})
    except RowExists:
        return


def main() -> None:
    """Run until terminated, or killed."""
    consumer = Consumer(QUEUE, "Work", "Apply a message. Idempotent by its number.", "tables", f"{__spec__.name}:work")
    blueprint, app = func.Blueprint(), func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
    register(blueprint, [consumer], chosen_transport(os.environ))
    app.register_functions(blueprint)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    with FunctionsHost(app, load_host_json(ROOT)):
        stop.wait()


if __name__ == "__main__":
    main()
