"""Dropped files: what is done with one, and with one that the host gave up (INC-09, INC-41, INC-71).

Whatever carries our messages, the host's blob triggers use storage queues of their own. What a function needs is
imported when it runs: whatever is imported here is paid for at each cold start.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

import azure.functions as func

from functions.invocation import invoked
from shared.messaging.queue_names import BROKER_DELIVERIES


@dataclass(frozen=True)
class Inbox:
    """A container that files are dropped into, and the function that works on them."""

    container: str
    function: str
    does: str
    """What the function does, and by what key it is idempotent."""
    service: str
    """The service of the hub that the use case works with."""
    take_in: str
    """`module:function`, called with the service and the name of a file."""
    given_up: str
    """`module:function`, called with the service, the name of a file that the host gave up, and why."""


INBOXES = (
    Inbox(
        "erp-inbox",
        "ImportDroppedFile",
        "Import a file of sales. Idempotent by the file's name and ETag.",
        "sales",
        "shared.sales.files:import_file",
        "shared.sales.files:give_up_file",
    ),
    Inbox(
        "calculations-inbox",
        "TakeInCalculations",
        "Take in a file of calculations. Idempotent by employee, period and ID of each record.",
        "incentives",
        "shared.incentives.inbox:take_in_file",
        "shared.incentives.inbox:give_up_file",
    ),
)

POISON_QUEUE = "webjobs-blobtrigger-poison"
"""The host's own, for both containers."""

blueprint = func.Blueprint()


def _taking_in(inbox: Inbox) -> Callable[[func.InputStream, func.Context], None]:
    def take_in(blob: func.InputStream, context: func.Context) -> None:
        from shared.hub import current_hub

        hub = current_hub()
        with invoked(context), hub.work.task(inbox.function, hub.new_id()):
            name = str(blob.name).removeprefix(f"{inbox.container}/")
            _use_case(inbox.take_in)(getattr(hub, inbox.service), name)

    take_in.__doc__ = inbox.does
    return take_in


def _use_case(name: str) -> Callable[..., object]:
    module, _, function = name.partition(":")
    found: Callable[..., object] = getattr(import_module(module), function)
    return found


for _inbox in INBOXES:
    blueprint.function_name(name=_inbox.function)(
        blueprint.blob_trigger(
            arg_name="blob",
            path=f"{_inbox.container}/{{name}}",
            connection="AzureWebJobsStorage",
            source=func.BlobSource.EVENT_GRID,
            data_type=func.DataType.BINARY,
        )(_taking_in(_inbox))
    )


@blueprint.function_name(name="DeadLetterDroppedFiles")
@blueprint.queue_trigger(
    arg_name="msg",
    queue_name=POISON_QUEUE,
    connection="AzureWebJobsStorage",
    data_type=func.DataType.BINARY,
)
def dead_letter_dropped_files(msg: func.QueueMessage, context: func.Context) -> None:
    """Keep the name of a dropped file at which the worker died each time. Idempotent by name and ETag.

    The file itself goes where a file goes that cannot be read: nothing else would tell of it in its own log.
    """
    from shared.hub import current_hub
    from shared.kernel.errors import DataRefused

    body, hub = msg.get_body(), current_hub()
    inbox, name = _file_of(body)
    with invoked(context):
        hub.messages.record_crash_loop(inbox.container if inbox else POISON_QUEUE, body, BROKER_DELIVERIES)
        if inbox:
            text = f"the worker died of file {name!r} {BROKER_DELIVERIES} times: see the log for why; split the file"
            _use_case(inbox.given_up)(getattr(hub, inbox.service), name, DataRefused(text))


def _file_of(body: bytes) -> tuple[Inbox | None, str]:
    """Return the inbox and the name of a file that the host gave up: both triggers share one poison queue.

    The host writes {FunctionId, BlobType, ContainerName, BlobName, ETag}; what does not say so is of no inbox, and is
    kept under the queue's own name.
    """
    import json

    try:
        said = json.loads(body)
        container, name = said["ContainerName"], str(said["BlobName"])
    except (ValueError, KeyError, TypeError):
        return None, ""
    return next((inbox for inbox in INBOXES if inbox.container == container), None), name
