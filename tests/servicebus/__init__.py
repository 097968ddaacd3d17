"""A test double of Azure Service Bus: an AMQP 1.0 server that the official SDK connects to."""

from tests.servicebus.double import QueuedMessage, ServiceBusDouble
from tests.servicebus.queue_rules import Counters, QueueRules
from tests.servicebus.stored_message import MessageState

__all__ = ["Counters", "MessageState", "QueueRules", "QueuedMessage", "ServiceBusDouble"]
