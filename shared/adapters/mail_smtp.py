"""E-mails over SMTP (RFC 5321), with STARTTLS where it is set. One connection an e-mail."""

import smtplib
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from functools import partial

from shared.adapters.http import Breaker, RateLimit
from shared.adapters.resilience.retry import Retry
from shared.adapters.telemetry.partner_calls import PartnerCall, PartnerCalls
from shared.adapters.telemetry.telemetry import Telemetry
from shared.kernel.clock import Clock
from shared.kernel.errors import (
    ConfigurationError,
    CredentialsRefused,
    FieldProblem,
    HubError,
    NetworkFailure,
    PartnerRefused,
    PartnerTimeout,
    PartnerUnavailable,
    ServerFailure,
)
from shared.kernel.mail import Mail
from shared.kernel.secret import Secret

PARTNER = "e-mail"
_AUTHENTICATION_REQUIRED = 530
_FINE = 250
_NOT_AVAILABLE = 421
"""The server as a whole is away (RFC 5321, 4.2.3), not one mailbox: the circuit counts it."""
# A body of nothing but ASCII passes every server, whatever extensions it lacks.
_POLICY = SMTP.clone(cte_type="7bit")


@dataclass(frozen=True)
class SmtpServer:
    """Where e-mails are handed over. Without a username nobody logs in; `timeout` in seconds for each answer."""

    host: str
    port: int
    starttls: bool = True
    username: str = ""
    password: Secret | None = None
    timeout: float = 15.0


class SmtpMail:
    """Implements `MailGateway`. Thread-safe."""

    def __init__(
        self,
        server: SmtpServer,
        clock: Clock,
        *,
        retry: Retry,
        breaker: Breaker,
        rate_limit: RateLimit | None = None,
        tls: Callable[[], ssl.SSLContext] = ssl.create_default_context,
        calls: PartnerCalls | None = None,
    ) -> None:
        """Connect to nothing yet. `tls` says whose certificates are trusted, `calls` observes each e-mail."""
        self._retry = retry
        self._breaker = breaker
        self._rate_limit = rate_limit
        self._server = server
        self._clock = clock
        self._tls = tls
        self._calls = calls or PartnerCalls(Telemetry(), PARTNER)

    def send(self, mail: Mail) -> None:
        """Hand an e-mail over.

        4xx replies and a lost connection are PartnerUnavailable (retried already), or CircuitOpen once there were many;
        5xx to the recipient or the content PartnerRefused, 5xx to us (connection, login, sender) ConfigurationError.
        The texts hold the code and nothing of the reply.
        """
        # Not smtplib's own send_message: it puts a > before a line of the text that begins with From.
        content = _message(mail, self._clock).as_bytes()
        with self._calls.call("send") as observed:

            def send(password: str) -> None:
                self._retry.call(lambda: self._attempt(observed, partial(self._send, mail, content, password)))

            if self._server.password is None:
                send("")
            else:
                self._server.password.use(send)

    def probe(self, sender: str) -> None:
        """Connect, greet, log in where there is a username, and ask for nothing. One attempt, beside the circuit."""
        server = self._server

        def greet(password: str) -> None:
            self._told(lambda: self._converse(sender, password, _ask_for_nothing))

        if server.password is None:
            greet("")
        else:
            server.password.use(greet)

    def _attempt(self, observed: PartnerCall, step: Callable[[], None]) -> None:
        def limited() -> None:
            if self._rate_limit:
                self._rate_limit.take()
            step()

        with observed.attempt():
            self._breaker.call(limited)

    def _send(self, mail: Mail, content: bytes, password: str) -> None:
        def hand_over(connection: smtplib.SMTP) -> None:
            connection.sendmail(mail.sender, [mail.recipient], content)

        self._told(lambda: self._converse(mail.sender, password, hand_over))

    def _told(self, step: Callable[[], None]) -> None:
        """Do a step, and say in the hub's own errors what went wrong."""
        try:
            step()
        except (smtplib.SMTPException, OSError, EOFError, ValueError) as error:
            failure = _failure_of(error)
        else:
            return
        # Outside the handler, so that the library's error, which quotes addresses, is not chained to ours.
        raise failure

    def _converse(self, sender: str, password: str, talk: Callable[[smtplib.SMTP], None]) -> None:
        server = self._server
        # Named by the sender's domain: the name of this machine is nobody's business.
        own_name = sender.rpartition("@")[2]
        connection = smtplib.SMTP(server.host, server.port, own_name, server.timeout)
        try:
            if server.starttls:
                connection.starttls(context=self._tls())
            if server.username:
                connection.login(server.username, password)
            talk(connection)
        finally:
            # The e-mail is accepted by now, or is not: how the parting goes changes nothing.
            with suppress(smtplib.SMTPException, OSError):
                connection.quit()
            connection.close()


def _ask_for_nothing(connection: smtplib.SMTP) -> None:
    connection.ehlo_or_helo_if_needed()
    code, reply = connection.noop()
    if code != _FINE:
        raise smtplib.SMTPResponseException(code, reply)


def _message(mail: Mail, clock: Clock) -> EmailMessage:
    message = EmailMessage(_POLICY)
    message["From"] = mail.sender
    message["To"] = mail.recipient
    message["Subject"] = mail.subject
    message["Date"] = format_datetime(clock())
    message["Message-ID"] = mail.message_id
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office replies
    message.set_content(mail.text)
    message.add_alternative(mail.html, subtype="html")
    return message


def _failure_of(error: Exception) -> HubError:
    if isinstance(error, ValueError) and not isinstance(error, OSError):
        # Python's SMTP sends names and passwords in ASCII alone, and resolves no name that is none.
        names = ("MAIL_SMTP_HOST", "MAIL_SMTP_USERNAME", "MAIL_SMTP_PASSWORD")
        return ConfigurationError(tuple(FieldProblem(name, "holds what cannot be sent over SMTP") for name in names))
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code, _ = next(iter(error.recipients.values()))
        return _refusal("the recipient", code, ("MAIL_SMTP_USERNAME",) if code == _AUTHENTICATION_REQUIRED else ())
    if isinstance(error, smtplib.SMTPResponseException):
        for kind, what, settings in _REPLIES:
            if isinstance(error, kind):
                return _refusal(what, error.smtp_code, settings)
    if isinstance(error, smtplib.SMTPNotSupportedError):
        problem = "the server offers no STARTTLS, or no way to log in that is known here"
        return ConfigurationError((FieldProblem("MAIL_SMTP_STARTTLS", problem),))
    if isinstance(error, ssl.SSLCertVerificationError):
        return ConfigurationError((FieldProblem("MAIL_SMTP_HOST", "the server's certificate is not trusted"),))
    if isinstance(error, TimeoutError):
        return PartnerTimeout(PARTNER, "SMTP: no answer in time")
    return NetworkFailure(PARTNER, f"SMTP: {type(error).__name__}")


_REPLIES: tuple[tuple[type[smtplib.SMTPResponseException], str, tuple[str, ...]], ...] = (
    (smtplib.SMTPAuthenticationError, "the login", ("MAIL_SMTP_USERNAME", "MAIL_SMTP_PASSWORD")),
    (smtplib.SMTPSenderRefused, "the sender", ("MAIL_DOMAIN", "MAIL_SMTP_USERNAME")),
    (smtplib.SMTPConnectError, "the connection", ("MAIL_SMTP_HOST",)),
    (smtplib.SMTPHeloError, "the greeting", ("MAIL_SMTP_HOST",)),
    (smtplib.SMTPResponseException, "the e-mail", ()),
)
"""What was refused, and the settings to look at when it is refused for good; none: this e-mail alone is refused."""


def _refusal(what: str, code: int, settings: tuple[str, ...]) -> HubError:
    text = f"SMTP: the server answered {code} to {what}"
    if code == _NOT_AVAILABLE:
        return ServerFailure(PARTNER, text)
    if not 500 <= code <= 599:
        return PartnerUnavailable(PARTNER, text)
    if settings:
        kind = CredentialsRefused if "MAIL_SMTP_PASSWORD" in settings else ConfigurationError
        return kind(tuple(FieldProblem(name, text) for name in settings))
    return PartnerRefused(PARTNER, text, status=code)
