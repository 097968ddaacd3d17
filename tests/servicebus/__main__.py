"""Run the double as a process: `python -m tests.servicebus --port 5672`."""

import argparse
import signal
import sys
from collections.abc import Sequence
from threading import Event

from tests.servicebus.double import ServiceBusDouble
from tests.servicebus.queue_rules import QueueRules


def main(arguments: Sequence[str] | None = None) -> int:
    """Listen until Ctrl-C or SIGTERM; the one line that is printed says where. 1 when the double itself failed."""
    parser = argparse.ArgumentParser(prog="tests.servicebus", description="A test double of Azure Service Bus.")
    parser.add_argument("--port", type=int, default=5672, help="AMQP; 0 for a free port")
    parser.add_argument("--administration-port", type=int, default=0, help="HTTP; 0 for a free port")
    parser.add_argument("--max-delivery-count", type=int, default=10)
    parser.add_argument("--lock-seconds", type=float, default=30)
    given = parser.parse_args(arguments)
    rules = QueueRules(given.lock_seconds, given.max_delivery_count)
    ended = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with ServiceBusDouble(port=given.port, administration_port=given.administration_port, default=rules) as double:
        print(f"listening on 127.0.0.1:{double.port} (HTTP {double.administration_port})", flush=True)  # noqa: T201
        while double.is_running:
            if ended.wait(0.5):
                return 0
    return 1


if __name__ == "__main__":
    sys.exit(main())
