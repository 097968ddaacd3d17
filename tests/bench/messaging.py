"""Messages from send to completion on a Service Bus double, and the floor: a bare loop of the SDK on the same double.

Run as a child process by the bench: prints one JSON line. The double is a process of its own, as a broker would be.
Both send all messages one by one, then receive and complete them, sixteen at a time. Ours goes the whole way: envelope,
queue port, the stand-in host's listener and threads, the worker's converter, the processor, a handler.
"""

import json
import logging
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import azure.functions as func
from azure.servicebus import ServiceBusClient, ServiceBusMessage, ServiceBusReceiver, ServiceBusSender

from functions.queues import Consumer, register
from local.free_ports import free_port
from local.host.host import FunctionsHost
from local.orphan_guard import end_with_parent
from shared.adapters.service_bus import ServiceBusQueues
from shared.adapters.service_bus_namespace import ServiceBusNamespace
from shared.hub import Hub, replaced_hub
from shared.kernel.clock import utc_now
from shared.kernel.message import Message, new_message
from shared.kernel.transport import Transport
from tests.bench.figure import ROOT
from tests.fakes.blobs import MemoryBlobs
from tests.fakes.tables import MemoryTables

MESSAGES = 2000
ROUNDS = 3
AT_ONCE = 16
OURS, BARE = "work-items", "bare-items"
HOST_JSON = {"extensions": {"serviceBus": {"maxConcurrentCalls": AT_ONCE}}}

_handled: list[float] = []


def handle(_tables: object, _message: Message) -> None:
    """Note when a message came."""
    _handled.append(time.perf_counter())


def message(number: int) -> Message:
    """Return a message as an HR event is one: a few hundred bytes."""
    data = {"deliveryId": f"d-{number}", "event": "x" * 300}
    return new_message(message_id=f"m-{number}", message_type="hr.event", tenant="default", now=utc_now(), data=data)


@contextmanager
def broker() -> Iterator[str]:
    """A double in a process of its own; gives its connection string."""
    port = free_port()
    command = end_with_parent([sys.executable, "-m", "tests.servicebus", "--port", str(port)])
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
    try:
        assert process.stdout
        process.stdout.readline()  # it says when it listens
        yield (f"Endpoint=sb://127.0.0.1:{port};SharedAccessKeyName=x;SharedAccessKey=y;UseDevelopmentEmulator=true")
    finally:
        process.terminate()
        process.wait()


def bare(sender: ServiceBusSender, receiver: ServiceBusReceiver) -> float:
    """Return the seconds of the floor: the same bytes, the SDK alone."""
    body = message(0).to_json()
    began = time.perf_counter()
    for _ in range(MESSAGES):
        sender.send_messages(ServiceBusMessage(body))
    sent = time.perf_counter()
    taken, first = 0, 0.0
    while taken < MESSAGES:
        for one in receiver.receive_messages(max_message_count=AT_ONCE, max_wait_time=5):
            first = first or time.perf_counter()
            receiver.complete_message(one)
            taken += 1
    return time.perf_counter() - first + sent - began


def ours(queues: ServiceBusQueues, environment: dict[str, str], seen: ServiceBusReceiver) -> float:
    """Return the seconds of the same by way of the hub."""
    began = time.perf_counter()
    for number in range(MESSAGES):
        queues.send(OURS, message(number))
    sent = time.perf_counter()
    _handled.clear()
    with FunctionsHost(app(), HOST_JSON, environment=environment):
        while len(_handled) < MESSAGES or seen.peek_messages(max_message_count=1, sequence_number=1):
            time.sleep(0.005)
        return time.perf_counter() - _handled[0] + sent - began


def app() -> func.FunctionApp:
    """Return an app with the functions of one queue; the library gives them out once an app."""
    consumer = Consumer(OURS, "Work", "Note when a message came.", "tables", f"{__name__}:handle")
    blueprint, made = func.Blueprint(), func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)
    register(blueprint, [consumer], Transport.SERVICE_BUS)
    made.register_functions(blueprint)
    return made


def measure(connection: str) -> dict[str, Any]:
    """Return messages a second of both, the median of some rounds that take turns."""
    environment = {"ServiceBusConnection": connection, "HUB_PAGE_TOKEN_SECRET": "a secret for page tokens"}
    queues = ServiceBusQueues(ServiceBusNamespace(connection), MemoryBlobs())
    hub = Hub(environment, tables=MemoryTables(), blobs=MemoryBlobs(), queues=queues)
    seconds: dict[str, list[float]] = {"ours": [], "bare": []}
    client = ServiceBusClient.from_connection_string(connection)
    with (
        replaced_hub(hub),
        client,
        client.get_queue_sender(BARE) as sender,
        client.get_queue_receiver(BARE) as receiver,
        client.get_queue_receiver(OURS) as seen,
    ):
        for _ in range(ROUNDS):
            seconds["bare"].append(bare(sender, receiver))
            seconds["ours"].append(ours(queues, environment, seen))
    queues.close()
    return {name: MESSAGES / statistics.median(found) for name, found in seconds.items()}


def main() -> None:
    """Measure both."""
    logging.getLogger("host").setLevel(logging.WARNING)
    with broker() as connection:
        print(json.dumps(measure(connection)))


if __name__ == "__main__":
    main()
