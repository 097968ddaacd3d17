"""Every provider of e-mails keeps the same promise: over SMTP, SendGrid and Azure Communication Services (INC-61)."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler

import pytest

from local.azurite_process import free_ports
from local.loopback_http import LoopbackHttp
from local.mail_preview import SAMPLES
from local.sandbox.mail_gateways import receive_communication_services, receive_sendgrid, tell_operation, tell_scopes
from local.sandbox.mailbox import Mailbox
from local.sandbox.wire import Answer, send
from shared.adapters.mail_providers import mail_provider
from shared.adapters.partners import Partners
from shared.adapters.settings import MailSettings, Settings
from shared.adapters.settings.secret_settings import SECRETS
from shared.kernel.errors import CircuitOpen, ConfigurationError, CredentialsRefused, PartnerRefused, PartnerUnavailable
from shared.kernel.mail import Mail, MailGateway
from shared.notify.delivery import MAIL_LOG, MailDelivery
from tests.fakes.secrets import RotatingSecrets
from tests.fakes.tables import MemoryTables
from tests.unit.adapters.manual_time import ManualTime

ZOE = "zoe@example.com"
ATTEMPTS = 6
"""The first one and five retries (RES-04)."""
KEY = "SG.key"
ACCESS_KEY = "bG9jYWwtYWNzLWFjY2Vzcy1rZXk="
OTHER_ACCESS_KEY = "b3RoZXI="
MAIL = Mail(
    "noreply@hub.example.com",
    ZOE,
    "Prämie für Zoë: 3 € " + "a long subject that has to be folded " * 3,
    "Grüße, Zoë\n\n.\nFrom here on: <script>\n" + "long " * 300 + "\n",
    "<p>Grüße, Zoë &amp; &lt;script&gt;</p>\n",
    "<0194a6c2-5c1e-4c3a-9f5e-2d7b8a90c111@hub.example.com>",
)


@dataclass
class Case:
    """A provider, what it sends to, and how that says later, that it is away as a whole, and never."""

    name: str
    settings: MailSettings
    mailbox: Mailbox
    provider: MailGateway
    later: int
    away: int
    never: int
    time: ManualTime
    tables: MemoryTables


@contextmanager
def gateways(mailbox: Mailbox) -> Iterator[str]:
    """Serve both gateways' HTTP side."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = dict(self.headers.items())
            if self.path == "/sendgrid/v3/mail/send":
                answer = receive_sendgrid(mailbox, headers, body, key=KEY)
            elif self.path.startswith("/acs/emails:send?"):
                answer = receive_communication_services(mailbox, self.path, headers, body, access_key=ACCESS_KEY)
            else:
                answer = Answer(status=404)
            send(self, answer)

        def do_GET(self) -> None:
            headers = dict(self.headers.items())
            if self.path == "/sendgrid/v3/scopes":
                send(self, tell_scopes(headers, key=KEY))
            elif self.path.startswith("/acs/emails/operations/"):
                send(self, tell_operation(self.path, headers, access_key=ACCESS_KEY))
            else:
                send(self, Answer(status=404))

    with LoopbackHttp(Handler) as server:
        yield server.url


def environment_of(name: str, mailbox: Mailbox, url: str) -> dict[str, str]:
    return {
        "MAIL_PROVIDER": name,
        "MAIL_DOMAIN": "hub.example.com",
        "MAIL_SMTP_HOST": "127.0.0.1",
        "MAIL_SMTP_PORT": str(mailbox.port),
        "MAIL_SMTP_STARTTLS": "false",
        "MAIL_SENDGRID_KEY": KEY,
        "MAIL_SENDGRID_BASE_URL": f"{url}/sendgrid",
        "MAIL_ACS_ENDPOINT": f"{url}/acs",
        "MAIL_ACS_ACCESS_KEY": ACCESS_KEY,
    }


def provider_of(
    settings: MailSettings, time: ManualTime | None = None, tables: MemoryTables | None = None
) -> MailGateway:
    time = time or ManualTime()
    partners = Partners(tables or MemoryTables(), "acme", time.clock, time.sleep)
    found = mail_provider(settings, partners, time.clock)
    assert found
    return found


@pytest.fixture(params=["smtp", "sendgrid", "communication-services"])
def case(request: pytest.FixtureRequest) -> Iterator[Case]:
    """Each provider in turn, against a mailbox of its own."""
    mailbox = Mailbox()
    with gateways(mailbox) as url:
        settings = Settings(environment_of(request.param, mailbox, url)).mail
        later, away, never = (450, 421, 550) if request.param == "smtp" else (503, 503, 400)
        time, tables = ManualTime(), MemoryTables()
        yield Case(
            request.param, settings, mailbox, provider_of(settings, time, tables), later, away, never, time, tables
        )
    mailbox.close()


def test_what_arrives_is_what_was_sent(case: Case) -> None:
    case.provider.send(MAIL)
    (found,) = case.mailbox.messages()
    assert found == {
        "from": "noreply@hub.example.com",
        "to": ZOE,
        "subject": MAIL.subject,
        "text": MAIL.text,
        "html": MAIL.html,
        "messageId": MAIL.message_id,
        "via": case.name,
    }


@pytest.mark.parametrize("template", SAMPLES)
def test_every_template_arrives(case: Case, template: str) -> None:
    time = ManualTime()
    table = MemoryTables().table(MAIL_LOG)
    delivery = MailDelivery(table, case.provider, "acme", time.clock, case.settings.sender)
    outcomes = [delivery.deliver("event", template, ZOE, SAMPLES[template]) for _ in range(2)]
    assert outcomes == ["Sent", "AlreadySent"]
    (found,) = case.mailbox.messages()
    assert found["from"] == "noreply@hub.example.com"
    assert found["html"].startswith("<!DOCTYPE html>")
    assert "<script" not in found["html"]


def test_later_is_raised_and_the_next_try_arrives_with_the_same_message_id(case: Case) -> None:
    case.mailbox.fail(ZOE, case.later, ATTEMPTS)
    with pytest.raises(PartnerUnavailable) as raised:
        case.provider.send(MAIL)
    assert ZOE not in str(raised.value)
    assert case.mailbox.messages() == []
    case.provider.send(MAIL)
    assert [found["messageId"] for found in case.mailbox.messages()] == [MAIL.message_id]


def test_a_passing_failure_is_retried_in_place(case: Case) -> None:
    """RES-04: half a second, a second, two: a queued message would wait for half a minute."""
    case.mailbox.fail(ZOE, case.later, 3)
    case.provider.send(MAIL)
    assert [found["messageId"] for found in case.mailbox.messages()] == [MAIL.message_id]
    assert [round(seconds) for seconds in case.time.slept] in ([0, 1, 2], [1, 1, 2])


def test_a_provider_that_is_away_is_not_asked_for_a_while_by_any_instance(case: Case) -> None:
    """RES-03: ten failures open the circuit for 30 s, three successes close it."""
    case.mailbox.fail(ZOE, case.away, 10)
    for _ in range(2):
        with pytest.raises(PartnerUnavailable):
            case.provider.send(MAIL)
    other = provider_of(case.settings, case.time, case.tables)
    with pytest.raises(CircuitOpen) as held:
        other.send(MAIL)
    assert case.mailbox.messages() == []
    case.time.advance(held.value.retry_after)
    for _ in range(3):
        other.send(MAIL)
    assert len(case.mailbox.messages()) == 3


def test_many_at_once_wait_for_the_rate_limit(case: Case) -> None:
    """RES-07: 100 at once, then 20 a second."""
    case.time.slept.clear()
    for _ in range(100):
        case.provider.send(MAIL)
    assert case.time.slept == []
    for _ in range(20):
        case.provider.send(MAIL)
    assert sum(case.time.slept) == pytest.approx(1, abs=0.11)


def test_never_is_refused_for_this_recipient_alone(case: Case) -> None:
    case.mailbox.fail(ZOE, case.never)
    with pytest.raises(PartnerRefused) as raised:
        case.provider.send(MAIL)
    assert raised.value.status == case.never
    assert ZOE not in str(raised.value)
    case.provider.send(replace(MAIL, recipient="ben@example.com"))
    assert [found["to"] for found in case.mailbox.messages()] == ["ben@example.com"]


def test_a_lasting_failure_is_recorded_and_raised_to_nobody(case: Case) -> None:
    case.mailbox.fail(ZOE, case.never)
    delivery = MailDelivery(
        MemoryTables().table(MAIL_LOG), case.provider, "acme", ManualTime().clock, case.settings.sender
    )
    outcomes = [delivery.deliver("event", "calculation-summary", ZOE, SAMPLES["calculation-summary"]) for _ in range(2)]
    assert outcomes == ["Failed", "Failed"]
    assert case.mailbox.messages() == []


def test_nobody_there_is_a_matter_of_time(case: Case) -> None:
    free = free_ports().blob
    gone = case.settings.model_copy(
        update={
            "smtp_port": free,
            "sendgrid_base_url": f"http://127.0.0.1:{free}",
            "acs_endpoint": f"http://127.0.0.1:{free}",
        }
    )
    with pytest.raises(PartnerUnavailable):
        provider_of(gone).send(MAIL)
    time = ManualTime()
    with pytest.raises(PartnerUnavailable):
        provider_of(gone, time).probe(MAIL.sender)
    assert time.slept == [], "whoever asks will ask again"


def test_a_provider_says_that_it_knows_us_and_sends_nothing(case: Case) -> None:
    """INC-72."""
    case.provider.probe(MAIL.sender)
    assert case.mailbox.messages() == []


@pytest.mark.parametrize(
    ("name", "wrong", "named"),
    [
        ("sendgrid", {"MAIL_SENDGRID_KEY": "SG.other"}, "MAIL_SENDGRID_KEY"),
        ("communication-services", {"MAIL_ACS_ACCESS_KEY": OTHER_ACCESS_KEY}, "MAIL_ACS_ACCESS_KEY"),
        ("sendgrid", {"MAIL_SENDGRID_BASE_URL": "/elsewhere"}, "MAIL_SENDGRID_BASE_URL"),
        ("communication-services", {"MAIL_ACS_ENDPOINT": "/elsewhere"}, "MAIL_ACS_ENDPOINT"),
    ],
)
def test_what_would_stop_every_email_is_for_the_operator(name: str, wrong: dict[str, str], named: str) -> None:
    """Recorded as a failure of one e-mail, wrong credentials would quietly lose them all."""
    mailbox = Mailbox()
    with gateways(mailbox) as url:
        given = environment_of(name, mailbox, url)
        changes = {key: f"{url}{value}" if value.startswith("/") else value for key, value in wrong.items()}
        provider = provider_of(Settings(given | changes).mail)
        with pytest.raises(ConfigurationError) as raised:
            provider.send(MAIL)
        if "KEY" in named:
            with pytest.raises(CredentialsRefused, match=named):
                provider.probe(MAIL.sender)
    mailbox.close()
    assert named in {problem.field for problem in raised.value.problems}
    assert KEY not in str(raised.value)
    assert ZOE not in str(raised.value)


def test_nobody_sends_where_no_provider_is_chosen() -> None:
    time = ManualTime()
    partners = Partners(MemoryTables(), "acme", time.clock, time.sleep)
    assert mail_provider(Settings({}).mail, partners, time.clock) is None


@pytest.mark.parametrize(
    ("name", "setting", "good"),
    [
        ("sendgrid", "MAIL_SENDGRID_KEY", KEY),
        ("communication-services", "MAIL_ACS_ACCESS_KEY", ACCESS_KEY),
    ],
)
def test_a_rotated_key_is_taken_up_at_once(name: str, setting: str, good: str) -> None:
    """RES-11: the gateway says 401, the vault is asked, the e-mail is sent."""
    mailbox = Mailbox()
    store = RotatingSecrets((OTHER_ACCESS_KEY,), (good,))
    with gateways(mailbox) as url:
        given = environment_of(name, mailbox, url) | {setting: "", "KEY_VAULT_URL": "https://hub.vault.azure.net"}
        provider_of(Settings(given, lambda: store).mail).send(MAIL)
        assert [found["to"] for found in mailbox.messages()] == [ZOE]
    mailbox.close()
    assert store.refreshed == {SECRETS[setting].path("default"): 1}
