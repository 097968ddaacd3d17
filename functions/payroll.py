"""The payroll export: the queue of its steps (INC-56)."""

import azure.functions as func

blueprint = func.Blueprint()


@blueprint.function_name(name="CarryOnPayrollExport")
@blueprint.queue_trigger(
    arg_name="msg", queue_name="payroll-exports", connection="AzureWebJobsStorage", data_type=func.DataType.BINARY
)
def carry_on_payroll_export(msg: func.QueueMessage) -> None:
    """Do the steps of an export that are left. Idempotent by export and step."""
    from shared.hub import current_hub
    from shared.payroll.run import give_up_export, handle_export_message

    hub = current_hub()
    hub.messages.process(
        "payroll-exports",
        msg.get_body(),
        lambda message: handle_export_message(hub.payroll, message),
        lambda message, error: give_up_export(hub.payroll, message, error),
    )
