"""The signature for Azure Communication Services, against one that openssl computed from the documented text."""

from shared.adapters.http import PartnerClient
from shared.adapters.http_wire import Wire, WireAnswer, WireRequest
from shared.adapters.mail_communication_services import CommunicationServicesMail
from shared.adapters.resilience.policies import RetryPolicy
from shared.adapters.resilience.retry import Retry
from shared.adapters.resilience.retry_budget import RetryBudget
from shared.kernel.mail import Mail
from tests.fakes.secrets import fixed
from tests.unit.adapters.manual_time import ManualTime

ENDPOINT = "https://acme.communication.azure.com"
MAIL = Mail(
    "noreply@hub.example.com",
    "zoe@example.com",
    "Hello",
    "text\n",
    "<p>html</p>\n",
    "<0194a6c2-5c1e-4c3a-9f5e-2d7b8a90c111@hub.example.com>",
)


class Listening(Wire):
    """Accepts whatever is sent and keeps it."""

    def __init__(self) -> None:
        super().__init__("e-mail")
        self.requests: list[WireRequest] = []

    def send(self, request: WireRequest, *, max_body: int = 0, accept: object = ()) -> WireAnswer:
        self.requests.append(request)
        return WireAnswer(202, {}, b"", 0.0)


def test_the_signature_is_the_documented_one() -> None:
    time, wire = ManualTime(), Listening()
    retry = Retry(RetryPolicy(0, 1, 1), RetryBudget(time.clock), sleep=time.sleep)
    client = PartnerClient("e-mail", ENDPOINT, wire=wire, retry=retry, clock=time.clock)
    CommunicationServicesMail(client, ENDPOINT, fixed("bG9jYWwtYWNzLWFjY2Vzcy1rZXk="), time.clock).send(MAIL)
    (request,) = wire.requests
    assert (request.method, request.url) == ("POST", f"{ENDPOINT}/emails:send")
    assert request.params == {"api-version": "2023-03-31"}
    assert request.headers["Operation-Id"] == "0194a6c2-5c1e-4c3a-9f5e-2d7b8a90c111"
    assert request.headers["x-ms-date"] == "Wed, 15 Jan 2025 01:00:00 GMT"
    assert request.headers["x-ms-content-sha256"] == "Eo1EJNQnrbwitRFXv7hjl+i3oTFhkaqWvHjgKmWUz4s="
    assert request.headers["Authorization"] == (
        "HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256"
        "&Signature=ULav2zpBpYOYTVV6pmf26gnZtDbILQPFL/CJ87960Ag="
    )
    assert request.headers["X-Idempotency-Key"] == MAIL.message_id
