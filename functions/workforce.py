"""People from the HR system: the queue of events, the daily full sync (INC-22, INC-24)."""

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


@blueprint.function_name(name="SyncEmployees")
@blueprint.timer_trigger(arg_name="timer", schedule="0 0 3 * * *", run_on_startup=False)
def sync_employees(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the binding's name
    """Start the daily full sync. Idempotent by the day."""
    from shared.hub import current_hub
    from shared.workforce.schedule import start_daily_sync

    hub = current_hub()
    start_daily_sync(hub.workforce, hub.once)


@blueprint.function_name(name="ResumeHrEvents")
@blueprint.timer_trigger(arg_name="timer", schedule="15 */5 * * * *", run_on_startup=False)
def resume_hr_events(timer: func.TimerRequest) -> None:  # noqa: ARG001
    """Queue what was kept and never applied, wake a full sync that makes no progress. Idempotent."""
    from shared.hub import current_hub
    from shared.workforce.schedule import watch_workforce

    watch_workforce(current_hub().workforce)
