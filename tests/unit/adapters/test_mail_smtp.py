"""SMTP at its edges: who is told what when the server refuses, falls silent or is somebody else."""

import socket
import ssl
from collections.abc import Callable
from contextlib import closing, nullcontext, suppress
from threading import Thread

import pytest

from local.sandbox.mailbox import Mailbox
from shared.adapters.mail_smtp import SmtpMail, SmtpServer
from shared.adapters.resilience.circuit_breaker import CircuitBreaker
from shared.adapters.resilience.policies import RetryPolicy, policy_of
from shared.adapters.resilience.retry import Retry
from shared.adapters.resilience.retry_budget import RetryBudget
from shared.kernel.errors import (
    ConfigurationError,
    CredentialsRefused,
    HubError,
    NetworkFailure,
    PartnerRefused,
    PartnerTimeout,
    PartnerUnavailable,
    ServerFailure,
)
from shared.kernel.mail import Mail
from shared.kernel.secret import Secret
from tests.certificates import Certificate
from tests.fakes.secrets import fixed, rotated
from tests.fakes.tables import MemoryTables
from tests.unit.adapters.loopback import reset
from tests.unit.adapters.manual_time import ManualTime
from tests.unit.adapters.smtp_script import SmtpScript

MAIL = Mail(
    "noreply@hub.example.com",
    "zoe@example.com",
    "Hello",
    "text\n",
    "<p>html</p>\n",
    "<0194a6c2-5c1e-4c3a-9f5e-2d7b8a90c111@hub.example.com>",
)


def mail_to(server: SmtpServer, *, tls: Callable[[], ssl.SSLContext] = ssl.create_default_context) -> SmtpMail:
    """Return what sends once, and again only when told to."""
    time = ManualTime()
    retry = Retry(RetryPolicy(0, 0, 0), RetryBudget(time.clock), sleep=time.sleep)
    breaker = CircuitBreaker(MemoryTables(), "t", "e-mail", policy_of("e-mail").breaker, clock=time.clock)
    return SmtpMail(server, time.clock, retry=retry, breaker=breaker, tls=tls)


def send(port: int, *, timeout: float = 2, **options: str | bool) -> None:
    server = SmtpServer("127.0.0.1", port, **{"starttls": False, **options}, timeout=timeout)  # type: ignore[arg-type]
    mail_to(server).send(MAIL)


@pytest.mark.parametrize(
    ("step", "reply", "error", "named"),
    [
        ("greeting", "421 busy", ServerFailure, ""),
        ("greeting", "554 not you", ConfigurationError, "MAIL_SMTP_HOST"),
        ("MAIL", "451 later", PartnerUnavailable, ""),
        ("MAIL", "553 zoe@example.com may not", ConfigurationError, "MAIL_DOMAIN"),
        ("RCPT", "450 zoe@example.com greylisted", PartnerUnavailable, ""),
        ("RCPT", "550 zoe@example.com unknown", PartnerRefused, ""),
        ("RCPT", "530 log in first", ConfigurationError, "MAIL_SMTP_USERNAME"),
        ("DATA", "452 full", PartnerUnavailable, ""),
        ("DATA", "554 no", PartnerRefused, ""),
        (".", "451 later", PartnerUnavailable, ""),
        (".", "554 zoe@example.com spam", PartnerRefused, ""),
        (".", "250 but", None, ""),
        ("QUIT", "421 too late", None, ""),
        ("QUIT", "", None, ""),
        ("EHLO", "", NetworkFailure, ""),
        (".", "", NetworkFailure, ""),
    ],
)
def test_who_must_act_follows_from_the_reply(step: str, reply: str, error: type[HubError] | None, named: str) -> None:
    """An empty reply hangs up. A parting that fails changes nothing: the e-mail would be sent twice."""
    with SmtpScript({step: reply}) as server:
        if error is None:
            send(server.port)
            return
        with pytest.raises(error) as raised:
            send(server.port)
    assert type(raised.value) is error
    assert named in str(raised.value)
    assert "zoe" not in str(raised.value)
    assert raised.value.__cause__ is None
    assert raised.value.__context__ is None


def test_the_envelope_and_the_headers() -> None:
    with SmtpScript({}) as server:
        send(server.port)
    assert "ehlo hub.example.com" in server.lines
    # Commands may be in either case (RFC 5321, 2.4), and smtplib has changed its mind about it.
    assert "mail from:<noreply@hub.example.com>" in [line.split(" size=")[0].lower() for line in server.lines]
    for header in (
        "From: noreply@hub.example.com",
        "To: zoe@example.com",
        "Date: Wed, 15 Jan 2025 01:00:00 +0000",
        f"Message-ID: {MAIL.message_id}",
        "Auto-Submitted: auto-generated",
    ):
        assert header in server.lines


@pytest.mark.parametrize("silence", [b"", b"220 sandbox\r\n"], ids=["no greeting", "no answer"])
def test_silence_ends_in_time(silence: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(5)
        connections = []

        def accept() -> None:
            with suppress(OSError):
                connection, _ = listener.accept()
                connections.append(connection)
                connection.sendall(silence)

        thread = Thread(target=accept)
        thread.start()
        with pytest.raises((NetworkFailure, PartnerTimeout)):
            send(listener.getsockname()[1], timeout=0.2)
        thread.join()
        for connection in connections:
            connection.close()


def test_a_reset_is_a_network_failure() -> None:
    with SmtpScript({"DATA": reset}) as server, pytest.raises(NetworkFailure):
        send(server.port)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return Certificate(tmp_path_factory.mktemp("tls"))


def test_starttls_and_login_over_it(certificate: Certificate) -> None:
    def send_as(username: str, password: Secret | None) -> None:
        place = SmtpServer("127.0.0.1", mailbox.port, starttls=True, username=username, password=password)
        mail_to(place, tls=certificate.of_client).send(MAIL)

    with closing(Mailbox(tls=certificate.of_server(), credentials=("hub", "s3cr3t"))) as mailbox:
        send_as("hub", fixed("s3cr3t"))
        with pytest.raises(CredentialsRefused) as wrong:
            send_as("hub", fixed("wr0ng"))
        with pytest.raises(ConfigurationError):
            send_as("", None)
        assert [found["to"] for found in mailbox.messages()] == ["zoe@example.com"]
    assert {problem.field for problem in wrong.value.problems} == {"MAIL_SMTP_USERNAME", "MAIL_SMTP_PASSWORD"}
    assert "wr0ng" not in str(wrong.value)


def test_a_probe_greets_logs_in_and_sends_nothing(certificate: Certificate) -> None:
    """INC-72."""
    with closing(Mailbox(tls=certificate.of_server(), credentials=("hub", "s3cr3t"))) as mailbox:
        for password, error in (("s3cr3t", None), ("wr0ng", CredentialsRefused)):
            place = SmtpServer("127.0.0.1", mailbox.port, username="hub", password=fixed(password))
            with pytest.raises(error) if error else nullcontext():
                mail_to(place, tls=certificate.of_client).probe(MAIL.sender)
        assert mailbox.messages() == []


@pytest.mark.parametrize(
    ("step", "reply", "error"),
    [("NOOP", "421 closing", ServerFailure), ("EHLO", "", NetworkFailure), ("greeting", "554 no", ConfigurationError)],
)
def test_a_probe_tells_what_is_wrong(step: str, reply: str, error: type[HubError]) -> None:
    with SmtpScript({step: reply}) as server, pytest.raises(error):
        mail_to(SmtpServer("127.0.0.1", server.port, starttls=False, timeout=2)).probe(MAIL.sender)


def test_a_rotated_password_is_taken_up_at_once(certificate: Certificate) -> None:
    """RES-11."""
    with closing(Mailbox(tls=certificate.of_server(), credentials=("hub", "n3w"))) as mailbox:
        place = SmtpServer("127.0.0.1", mailbox.port, username="hub", password=rotated("0ld", "n3w"))
        mail_to(place, tls=certificate.of_client).send(MAIL)
        assert [found["to"] for found in mailbox.messages()] == ["zoe@example.com"]


def test_a_certificate_that_nobody_trusts_gets_no_email(certificate: Certificate) -> None:
    with closing(Mailbox(tls=certificate.of_server())) as mailbox:
        with pytest.raises(ConfigurationError, match=r"MAIL_SMTP_HOST.*certificate"):
            mail_to(SmtpServer("127.0.0.1", mailbox.port)).send(MAIL)
        assert mailbox.messages() == []


def test_a_server_without_starttls_gets_no_email() -> None:
    with closing(Mailbox()) as mailbox:
        with pytest.raises(ConfigurationError, match="MAIL_SMTP_STARTTLS"):
            send(mailbox.port, starttls=True)
        assert mailbox.messages() == []


def test_the_password_is_in_no_text() -> None:
    assert "s3cr3t" not in repr(SmtpServer("127.0.0.1", 25, username="hub", password=fixed("s3cr3t")))
