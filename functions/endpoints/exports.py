"""Payroll exports over HTTP (INC-50, INC-51, INC-55)."""

from pydantic import BaseModel, ConfigDict, Field

from functions.answering import ApiFile, ApiRequest, ApiResult
from functions.endpoints.calculations import Period
from shared.hub import Hub
from shared.incentives.post import Amount
from shared.kernel.blob import BlobMissing
from shared.kernel.errors import NotFound
from shared.kernel.money import amount_text
from shared.kernel.pay_period import own_period, parse_period
from shared.payroll.approved import Expected, look_at
from shared.payroll.export_store import exports_of
from shared.payroll.notices import summary
from shared.payroll.queries import whole
from shared.payroll.run import resume_export
from shared.payroll.start import ExportRequest, start_export


class TriggerBody(BaseModel):
    """`{"period": "2025-01", "count": 2, "totalNet": "12.34", "force": true}`.

    Count and total are what the caller saw of what is approved; force exports although others wait for a decision.
    """

    model_config = ConfigDict(extra="forbid")
    period: Period
    force: bool = False
    count: int | None = Field(default=None, ge=0)
    totalNet: Amount | None = None  # noqa: N815 - JSON is camelCase


def trigger(hub: Hub, request: ApiRequest) -> ApiResult:
    """Start an export; while one of the period runs, repeats give that one."""
    body = request.body(TriggerBody)
    asked = ExportRequest(
        parse_period(body.period),
        "Api",
        request.principal.subject,
        force=body.force,
        correlation_id=request.request_id,
        expected=Expected(body.count, body.totalNet),
    )
    return ApiResult(summary(start_export(hub.payroll, asked)), 202)


def preview(hub: Hub, request: ApiRequest) -> ApiResult:
    """Show what an export of a period would take now: what `trigger` is to be told."""
    period = own_period(request.path_period("period"), hub.payroll.rules.pay_calendar).name
    payables = hub.payroll.payables
    approved, _ = look_at(payables.approved(period))
    return ApiResult(
        {
            "period": period,
            "count": approved.count,
            "totalNet": amount_text(approved.total_minor),
            "currency": hub.payroll.rules.currency,
            "undecided": len(payables.undecided(period)),
            "unsubmitted": payables.unsubmitted(period),
        }
    )


def list_all(hub: Hub, request: ApiRequest) -> ApiResult:
    """List exports, newest first."""
    position = hub.page_tokens.read("exports", request.query("pageToken"))
    page = hub.payroll.exports.page(request.page_size(), position)
    token = hub.page_tokens.write("exports", page.next_position)
    return ApiResult([summary(export) for export in exports_of(page)], metadata={"nextPageToken": token})


def show(hub: Hub, request: ApiRequest) -> ApiResult:
    """Show an export: steps, control totals, rejected and withheld records."""
    return ApiResult(whole(hub.payroll, hub.payroll.exports.get(request.path("id"))))


def file(hub: Hub, request: ApiRequest) -> ApiFile:
    """Return the archived CSV."""
    export = hub.payroll.exports.get(request.path("id"))
    try:
        return ApiFile(hub.payroll.archive.read(export.csv_blob), "text/csv", export.file_name)
    except BlobMissing:
        raise NotFound(f"export {export.export_id} has no file: it is {export.status}, step {export.step}") from None


def resume(hub: Hub, request: ApiRequest) -> ApiResult:
    """Let a stopped export go on. Idempotent."""
    return ApiResult(summary(resume_export(hub.payroll, request.path("id"))), 202)
