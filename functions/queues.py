"""The queues: for each the function that works on its messages, and the one for those that the broker gave up (INC-71).

One table, two transports: `HUB_QUEUES` says, when the app is loaded, whether the functions are triggered by storage
queues or by Service Bus. What a function needs is imported when it runs.

Bodies are taken as bytes: of a text, the host writes every top-level property over the metadata of the message (its
count of deliveries, why it was given up), and one of the wrong type keeps the function from being called at all.
"""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from operator import attrgetter
from typing import Any

import azure.functions as func

from functions.invocation import invoked
from shared.kernel.transport import Transport, chosen_transport
from shared.messaging.queue_names import (
    BROKER_DELIVERIES,
    CALCULATION_REQUESTS,
    HR_EVENTS,
    IMPORT_SLICES,
    NOTIFICATIONS,
    PAYROLL_EXPORTS,
    PROVISIONING_SYNCS,
    dead_letter_queue_of,
    poison_queue_of,
)

STORAGE_CONNECTION = "AzureWebJobsStorage"
SERVICE_BUS_CONNECTION = "ServiceBusConnection"

_CRASH_LOOP = "MaxDeliveryCountExceeded"
"""Why Service Bus gives up a message whose function failed each time."""


@dataclass(frozen=True)
class Consumer:
    """A queue and the function that works on its messages."""

    queue: str
    function: str
    does: str
    """What the function does, and by what key it is idempotent."""
    service: str
    """The service of the hub that the use cases work with."""
    handle: str
    """`module:function`, called with the service and a message."""
    given_up: str = ""
    """`module:function`, called with the service, a message that was given up, and why; most queues have one."""
    delayed: str = ""
    """`module:function`, called with the service, a message that waits, why, the number of tries, and the next one."""

    @property
    def dead_letter_function(self) -> str:
        """The name of the function for what the broker gave up: `DeadLetterImportSlices`."""
        return "DeadLetter" + "".join(part.capitalize() for part in self.queue.split("-"))


CONSUMERS = (
    Consumer(
        IMPORT_SLICES,
        "ProcessImportSlice",
        "Do a slice of an import, or publish it. Idempotent by run and slice.",
        "sales",
        "shared.sales.handle:handle_import_message",
        "shared.sales.handle:give_up_import_message",
        "shared.sales.handle:delay_import_message",
    ),
    Consumer(
        HR_EVENTS,
        "ProcessHrEvent",
        "Apply an HR event, or do a slice of a full sync. Idempotent by event; by run and page.",
        "workforce",
        "shared.workforce.apply:handle_hr_message",
        "shared.workforce.apply:give_up_hr_message",
    ),
    Consumer(
        CALCULATION_REQUESTS,
        "CalculateIncentives",
        "Calculate a period. Idempotent by the period and what went into it.",
        "incentives",
        "shared.incentives.calculate_period:handle_calculation_message",
        "shared.incentives.calculate_period:give_up_calculation",
    ),
    Consumer(
        PAYROLL_EXPORTS,
        "CarryOnPayrollExport",
        "Do the steps of an export that are left. Idempotent by export and step.",
        "payroll",
        "shared.payroll.run:handle_export_message",
        "shared.payroll.run:give_up_export",
    ),
    Consumer(
        PROVISIONING_SYNCS,
        "ProcessProvisioningSync",
        "Carry a pull of users on by some pages. Idempotent by run.",
        "user_sync",
        "shared.provisioning.sync:handle_sync_message",
        "shared.provisioning.sync:give_up_sync",
    ),
    Consumer(
        NOTIFICATIONS,
        "SendNotification",
        "Deliver a notification. Idempotent by the message's ID.",
        "notifier",
        "shared.notify.notifications:Notifier.handle",
    ),
)


def register(blueprint: func.Blueprint, consumers: Iterable[Consumer], transport: Transport) -> None:
    """Give each consumer its two functions, with triggers of the transport."""
    add = _add_to_service_bus if transport is Transport.SERVICE_BUS else _add_to_storage_queues
    for consumer in consumers:
        add(blueprint, consumer)


def _add_to_storage_queues(blueprint: func.Blueprint, consumer: Consumer) -> None:
    def consume(msg: func.QueueMessage, context: func.Context) -> None:
        with invoked(context):
            process(consumer, msg.get_body(), msg.dequeue_count)

    def bury(msg: func.QueueMessage, context: func.Context) -> None:
        with invoked(context):
            _bury_what_storage_queues_gave_up(consumer, msg)

    def add(function: Callable[[func.QueueMessage, func.Context], None], name: str, queue: str) -> None:
        trigger = blueprint.queue_trigger(
            arg_name="msg", queue_name=queue, connection=STORAGE_CONNECTION, data_type=func.DataType.BINARY
        )
        blueprint.function_name(name=name)(trigger(function))

    _describe(consumer, consume, bury)
    add(consume, consumer.function, consumer.queue)
    add(bury, consumer.dead_letter_function, poison_queue_of(consumer.queue))


def _add_to_service_bus(blueprint: func.Blueprint, consumer: Consumer) -> None:
    def consume(msg: func.ServiceBusMessage, context: func.Context) -> None:
        with invoked(context):
            process(consumer, msg.get_body(), msg.delivery_count)

    def bury(msg: func.ServiceBusMessage, context: func.Context) -> None:
        with invoked(context):
            _bury_what_service_bus_gave_up(consumer, msg)

    def add(function: Callable[[func.ServiceBusMessage, func.Context], None], name: str, queue: str) -> None:
        trigger = blueprint.service_bus_queue_trigger(
            arg_name="msg",
            queue_name=queue,
            connection=SERVICE_BUS_CONNECTION,
            data_type=func.DataType.BINARY,
            cardinality=func.Cardinality.ONE,
        )
        blueprint.function_name(name=name)(trigger(function))

    _describe(consumer, consume, bury)
    add(consume, consumer.function, consumer.queue)
    add(bury, consumer.dead_letter_function, dead_letter_queue_of(consumer.queue))


def process(consumer: Consumer, body: bytes, deliveries: int | None = None) -> None:
    """Let a consumer work on the body of a message, whichever transport it came by, for the n-th time that it came."""
    from shared.hub import current_hub

    current_hub().messages.process(
        consumer.queue,
        body,
        _caller(consumer, consumer.handle),
        _give_up(consumer),
        deliveries=deliveries or 1,
        delayed=_caller(consumer, consumer.delayed) if consumer.delayed else None,
    )


def _bury_what_storage_queues_gave_up(consumer: Consumer, msg: func.QueueMessage) -> None:
    from shared.hub import current_hub

    messages = current_hub().messages
    messages.record_crash_loop(consumer.queue, msg.get_body(), BROKER_DELIVERIES, _give_up(consumer))


def _bury_what_service_bus_gave_up(consumer: Consumer, msg: func.ServiceBusMessage) -> None:
    """Keep a message with what the broker wrote to it when it gave it up: application properties, and its count.

    The count goes on in the dead-letter queue: the last delivery is the one to us.
    """
    from shared.hub import current_hub

    messages, body = current_hub().messages, msg.get_body()
    said: dict[str, Any] = msg.application_properties or {}
    reason, count = str(said.get("DeadLetterReason") or ""), max(0, (msg.delivery_count or 0) - 1)
    if reason == _CRASH_LOOP:
        messages.record_crash_loop(consumer.queue, body, count, _give_up(consumer))
        return
    messages.record_broker_dead_letter(
        consumer.queue,
        body,
        delivery_count=count,
        reason=reason or "NoReason",
        description=str(said.get("DeadLetterErrorDescription") or "the broker says nothing more"),
        given_up=_give_up(consumer),
    )


def _give_up(consumer: Consumer) -> Callable[..., None] | None:
    return _caller(consumer, consumer.given_up) if consumer.given_up else None


def _caller(consumer: Consumer, use_case: str) -> Callable[..., None]:
    """Return a function that calls a use case with its service first; both are loaded when it is called."""

    def call(*given: object) -> None:
        from shared.hub import current_hub

        module, _, name = use_case.partition(":")
        attrgetter(name)(import_module(module))(getattr(current_hub(), consumer.service), *given)

    return call


def _describe(consumer: Consumer, consume: Callable[..., None], bury: Callable[..., None]) -> None:
    consume.__doc__ = consumer.does
    bury.__doc__ = f"Keep a message of {consumer.queue} that the broker gave up. Idempotent by message and attempt."


blueprint = func.Blueprint()
register(blueprint, CONSUMERS, chosen_transport(os.environ))
