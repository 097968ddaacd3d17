"""Order intake over HTTP (RES-01)."""

from functions.answering import ApiRequest, ApiResult
from shared.hub import Hub
from shared.kernel.adapter import CallContext
from shared.orders.order_body import OrderBody


def take_in(hub: Hub, request: ApiRequest) -> ApiResult:
    """Bring an order to the sales system; a repeat gets the same answer."""
    order = request.body(OrderBody).order()
    context = CallContext(request.request_id, hub.tenant, request.principal.subject, hub.clock())
    taken = hub.orders.execute(order, context)
    data = {"orderId": taken.order_id, "salesOrderNumber": taken.sales_order_number, "status": taken.status}
    return ApiResult(data, 201)
