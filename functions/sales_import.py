"""Import of sales from the ERP: queue, dropped files (INC-09).

What a function needs is imported when it runs: whatever is imported here is paid for at each cold start.
"""

import azure.functions as func

blueprint = func.Blueprint()


@blueprint.function_name(name="ProcessImportSlice")
@blueprint.queue_trigger(
    arg_name="msg", queue_name="import-slices", connection="AzureWebJobsStorage", data_type=func.DataType.BINARY
)
def process_import_slice(msg: func.QueueMessage) -> None:
    """Do a slice of an import, or publish it. Idempotent by run and slice."""
    from shared.hub import current_hub
    from shared.sales.handle import give_up_import_message, handle_import_message

    hub = current_hub()
    hub.messages.process(
        "import-slices",
        msg.get_body(),
        lambda message: handle_import_message(hub.sales, message),
        lambda message, error: give_up_import_message(hub.sales, message, error),
    )


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
