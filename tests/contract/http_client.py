"""The HTTP client as the tests of its contract make it."""

from shared.adapters.http import PartnerClient
from shared.adapters.http_wire import Timeouts, Wire
from shared.adapters.resilience.policies import RetryPolicy
from shared.adapters.resilience.retry import Retry
from shared.adapters.resilience.retry_budget import RetryBudget
from tests.unit.adapters.loopback import answer
from tests.unit.adapters.manual_time import ManualTime

OK = answer(200, b'{"amount": 0.1, "units": 3}')


class Tokens:
    """Hands out numbered tokens."""

    def __init__(self) -> None:
        self.number = 1
        self.invalidated: list[str] = []

    def token(self) -> str:
        return f"token-{self.number}"

    def invalidate(self, token: str) -> None:
        self.invalidated.append(token)
        self.number += 1


PATIENT = Timeouts(connect=10, read=10, total=10)
"""Nothing that answers takes so long, however busy the machine is."""
IMPATIENT = Timeouts(connect=10, read=0.15, total=0.25)
"""For partners that answer never, or not to the end."""


def make(
    url: str, *, retries: int = 0, time: ManualTime | None = None, timeouts: Timeouts = PATIENT, **options: object
) -> PartnerClient:
    """Return the client of a partner at a URL, which waits for retries on a clock of its own."""
    hands = time or ManualTime()
    retry = Retry(RetryPolicy(retries, 1, 60), RetryBudget(hands.clock), sleep=hands.sleep)
    wire = Wire("erp", timeouts)
    return PartnerClient("erp", url, wire=wire, retry=retry, clock=hands.clock, **options)  # type: ignore[arg-type]
