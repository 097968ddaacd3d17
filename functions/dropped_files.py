"""Dropped files: what is done with one, and with one that the host gave up (INC-09, INC-41, INC-71).

Whatever carries our messages, the host's blob triggers use storage queues of their own. What a function needs is
imported when it runs: whatever is imported here is paid for at each cold start.
"""

import azure.functions as func

from shared.messaging.queue_names import BROKER_DELIVERIES

blueprint = func.Blueprint()


@blueprint.function_name(name="ImportDroppedFile")
@blueprint.blob_trigger(
    arg_name="blob",
    path="erp-inbox/{name}",
    connection="AzureWebJobsStorage",
    source=func.BlobSource.EVENT_GRID,
    data_type=func.DataType.BINARY,
)
def import_dropped_file(blob: func.InputStream) -> None:
    """Import a file of sales. Idempotent by the file's name and ETag."""
    from shared.hub import current_hub
    from shared.sales.files import import_file

    hub = current_hub()
    with hub.work.task("ImportDroppedFile", hub.new_id()):
        import_file(hub.sales, str(blob.name).removeprefix("erp-inbox/"))


@blueprint.function_name(name="TakeInCalculations")
@blueprint.blob_trigger(
    arg_name="blob",
    path="calculations-inbox/{name}",
    connection="AzureWebJobsStorage",
    source=func.BlobSource.EVENT_GRID,
    data_type=func.DataType.BINARY,
)
def take_in_calculations(blob: func.InputStream) -> None:
    """Take in a file of calculations. Idempotent by employee, period and ID of each record."""
    from shared.hub import current_hub
    from shared.incentives.inbox import take_in_file

    hub = current_hub()
    with hub.work.task("TakeInCalculations", hub.new_id()):
        take_in_file(hub.incentives, str(blob.name).partition("/")[2])


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
