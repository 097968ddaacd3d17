"""Health of the hub (INC-72)."""

from functions.answering import ApiRequest, ApiResult
from shared.health.build import build_id
from shared.health.checks import overall
from shared.hub import Hub
from shared.kernel.adapter import Health
from shared.kernel.errors import ConfigurationError, FieldProblem


def show(hub: Hub, request: ApiRequest) -> ApiResult:  # noqa: ARG001 - every endpoint has it
    """All integrations; 503 when the hub can do nothing."""
    return _result(hub, None)


def readiness(hub: Hub, request: ApiRequest) -> ApiResult:  # noqa: ARG001
    """Whether work can be taken: tables, blobs and queues answer."""
    return _result(hub, ("storage", "queues"))


def liveness(hub: Hub, request: ApiRequest) -> ApiResult:  # noqa: ARG001
    """The process answers, and says of which build it is; nothing is looked at."""
    return ApiResult({"status": Health.HEALTHY.value, "build": build_id()})


def startup(hub: Hub, request: ApiRequest) -> ApiResult:  # noqa: ARG001
    """Whether all settings and plans are there and valid; names those that are not, never the settings' values."""
    found = hub.settings.problems() or _plan_problems(hub)
    problems = [{"setting": item.field, "problem": item.message} for item in found]
    status = Health.UNHEALTHY if problems else Health.HEALTHY
    return ApiResult({"status": status.value, "problems": problems}, 503 if problems else 200)


def _plan_problems(hub: Hub) -> tuple[FieldProblem, ...]:
    try:
        hub.incentives.plans()
    except ConfigurationError as error:
        return error.problems
    return ()


def _result(hub: Hub, names: tuple[str, ...] | None) -> ApiResult:
    findings = hub.health.run(names)
    status = overall(findings)
    data = {"status": status.value, "checks": [item.shown() for item in findings]}
    return ApiResult(data, 503 if status is Health.UNHEALTHY else 200)
