"""Calculations: the queue of requests, dropped files (INC-40, INC-41)."""

import azure.functions as func

blueprint = func.Blueprint()


@blueprint.function_name(name="CalculateIncentives")
@blueprint.queue_trigger(
    arg_name="msg", queue_name="calculation-requests", connection="AzureWebJobsStorage", data_type=func.DataType.BINARY
)
def calculate_incentives(msg: func.QueueMessage) -> None:
    """Calculate a period. Idempotent by the period and what went into it."""
    from shared.hub import current_hub
    from shared.incentives.calculate_period import give_up_calculation, handle_calculation_message

    hub = current_hub()
    hub.messages.process(
        "calculation-requests",
        msg.get_body(),
        lambda message: handle_calculation_message(hub.incentives, message),
        lambda message, error: give_up_calculation(hub.incentives, message, error),
    )


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
