"""Calculations that come as dropped files (INC-41)."""

import azure.functions as func

blueprint = func.Blueprint()


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
