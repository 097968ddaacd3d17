"""Notifications to operators (INC-06)."""

import azure.functions as func

blueprint = func.Blueprint()


@blueprint.function_name(name="SendNotification")
@blueprint.queue_trigger(
    arg_name="msg", queue_name="notifications", connection="AzureWebJobsStorage", data_type=func.DataType.BINARY
)
def send_notification(msg: func.QueueMessage) -> None:
    """Deliver a notification. Idempotent by the message's ID."""
    from shared.hub import current_hub

    hub = current_hub()
    hub.messages.process("notifications", msg.get_body(), hub.notifier.handle)
