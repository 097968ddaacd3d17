"""Sales that come as dropped files (INC-09).

What a function needs is imported when it runs: whatever is imported here is paid for at each cold start.
"""

import azure.functions as func

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
