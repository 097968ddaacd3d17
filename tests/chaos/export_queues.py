"""The broker of a trial of test_kill_the_export: its queues, on either transport, as the one who delivers sees them."""

from base64 import b64decode, b64encode
from typing import Protocol

from azure.servicebus import ServiceBusClient, ServiceBusReceiveMode

from local.azurite_process import Azurite
from shared.adapters.storage_account import StorageAccount
from shared.messaging.queue_names import NOTIFICATIONS, PAYROLL_EXPORTS
from tests.servicebus import ServiceBusDouble


class Carrier(Protocol):
    """What carries messages."""

    settings: dict[str, str]
    """What the hub is told of it."""
    sending: str
    """The effect that puts a message on a queue, as the worker names it."""

    def clear(self) -> None:
        """Remove every message."""
        ...

    def take(self) -> str | None:
        """Take an export's message off its queue, as base64; None when there is none."""
        ...

    def notifications(self) -> list[bytes]:
        """Return the notifications that wait."""
        ...


class StorageCarrier:
    """Storage queues."""

    sending = "StorageQueues.send"

    def __init__(self, azurite: Azurite) -> None:
        self.settings = {"HUB_QUEUES": "storage"}
        service = StorageAccount(azurite.connection_string).queues
        self._exports, self._notifications = map(service.get_queue_client, (PAYROLL_EXPORTS, NOTIFICATIONS))

    def clear(self) -> None:
        self._exports.clear_messages()
        self._notifications.clear_messages()

    def take(self) -> str | None:
        for message in self._exports.receive_messages(max_messages=1, visibility_timeout=60):
            self._exports.delete_message(message)
            return str(message.content)
        return None

    def notifications(self) -> list[bytes]:
        return [b64decode(one.content) for one in self._notifications.peek_messages(32)]


class ServiceBusCarrier:
    """Service Bus."""

    sending = "ServiceBusQueues.send"

    def __init__(self, broker: ServiceBusDouble) -> None:
        self.settings = {"HUB_QUEUES": "servicebus", "ServiceBusConnection": broker.connection_string}
        self._broker = broker

    def clear(self) -> None:
        for queue in (PAYROLL_EXPORTS, NOTIFICATIONS):
            self._broker.clear(queue)

    def take(self) -> str | None:
        if not self._broker.active_count(PAYROLL_EXPORTS):
            return None
        mode = ServiceBusReceiveMode.RECEIVE_AND_DELETE
        with (
            ServiceBusClient.from_connection_string(self._broker.connection_string) as client,
            client.get_queue_receiver(PAYROLL_EXPORTS, receive_mode=mode) as receiver,
        ):
            (message,) = receiver.receive_messages(max_message_count=1, max_wait_time=10)
            return b64encode(b"".join(message.body)).decode()

    def notifications(self) -> list[bytes]:
        return [one.body for one in self._broker.messages(NOTIFICATIONS)]
