"""Dropped files that the host gave up (INC-71). Whatever carries our messages, its blob trigger uses storage queues."""

import azure.functions as func

from shared.messaging.queue_names import BROKER_DELIVERIES

blueprint = func.Blueprint()


@blueprint.function_name(name="DeadLetterDroppedFiles")
@blueprint.queue_trigger(
    arg_name="msg",
    queue_name="webjobs-blobtrigger-poison",
    connection="AzureWebJobsStorage",
    data_type=func.DataType.BINARY,
)
def dead_letter_dropped_files(msg: func.QueueMessage) -> None:
    """Keep the name of a dropped file whose import could not even be started. Idempotent by name and ETag."""
    from shared.hub import current_hub

    current_hub().messages.record_crash_loop("erp-inbox", msg.get_body(), BROKER_DELIVERIES)
