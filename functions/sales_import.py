"""Import of sales from the ERP: timers, queue, dropped files (INC-01, INC-09).

What a function needs is imported when it runs: whatever is imported here is paid for at each cold start.
"""

import azure.functions as func

blueprint = func.Blueprint()


@blueprint.function_name(name="ImportErpSalesData")
@blueprint.timer_trigger(arg_name="timer", schedule="0 0 1 * * *", run_on_startup=False)
def import_erp_sales_data(timer: func.TimerRequest) -> None:
    """Import yesterday. Idempotent by the business day; a manual run may name a day and a store."""
    from shared.hub import current_hub
    from shared.sales.manual import import_by_timer

    import_by_timer(current_hub().sales, str((getattr(timer, "schedule", None) or {}).get("Input", "")))


@blueprint.function_name(name="WatchImports")
@blueprint.timer_trigger(arg_name="timer", schedule="30 */5 * * * *", run_on_startup=False)
def watch(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the binding's name
    """Start what was not started, take up what makes no progress. Idempotent: what goes on is not disturbed."""
    from shared.hub import current_hub
    from shared.sales.watchdog import watch_imports

    watch_imports(current_hub().sales)


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

    import_file(current_hub().sales, str(blob.name).removeprefix("erp-inbox/"))
