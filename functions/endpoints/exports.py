"""Payroll exports over HTTP (INC-50, INC-51, INC-55)."""

from pydantic import BaseModel, ConfigDict

from functions.answering import ApiFile, ApiRequest, ApiResult
from functions.endpoints.calculations import Period
from shared.hub import Hub
from shared.kernel.blob import BlobMissing
from shared.kernel.errors import NotFound
from shared.kernel.pay_period import parse_period
from shared.payroll.export_store import exports_of
from shared.payroll.notices import summary
from shared.payroll.queries import whole
from shared.payroll.run import resume_export
from shared.payroll.start import ExportRequest, start_export


class TriggerBody(BaseModel):
    """`{"period": "2025-01", "force": true}`; force exports although calculations wait for a decision."""

    model_config = ConfigDict(extra="forbid")
    period: Period
    force: bool = False


def trigger(hub: Hub, request: ApiRequest) -> ApiResult:
    """Start an export; while one of the period runs, repeats give that one."""
    body = request.body(TriggerBody)
    asked = ExportRequest(
        parse_period(body.period), "Api", request.principal.subject, force=body.force, correlation_id=request.request_id
    )
    return ApiResult(summary(start_export(hub.payroll, asked)), 202)


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
