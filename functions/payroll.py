"""The payroll export: the timer after the approval deadline, the queue of its steps (INC-50, INC-56)."""

import azure.functions as func

blueprint = func.Blueprint()


@blueprint.function_name(name="ExportPayroll")
@blueprint.timer_trigger(arg_name="timer", schedule="0 20 * * * *", run_on_startup=False)
def export_payroll(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the binding's name
    """Start the export of a period whose deadline has passed; wake what stands still. Idempotent by period."""
    from shared.hub import current_hub
    from shared.payroll.schedule import export_what_is_due

    export_what_is_due(current_hub().payroll)


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
