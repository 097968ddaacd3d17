"""A queue of the double with the official SDK's clients."""

from dataclasses import dataclass

from azure.servicebus import (
    ServiceBusClient,
    ServiceBusMessage,
    ServiceBusReceivedMessage,
    ServiceBusReceiver,
    ServiceBusSender,
)

from tests.servicebus import QueueRules, ServiceBusDouble

RULES = {
    "steady": QueueRules(lock_seconds=30, max_delivery_count=3),
    "hasty": QueueRules(lock_seconds=0.5, max_delivery_count=1000),
    "once": QueueRules(duplicate_detection_seconds=60),
}


@dataclass
class Channel:
    """A queue with the clients that a test needs."""

    double: ServiceBusDouble
    name: str
    client: ServiceBusClient
    sender: ServiceBusSender
    receiver: ServiceBusReceiver

    def send(self, *texts: str) -> None:
        """Send messages with the text as their ID too."""
        self.sender.send_messages([ServiceBusMessage(text, message_id=text) for text in texts])

    def receive(self, number: int = 1) -> list[ServiceBusReceivedMessage]:
        """Return exactly this many messages, locked."""
        return receive(self.receiver, number)


def receive(receiver: ServiceBusReceiver, number: int) -> list[ServiceBusReceivedMessage]:
    """Return exactly this many messages; a receiver keeps no credit afterwards, so the next test is not disturbed."""
    found: list[ServiceBusReceivedMessage] = []
    while len(found) < number:
        more = receiver.receive_messages(max_message_count=number - len(found), max_wait_time=10)
        assert more, f"only {len(found)} of {number} messages came"
        found += more
    return found


def texts(messages: list[ServiceBusReceivedMessage]) -> list[str]:
    return [str(message) for message in messages]
