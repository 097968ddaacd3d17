"""People from the HR system: the queue of events and of the full sync's slices (INC-22, INC-24)."""

import azure.functions as func

blueprint = func.Blueprint()


@blueprint.function_name(name="ProcessHrEvent")
@blueprint.queue_trigger(
    arg_name="msg", queue_name="hr-events", connection="AzureWebJobsStorage", data_type=func.DataType.BINARY
)
def process_hr_event(msg: func.QueueMessage) -> None:
    """Apply an HR event, or do a slice of a full sync. Idempotent by event; by run and page."""
    from shared.hub import current_hub
    from shared.workforce.apply import give_up_hr_message, handle_hr_message

    hub = current_hub()
    hub.messages.process(
        "hr-events",
        msg.get_body(),
        lambda message: handle_hr_message(hub.workforce, message),
        lambda message, error: give_up_hr_message(hub.workforce, message, error),
    )
