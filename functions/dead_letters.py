"""Messages that the broker gave up: a function for each queue's poison queue (INC-71)."""

import azure.functions as func

from shared.messaging.queue_names import BROKER_DELIVERIES

blueprint = func.Blueprint()


@blueprint.function_name(name="DeadLetterImportSlices")
@blueprint.queue_trigger(
    arg_name="msg", queue_name="import-slices-poison", connection="AzureWebJobsStorage", data_type=func.DataType.BINARY
)
def dead_letter_import_slices(msg: func.QueueMessage) -> None:
    """Keep an import message that the broker gave up; its run ends as Failed. Idempotent by message."""
    from shared.hub import current_hub
    from shared.sales.handle import give_up_import_message

    hub = current_hub()
    hub.messages.record_crash_loop(
        "import-slices",
        msg.get_body(),
        BROKER_DELIVERIES,
        lambda message, error: give_up_import_message(hub.sales, message, error),
    )


@blueprint.function_name(name="DeadLetterNotifications")
@blueprint.queue_trigger(
    arg_name="msg", queue_name="notifications-poison", connection="AzureWebJobsStorage", data_type=func.DataType.BINARY
)
def dead_letter_notifications(msg: func.QueueMessage) -> None:
    """Keep a notification that the broker gave up. Idempotent by message."""
    from shared.hub import current_hub

    current_hub().messages.record_crash_loop("notifications", msg.get_body(), BROKER_DELIVERIES)


@blueprint.function_name(name="DeadLetterHrEvents")
@blueprint.queue_trigger(
    arg_name="msg", queue_name="hr-events-poison", connection="AzureWebJobsStorage", data_type=func.DataType.BINARY
)
def dead_letter_hr_events(msg: func.QueueMessage) -> None:
    """Keep an HR event that the broker gave up. Idempotent by message."""
    from shared.hub import current_hub
    from shared.workforce.apply import give_up_hr_message

    hub = current_hub()
    hub.messages.record_crash_loop(
        "hr-events",
        msg.get_body(),
        BROKER_DELIVERIES,
        lambda message, error: give_up_hr_message(hub.workforce, message, error),
    )


@blueprint.function_name(name="DeadLetterCalculationRequests")
@blueprint.queue_trigger(
    arg_name="msg",
    queue_name="calculation-requests-poison",
    connection="AzureWebJobsStorage",
    data_type=func.DataType.BINARY,
)
def dead_letter_calculation_requests(msg: func.QueueMessage) -> None:
    """Keep a request that the broker gave up; its run ends as Failed. Idempotent by message."""
    from shared.hub import current_hub
    from shared.incentives.calculate_period import give_up_calculation

    hub = current_hub()
    hub.messages.record_crash_loop(
        "calculation-requests",
        msg.get_body(),
        BROKER_DELIVERIES,
        lambda message, error: give_up_calculation(hub.incentives, message, error),
    )


@blueprint.function_name(name="DeadLetterPayrollExports")
@blueprint.queue_trigger(
    arg_name="msg",
    queue_name="payroll-exports-poison",
    connection="AzureWebJobsStorage",
    data_type=func.DataType.BINARY,
)
def dead_letter_payroll_exports(msg: func.QueueMessage) -> None:
    """Keep an export's message that the broker gave up; the export stops. Idempotent by message."""
    from shared.hub import current_hub
    from shared.payroll.run import give_up_export

    hub = current_hub()
    hub.messages.record_crash_loop(
        "payroll-exports",
        msg.get_body(),
        BROKER_DELIVERIES,
        lambda message, error: give_up_export(hub.payroll, message, error),
    )


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
