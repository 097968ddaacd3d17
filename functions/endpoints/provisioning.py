"""Pulls of users from Microsoft Graph over HTTP (INC-33)."""

from pydantic import BaseModel, ConfigDict

from functions.answering import ApiRequest, ApiResult
from shared.hub import Hub
from shared.provisioning.sync import start_sync as begin
from shared.provisioning.sync import summary
from shared.provisioning.sync_runs import sync_runs_of

_LISTING = "provisioning-syncs"


class StartSync(BaseModel):
    """What is to be pulled: what changed since the last time, or everybody."""

    model_config = ConfigDict(extra="forbid", strict=True)

    full: bool = False


def start_sync(hub: Hub, request: ApiRequest) -> ApiResult:
    """Start a pull, or return the one that is going on."""
    full = request.body(StartSync).full
    return ApiResult({"runId": begin(hub.user_sync, request.principal.subject, full=full)}, 202)


def list_syncs(hub: Hub, request: ApiRequest) -> ApiResult:
    """List pulls, newest first."""
    position = hub.page_tokens.read(_LISTING, request.query("pageToken"))
    page = hub.user_sync.runs.page(request.page_size(), position)
    token = hub.page_tokens.write(_LISTING, page.next_position)
    return ApiResult([summary(run) for run in sync_runs_of(page)], metadata={"nextPageToken": token})


def show_sync(hub: Hub, request: ApiRequest) -> ApiResult:
    """Show a pull."""
    return ApiResult(summary(hub.user_sync.runs.get(request.path("id"))))
