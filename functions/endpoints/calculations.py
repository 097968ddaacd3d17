"""Calculations over HTTP (INC-40, INC-41, INC-42)."""

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue

from functions.answering import ApiRequest, ApiResult
from shared.hub import Hub
from shared.incentives.amend import Correction
from shared.incentives.amend import amend as store_amendment
from shared.incentives.calculate_period import start_calculation
from shared.incentives.calculation import State
from shared.incentives.calculation_runs import calculation_runs_of
from shared.incentives.calculation_store import calculations_of
from shared.incentives.differences import difference_of, differences_in, shown_difference
from shared.incentives.post import Amount, shown
from shared.incentives.post import post as store_posted
from shared.incentives.queries import shown_run, summary, whole
from shared.incentives.seen import etag_of
from shared.kernel.errors import FieldProblem, InvalidRequest
from shared.kernel.pay_period import own_period, parse_period


def _period_name(value: object) -> str:
    return parse_period(str(value)).name


Period = Annotated[str, BeforeValidator(_period_name)]


class PeriodBody(BaseModel):
    """`{"period": "2025-01"}`."""

    model_config = ConfigDict(extra="forbid")
    period: Period


class PostBody(BaseModel):
    """`{"calculations": [...]}`; each is looked at by itself."""

    model_config = ConfigDict(extra="forbid")
    calculations: list[JsonValue] = Field(min_length=1, max_length=1000)


class AmendBody(BaseModel):
    """`{"correctedNet": "12.34", "reason": "..."}`."""

    model_config = ConfigDict(extra="forbid")
    correctedNet: Amount  # noqa: N815 - JSON is camelCase
    reason: str = Field(min_length=1, max_length=500)


def start_run(hub: Hub, request: ApiRequest) -> ApiResult:
    """Calculate a period."""
    run_id = start_calculation(hub.incentives, request.body(PeriodBody).period, request.principal.subject)
    return ApiResult({"runId": run_id, "status": "Queued"}, 202)


def list_runs(hub: Hub, request: ApiRequest) -> ApiResult:
    """List calculation runs, newest first."""
    position = hub.page_tokens.read("calculation-runs", request.query("pageToken"))
    page = hub.incentives.runs.page(request.page_size(), position)
    token = hub.page_tokens.write("calculation-runs", page.next_position)
    return ApiResult([shown_run(run) for run in calculation_runs_of(page)], metadata={"nextPageToken": token})


def show_run(hub: Hub, request: ApiRequest) -> ApiResult:
    """Show a calculation run."""
    return ApiResult(shown_run(hub.incentives.runs.get(request.path("id"))))


def post(hub: Hub, request: ApiRequest) -> ApiResult:
    """Store calculations that were made elsewhere. Idempotent by employee, period and their own ID."""
    results = store_posted(hub.incentives, request.body(PostBody).calculations, request.principal.subject)
    refused = sum(bool(result.outcome.code) for result in results)
    metadata = {"accepted": len(results) - refused, "refused": refused}
    return ApiResult([shown(result) for result in results], 207 if refused else 200, metadata)


def list_all(hub: Hub, request: ApiRequest) -> ApiResult:
    """List the calculations of a period; `period`, `status`, `employeeId`, `differing`, `pageSize`, `pageToken`."""
    period = _required_period(hub, request)
    status, employee_id = request.choice("status", State), request.identifier("employeeId")
    if request.choice("differing", ["true"]):
        if status or employee_id:
            problem = FieldProblem("differing", "is a list of its own: give neither status nor employeeId")
            raise InvalidRequest("differing is not valid", (problem,))
        return _list_differing(hub, request, period)
    query = f"calculations|{period}|{status}|{employee_id}"
    position, size = hub.page_tokens.read(query, request.query("pageToken")), request.page_size()
    if employee_id:
        found = hub.incentives.calculations.of_employee(period, employee_id)
        matching = [summary(one) for one in found if not status or one.state == status]
        return ApiResult(matching, metadata={"nextPageToken": None})
    equal: dict[str, str | int | bool] = {"state": status} if status else {}
    page = hub.incentives.calculations.page(period, size=size, position=position, equal=equal)
    token = hub.page_tokens.write(query, page.next_position)
    return ApiResult([summary(one) for one in calculations_of(page)], metadata={"nextPageToken": token})


def _list_differing(hub: Hub, request: ApiRequest, period: str) -> ApiResult:
    """List what would come to something else by the present sales, with the amendments that put it right."""
    query = f"calculations|{period}|differing"
    after, size = hub.page_tokens.read(query, request.query("pageToken")) or "", request.page_size()
    found = differences_in(hub.incentives.calculations.of_period(period))
    left = [one for one in found if one.calculation.calculation_id > after]
    shown = left[:size]
    last = shown[-1].calculation.calculation_id if len(left) > size else None
    token = hub.page_tokens.write(query, last)
    data = [summary(one.calculation) | shown_difference(one) for one in shown]
    return ApiResult(data, metadata={"nextPageToken": token, "count": len(found)})


def show(hub: Hub, request: ApiRequest) -> ApiResult:
    """Show a calculation with its breakdown and audit trail, and what it would come to now."""
    calculation = hub.incentives.calculations.get(request.path("id"))
    difference = difference_of(hub.incentives, calculation)
    data = whole(calculation) | (shown_difference(difference) if difference else {})
    return ApiResult(data, etag=etag_of(calculation))


def amend(hub: Hub, request: ApiRequest) -> ApiResult:
    """Correct an approved or exported calculation by an amendment, itself to be approved."""
    body = request.body(AmendBody)
    correction = Correction(body.correctedNet, body.reason)
    amendment = store_amendment(hub.incentives, request.path("id"), correction, request.principal.subject)
    return ApiResult(whole(amendment), 201, etag=etag_of(amendment))


def _required_period(hub: Hub, request: ApiRequest) -> str:
    try:
        named = parse_period(request.query("period") or "").name
    except ValueError:
        problem = FieldProblem("period", "must be a pay period such as 2025-01 or 2025-W03")
        raise InvalidRequest("period is not valid", (problem,)) from None
    return own_period(named, hub.incentives.pay_calendar).name
