"""Traceability over HTTP: why was I paid this?"""

from functions.answering import ApiRequest, ApiResult
from shared.hub import Hub
from shared.kernel.pay_period import own_period
from shared.wiring.pay_trace import trace_pay


def show(hub: Hub, request: ApiRequest) -> ApiResult:
    """Return what an employee's pay of a period comes from, down to the transactions."""
    period = own_period(request.path_period("period"), hub.incentives.pay_calendar).name
    return ApiResult(trace_pay(hub, request.path("employeeId"), period))
