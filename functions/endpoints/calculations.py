"""Calculations over HTTP (INC-40, INC-41, INC-42)."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue

from functions.answering import ApiRequest, ApiResult
from shared.hub import Hub
from shared.incentives.amend import Correction
from shared.incentives.amend import amend as store_amendment
from shared.incentives.calculate_period import start_calculation
from shared.incentives.calculation import State
from shared.incentives.calculation_runs import calculation_runs_of
from shared.incentives.calculation_store import calculations_of
from shared.incentives.decide import Actor, Outcome
from shared.incentives.decide import approve as do_approve
from shared.incentives.decide import reject as do_reject
from shared.incentives.decide import submit as do_submit
from shared.incentives.post import Amount, shown
from shared.incentives.post import post as store_posted
from shared.incentives.queries import shown_run, summary, whole
from shared.kernel.errors import Conflict, FieldProblem, Forbidden, HubError, InvalidRequest, NotFound
from shared.kernel.pay_period import parse_period

Id = Annotated[str, Field(min_length=1, max_length=64)]


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


class ManyBody(BaseModel):
    """`{"ids": [...]}`, or `{"period": "2025-01"}` for all of a period that are in the state for it."""

    model_config = ConfigDict(extra="forbid")
    ids: list[Id] = Field(default_factory=list, max_length=1000)
    period: Period | None = None
    note: str = Field(default="", max_length=500)


class RejectManyBody(BaseModel):
    """`{"ids": [...], "reason": "..."}`."""

    model_config = ConfigDict(extra="forbid")
    ids: list[Id] = Field(min_length=1, max_length=1000)
    reason: str = Field(min_length=1, max_length=500)


class NoteBody(BaseModel):
    """`{"note": "..."}`."""

    model_config = ConfigDict(extra="forbid")
    note: str = Field(default="", max_length=500)


class ReasonBody(BaseModel):
    """`{"reason": "..."}`."""

    model_config = ConfigDict(extra="forbid")
    reason: str = Field(min_length=1, max_length=500)


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
    """List the calculations of a period; `period`, `status`, `employeeId`, `pageSize`, `pageToken`."""
    period = _required_period(request)
    status, employee_id = request.choice("status", State), request.identifier("employeeId")
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


def show(hub: Hub, request: ApiRequest) -> ApiResult:
    """Show a calculation with its breakdown and audit trail."""
    return ApiResult(whole(hub.incentives.calculations.get(request.path("id"))))


def submit(hub: Hub, request: ApiRequest) -> ApiResult:
    """Submit a calculation for approval."""
    return _one(do_submit(hub.incentives, [request.path("id")], actor_of(request)))


def approve(hub: Hub, request: ApiRequest) -> ApiResult:
    """Approve a calculation."""
    return _one(do_approve(hub.incentives, [request.path("id")], actor_of(request), request.body(NoteBody).note))


def reject(hub: Hub, request: ApiRequest) -> ApiResult:
    """Reject a calculation with a reason."""
    return _one(do_reject(hub.incentives, [request.path("id")], actor_of(request), request.body(ReasonBody).reason))


def amend(hub: Hub, request: ApiRequest) -> ApiResult:
    """Correct an approved or exported calculation by an amendment, itself to be approved."""
    body = request.body(AmendBody)
    correction = Correction(body.correctedNet, body.reason)
    amendment = store_amendment(hub.incentives, request.path("id"), correction, request.principal.subject)
    return ApiResult(whole(amendment), 201)


def submit_many(hub: Hub, request: ApiRequest) -> ApiResult:
    """Submit many: by ID, or all drafts of a period."""
    ids, more = _chosen(hub, request.body(ManyBody), State.DRAFT)
    return _many(do_submit(hub.incentives, ids, actor_of(request)), more=more)


def approve_many(hub: Hub, request: ApiRequest) -> ApiResult:
    """Approve many: by ID, or all of a period that are pending."""
    body = request.body(ManyBody)
    ids, more = _chosen(hub, body, State.PENDING)
    return _many(do_approve(hub.incentives, ids, actor_of(request), body.note), more=more)


def reject_many(hub: Hub, request: ApiRequest) -> ApiResult:
    """Reject many by ID, with one reason."""
    body = request.body(RejectManyBody)
    return _many(do_reject(hub.incentives, body.ids, actor_of(request), body.reason), more=False)


def actor_of(request: ApiRequest) -> Actor:
    """Return who acts."""
    principal = request.principal
    return Actor(principal.subject, principal.identities, principal.address)


_MOST = 1000


def _chosen(hub: Hub, body: ManyBody, state: State) -> tuple[list[str], bool]:
    """Return the IDs that a request is about, and whether the period has more of them than one request does."""
    if bool(body.ids) == bool(body.period):
        raise _invalid("ids", "give either ids or a period")
    if body.ids:
        return body.ids, False
    found: list[str] = []
    for calculation in hub.incentives.calculations.of_period(str(body.period), state=state):
        if len(found) == _MOST:
            return found, True
        found.append(calculation.calculation_id)
    return found, False


def _many(outcomes: list[Outcome], *, more: bool) -> ApiResult:
    refused = sum(bool(one.code) for one in outcomes)
    metadata = {"done": len(outcomes) - refused, "refused": refused, "more": more}
    return ApiResult([_shown(one) for one in outcomes], 207 if refused else 200, metadata)


def _one(outcomes: list[Outcome]) -> ApiResult:
    outcome = outcomes[0]
    if outcome.code:
        errors: dict[str, type[HubError]] = {"NotFound": NotFound, "Forbidden": Forbidden}
        raise errors.get(outcome.code, Conflict)(outcome.reason)
    return ApiResult(_shown(outcome))


def _shown(outcome: Outcome) -> dict[str, Any]:
    return {
        "id": outcome.calculation_id,
        "status": outcome.state or None,
        "code": outcome.code or None,
        "reason": outcome.reason or None,
    }


def _required_period(request: ApiRequest) -> str:
    try:
        return parse_period(request.query("period") or "").name
    except ValueError:
        raise _invalid("period", "must be a pay period such as 2025-01 or 2025-W03") from None


def _invalid(name: str, message: str) -> InvalidRequest:
    return InvalidRequest(f"{name} is not valid", (FieldProblem(name, message),))
