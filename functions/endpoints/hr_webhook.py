"""The HR system's webhook (INC-20, INC-21)."""

from functions.answering import ApiRequest
from functions.partner_contract import PartnerAnswer
from shared.hub import Hub
from shared.workforce.receive import receive as take_in


def receive(hub: Hub, request: ApiRequest) -> PartnerAnswer:
    """Take a delivery in. Idempotent by X-Delivery-Id."""
    headers = {name.lower(): value for name, value in request.http.headers.items()}
    receipt = take_in(hub.workforce, headers, request.http.get_body())
    return PartnerAnswer(receipt.status, receipt.body)
