"""Health of the hub (INC-72)."""

import azure.functions as func

from functions.endpoint import ApiRequest, ApiResult, api
from shared.health.checks import Health, overall
from shared.hub import Hub

blueprint = func.Blueprint()


@api(blueprint, "GetHealth")
def get_health(hub: Hub, request: ApiRequest) -> ApiResult:  # noqa: ARG001 - every endpoint has it
    """All integrations; 503 when the hub can do nothing."""
    return _result(hub, None)


@api(blueprint, "GetReadiness")
def get_readiness(hub: Hub, request: ApiRequest) -> ApiResult:  # noqa: ARG001
    """Whether requests can be served: storage answers."""
    return _result(hub, ("storage",))


@api(blueprint, "GetLiveness")
def get_liveness(hub: Hub, request: ApiRequest) -> ApiResult:  # noqa: ARG001
    """The process answers; nothing is looked at."""
    return ApiResult({"status": Health.HEALTHY.value})


@api(blueprint, "GetStartup")
def get_startup(hub: Hub, request: ApiRequest) -> ApiResult:  # noqa: ARG001
    """Whether all settings are there and valid; names those that are not, never their values."""
    problems = [{"setting": item.field, "problem": item.message} for item in hub.settings.problems()]
    status = Health.UNHEALTHY if problems else Health.HEALTHY
    return ApiResult({"status": status.value, "problems": problems}, 503 if problems else 200)


def _result(hub: Hub, names: tuple[str, ...] | None) -> ApiResult:
    findings = hub.health.run(names)
    status = overall(findings)
    data = {"status": status.value, "checks": [item.shown() for item in findings]}
    return ApiResult(data, 503 if status is Health.UNHEALTHY else 200)
