"""Traceability over HTTP: why was I paid this?"""

from functions.answering import ApiRequest, ApiResult
from shared.hub import Hub
from shared.wiring.pay_trace import trace_pay


def show(hub: Hub, request: ApiRequest) -> ApiResult:
    """Return what an employee's pay of a period comes from, down to the transactions."""
    period = request.path_period("period")
    return ApiResult(trace_pay(hub, request.path("employeeId"), period))
