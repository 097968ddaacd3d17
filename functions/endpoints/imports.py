"""Imports of sales over HTTP (INC-01, INC-04, INC-05, INC-06)."""

from datetime import date
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from functions.answering import ApiRequest, ApiResult
from shared.hub import Hub
from shared.kernel.clock import plausible
from shared.sales.confirm import confirm_import
from shared.sales.employees import map_employees
from shared.sales.outcome import run_summary
from shared.sales.queries import list_rejects, list_runs, show_run
from shared.sales.runs import RunStatus, Trigger
from shared.sales.start import StartRequest, start_import

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
    """`{"mappings": [{"erpEmployeeId": "E1", "employeeId": "H1"}], "since": "2025-02-01"}`; the day is optional."""

    model_config = ConfigDict(extra="forbid")
    since: Annotated[date, AfterValidator(plausible)] | None = None
    mappings: list[MappingBody] = Field(min_length=1, max_length=1000)


def start(hub: Hub, request: ApiRequest) -> ApiResult:
    """Start an import. With an Idempotency-Key header, repeats give the same run; Conflict for another one under it."""
    body = request.body(ImportBody)
    key = request.http.headers.get("Idempotency-Key")
    run_id = start_import(
        hub.sales,
        StartRequest(
            body.date,
            Trigger.API,
            request.principal.subject,
            key=f"api|{request.principal.subject}|{key}" if key else None,
            store_id=body.storeId,
            correlation_id=request.request_id,
        ),
    )
    return ApiResult({"runId": run_id, "status": RunStatus.QUEUED.value}, 202)


def list_all(hub: Hub, request: ApiRequest) -> ApiResult:
    """List imports, newest first; `status`, `date`, `pageSize`, `pageToken`."""
    status, date_given = request.choice("status", RunStatus), request.day("date")
    day = date_given.isoformat() if date_given else None
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


def show(hub: Hub, request: ApiRequest) -> ApiResult:
    """Show an import."""
    return ApiResult(show_run(hub.sales, request.path("id")))


def confirm(hub: Hub, request: ApiRequest) -> ApiResult:
    """Let an import count by which stores drop. Idempotent; Conflict for one that waits for no confirmation."""
    run = confirm_import(hub.sales, request.path("id"), request.principal.subject)
    return ApiResult(run_summary(run, run.status), 202)


def list_what_was_rejected(hub: Hub, request: ApiRequest) -> ApiResult:
    """List what an import refused."""
    run_id = request.path("id")
    query = f"rejects|{run_id}"
    position = hub.page_tokens.read(query, request.query("pageToken"))
    found = list_rejects(hub.sales, run_id, size=request.page_size(), position=position)
    return ApiResult(found.items, metadata=_next(hub, query, found.next_position))


def put_mappings(hub: Hub, request: ApiRequest) -> ApiResult:
    """Map ERP employees from a day on; sales of days that nobody owned before, held ones too, are counted."""
    body = request.body(MappingsBody)
    mappings = {item.erpEmployeeId: item.employeeId for item in body.mappings}
    runs = map_employees(hub.sales, mappings, body.since)
    found = hub.sales.mappings.find(mappings.keys())
    owners = {
        erp_id: [{"since": since.isoformat(), "employeeId": employee} for since, employee in one.turns.items()]
        for erp_id, one in sorted(found.items())
    }
    return ApiResult({"mapped": len(mappings), "owners": owners, "runsLookedAtAgain": sorted(runs)})


def _next(hub: Hub, query: str, position: str | None) -> dict[str, Any]:
    return {"nextPageToken": hub.page_tokens.write(query, position)}
