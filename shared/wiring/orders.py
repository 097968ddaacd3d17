"""Order intake, where the sales system is set."""

from typing import TYPE_CHECKING

from shared.adapters.logs import correlated
from shared.kernel.errors import Conflict, FieldProblem
from shared.orders.intake import PARTNER, OrderIntake

if TYPE_CHECKING:
    from shared.hub import Hub


def build(hub: "Hub") -> OrderIntake:
    """Return the adapter. Conflict where SALES_BASE_URL is not set: this hub takes no orders in."""
    given = hub.settings.sales
    if given is None:
        problem = FieldProblem("SALES_BASE_URL", "is not set")
        raise Conflict("this hub takes no orders in: setting SALES_BASE_URL is not set", (problem,))
    client = hub.partners.with_oauth(PARTNER, given)
    return OrderIntake(client, hub.once, correlated)
