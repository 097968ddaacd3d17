"""Traceability over HTTP: why was I paid this?"""

from functions.answering import ApiRequest, ApiResult
from shared.hub import Hub
from shared.kernel.errors import FieldProblem, InvalidRequest
from shared.kernel.pay_period import parse_period
from shared.wiring.pay_trace import trace_pay


def show(hub: Hub, request: ApiRequest) -> ApiResult:
    """Return what an employee's pay of a period comes from, down to the transactions."""
    try:
        period = parse_period(request.path("period")).name
    except ValueError as error:
        raise InvalidRequest("period is not valid", (FieldProblem("period", str(error)),)) from None
    return ApiResult(trace_pay(hub, request.path("employeeId"), period))
