"""Import of sales from the ERP: timers, queue, dropped files, HTTP (INC-01, INC-06, INC-09)."""

from datetime import date
from typing import Annotated, Any

import azure.functions as func
from pydantic import BaseModel, ConfigDict, Field

from functions.endpoint import ApiRequest, ApiResult, api, as_object
from shared.hub import Hub, current_hub
from shared.kernel.errors import FieldProblem, InvalidRequest
from shared.sales.employees import map_employees
from shared.sales.files import import_file
from shared.sales.handle import give_up_import_message, handle_import_message
from shared.sales.queries import list_rejects, list_runs, show_run
from shared.sales.runs import RunStatus, Trigger
from shared.sales.start import StartRequest, start_daily_import, start_import
from shared.sales.watchdog import watch_imports

blueprint = func.Blueprint()
Name = Annotated[str, Field(min_length=1, max_length=128)]


class ImportBody(BaseModel):
    """`{"date": "2025-01-15", "storeId": "S001"}`; the store is optional."""

    model_config = ConfigDict(extra="forbid")
    date: date
    storeId: str = Field(default="", max_length=128)  # noqa: N815 - JSON is camelCase


class MappingBody(BaseModel):
    """One ERP employee and the hub employee he is."""

    model_config = ConfigDict(extra="forbid")
    erpEmployeeId: Name  # noqa: N815
    employeeId: Name  # noqa: N815


class MappingsBody(BaseModel):
    """`{"mappings": [{"erpEmployeeId": "E1", "employeeId": "H1"}]}`."""

    mappings: list[MappingBody] = Field(min_length=1, max_length=1000)


@blueprint.function_name(name="ImportErpSalesData")
@blueprint.timer_trigger(arg_name="timer", schedule="0 0 1 * * *", run_on_startup=False)
def import_erp_sales_data(timer: func.TimerRequest) -> None:
    """Import yesterday. Idempotent by the business day; a manual run may name a day and a store."""
    hub = current_hub()
    manual = as_object(str((getattr(timer, "schedule", None) or {}).get("Input", "")))
    if not manual:
        start_daily_import(hub.sales, Trigger.TIMER, "ImportErpSalesData")
        return
    body = ImportBody.model_validate(manual)
    start_import(hub.sales, StartRequest(body.date, Trigger.MANUAL, "admin endpoint", store_id=body.storeId))


@blueprint.function_name(name="WatchImports")
@blueprint.timer_trigger(arg_name="timer", schedule="30 */5 * * * *", run_on_startup=False)
def watch(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the binding's name
    """Start what was not started, take up what makes no progress. Idempotent: what goes on is not disturbed."""
    watch_imports(current_hub().sales)


@blueprint.function_name(name="ProcessImportSlice")
@blueprint.queue_trigger(arg_name="msg", queue_name="import-slices", connection="AzureWebJobsStorage")
def process_import_slice(msg: func.QueueMessage) -> None:
    """Do a slice of an import, or publish it. Idempotent by run and slice."""
    hub = current_hub()
    hub.messages.process(
        "import-slices",
        msg.get_body(),
        lambda message: handle_import_message(hub.sales, message),
        lambda message, error: give_up_import_message(hub.sales, message, error),
    )


@blueprint.function_name(name="ImportDroppedFile")
@blueprint.blob_trigger(
    arg_name="blob", path="erp-inbox/{name}", connection="AzureWebJobsStorage", source=func.BlobSource.EVENT_GRID
)
def import_dropped_file(blob: func.InputStream) -> None:
    """Import a file of sales. Idempotent by the file's name and ETag."""
    import_file(current_hub().sales, str(blob.name).removeprefix("erp-inbox/"))


@api(blueprint, "StartImport")
def start(hub: Hub, request: ApiRequest) -> ApiResult:
    """Start an import. With an Idempotency-Key header, repeats give the same run."""
    body = request.body(ImportBody)
    key = request.http.headers.get("Idempotency-Key")
    run_id = start_import(
        hub.sales,
        StartRequest(
            body.date,
            Trigger.API,
            request.principal.subject,
            key=f"api|{request.principal.subject}|{body.date}|{body.storeId}|{key}" if key else None,
            store_id=body.storeId,
            correlation_id=request.request_id,
        ),
    )
    return ApiResult({"runId": run_id, "status": RunStatus.QUEUED.value}, 202)


@api(blueprint, "ListImports")
def list_imports(hub: Hub, request: ApiRequest) -> ApiResult:
    """List imports, newest first; `status`, `date`, `pageSize`, `pageToken`."""
    status, day = request.query("status"), request.query("date")
    if status and status not in list(RunStatus):
        allowed = ", ".join(RunStatus)
        raise InvalidRequest("status is not valid", (FieldProblem("status", f"must be one of {allowed}"),))
    query = f"imports|{status}|{day}"
    position = hub.page_tokens.read(query, request.query("pageToken"))
    found = list_runs(
        hub.sales,
        size=request.page_size(),
        position=position,
        status=RunStatus(status) if status else None,
        day=day,
    )
    return ApiResult(found.items, metadata=_next(hub, query, found.next_position))


@api(blueprint, "GetImport")
def get_import(hub: Hub, request: ApiRequest) -> ApiResult:
    """Show an import."""
    return ApiResult(show_run(hub.sales, request.path("id")))


@api(blueprint, "ListImportRejects")
def list_import_rejects(hub: Hub, request: ApiRequest) -> ApiResult:
    """List what an import refused."""
    run_id = request.path("id")
    query = f"rejects|{run_id}"
    position = hub.page_tokens.read(query, request.query("pageToken"))
    found = list_rejects(hub.sales, run_id, size=request.page_size(), position=position)
    return ApiResult(found.items, metadata=_next(hub, query, found.next_position))


@api(blueprint, "MapEmployees")
def put_mappings(hub: Hub, request: ApiRequest) -> ApiResult:
    """Map ERP employees; sales that were held for them are counted."""
    mappings = {item.erpEmployeeId: item.employeeId for item in request.body(MappingsBody).mappings}
    runs = map_employees(hub.sales, mappings)
    return ApiResult({"mapped": len(mappings), "runsLookedAtAgain": sorted(runs)})


def _next(hub: Hub, query: str, position: str | None) -> dict[str, Any]:
    return {"nextPageToken": hub.page_tokens.write(query, position)}
