"""Employees and full syncs over HTTP (INC-22, INC-24)."""

from functions.answering import ApiRequest, ApiResult
from shared.hub import Hub
from shared.workforce.employees import people_of
from shared.workforce.full_sync import start_sync as begin
from shared.workforce.full_sync import summary
from shared.workforce.queries import shown_delivery, shown_employee
from shared.workforce.sync_runs import sync_runs_of


def list_all(hub: Hub, request: ApiRequest) -> ApiResult:
    """List employees by ID; `pageSize`, `pageToken`."""
    position = hub.page_tokens.read("employees", request.query("pageToken"))
    page = hub.workforce.employees.page(request.page_size(), position)
    now = hub.clock()
    items = [shown_employee(person.at(now)) for person in people_of(page)]
    return ApiResult(items, metadata={"nextPageToken": hub.page_tokens.write("employees", page.next_position)})


def show(hub: Hub, request: ApiRequest) -> ApiResult:
    """Show an employee as he is now."""
    return ApiResult(shown_employee(hub.workforce.employees.get(request.path("id")).at(hub.clock())))


def start_sync(hub: Hub, request: ApiRequest) -> ApiResult:
    """Start a full sync."""
    return ApiResult({"runId": begin(hub.workforce, request.principal.subject)}, 202)


def list_syncs(hub: Hub, request: ApiRequest) -> ApiResult:
    """List full syncs, newest first."""
    position = hub.page_tokens.read("employee-syncs", request.query("pageToken"))
    page = hub.workforce.sync_runs.page(request.page_size(), position)
    token = hub.page_tokens.write("employee-syncs", page.next_position)
    return ApiResult([summary(run) for run in sync_runs_of(page)], metadata={"nextPageToken": token})


def show_sync(hub: Hub, request: ApiRequest) -> ApiResult:
    """Show a full sync."""
    return ApiResult(summary(hub.workforce.sync_runs.get(request.path("id"))))


def list_for_review(hub: Hub, request: ApiRequest) -> ApiResult:
    """List the HR events whose type the hub does not know; `pageSize`, `pageToken`."""
    position = hub.page_tokens.read("hr-events", request.query("pageToken"))
    found, after = hub.workforce.deliveries.for_review(request.page_size(), position)
    token = hub.page_tokens.write("hr-events", after)
    return ApiResult([shown_delivery(one) for one in found], metadata={"nextPageToken": token})
