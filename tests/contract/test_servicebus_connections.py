"""Clients of the double that come, go, are dropped and are killed, with the official SDK."""

import signal
import subprocess
import sys
from contextlib import closing, suppress
from pathlib import Path

import pytest
from azure.servicebus import (
    ServiceBusClient,
    ServiceBusMessage,
    ServiceBusReceivedMessage,
)
from azure.servicebus.exceptions import (
    MessagingEntityNotFoundError,
    ServiceBusError,
)

from tests.contract.servicebus_channel import texts
from tests.servicebus import QueueRules, ServiceBusDouble

ROOT = Path(__file__).resolve().parents[2]


HOLDER = """
import sys
from azure.servicebus import ServiceBusClient
client = ServiceBusClient.from_connection_string(sys.argv[1])
receiver = client.get_queue_receiver("queue", prefetch_count=2)
held = set()
while len(held) < 2:
    held |= {str(message) for message in receiver.receive_messages(max_message_count=2, max_wait_time=10)}
print("holds both", flush=True)
sys.stdin.read()
"""


def test_what_a_killed_client_held_comes_back() -> None:
    rules = {"queue": QueueRules(lock_seconds=1, max_delivery_count=1000)}
    with (
        ServiceBusDouble(rules) as own,
        ServiceBusClient.from_connection_string(own.connection_string, retry_backoff_factor=0.01) as client,
        client.get_queue_sender("queue") as sender,
    ):
        sender.send_messages([ServiceBusMessage("a"), ServiceBusMessage("b")])
        command = [sys.executable, "-c", HOLDER, own.connection_string]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            assert child.stdout.readline() == "holds both\n"
            child.send_signal(signal.SIGKILL)
        tries: dict[str, int | None] = {}
        with client.get_queue_receiver("queue") as receiver:
            while len(tries) < 2:
                tries |= {str(one): one.delivery_count for one in receiver.receive_messages(2, max_wait_time=10)}
    assert sorted(tries) == ["a", "b"]
    assert all(tried is not None and tried >= 1 for tried in tries.values())


def test_clients_come_back_after_the_broker_dropped_them() -> None:
    received: list[ServiceBusReceivedMessage] = []
    with (
        ServiceBusDouble(["queue"]) as own,
        ServiceBusClient.from_connection_string(own.connection_string, retry_backoff_factor=0.01) as client,
        client.get_queue_sender("queue") as sender,
        client.get_queue_receiver("queue") as receiver,
    ):
        sender.send_messages(ServiceBusMessage("a"))
        own.drop_connections()
        sender.send_messages(ServiceBusMessage("b"))
        while len(received) < 2:
            with suppress(ServiceBusError):  # how the receiver notices that its connection is gone
                received += receiver.receive_messages(max_message_count=2, max_wait_time=1)
    assert texts(received) == ["a", "b"]


def test_a_queue_that_is_not_there_is_an_error_where_none_is_created() -> None:
    with (
        ServiceBusDouble(["known"], create_missing=False) as strict,
        ServiceBusClient.from_connection_string(strict.connection_string, retry_total=0) as client,
        closing(client.get_queue_sender("missing")) as sender,
        pytest.raises(MessagingEntityNotFoundError, match="missing"),
    ):
        sender.send_messages(ServiceBusMessage("a"))


def test_the_double_runs_as_a_process_of_its_own() -> None:
    command = [sys.executable, "-m", "tests.servicebus", "--port", "0", "--max-delivery-count", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as child:
        assert child.stdout is not None
        port = child.stdout.readline().split()[2].rpartition(":")[2]
        endpoint = f"Endpoint=sb://127.0.0.1:{port};SharedAccessKeyName=a;SharedAccessKey=b;UseDevelopmentEmulator=true"
        with (
            ServiceBusClient.from_connection_string(endpoint) as client,
            client.get_queue_sender("any") as sender,
        ):
            sender.send_messages(ServiceBusMessage("a"))
        child.terminate()
        assert child.wait(10) == 0
