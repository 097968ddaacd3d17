"""The mailbox that all e-mails of the sandbox end in, with an SMTP server in front of it."""

import asyncio
import ssl
import threading
from collections import deque
from contextlib import suppress
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from local.sandbox.mail_failures import MailFailures

MAX_MESSAGES = 10_000
"""E-mails that are kept; older ones are forgotten."""


class Mailbox:
    """An SMTP server on 127.0.0.1 that keeps every e-mail in memory. Serves from when it is made until `close`.

    It reads each e-mail anew from what came over the wire, so what it shows is what a mail program would show.
    """

    def __init__(
        self,
        port: int = 0,
        *,
        credentials: tuple[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Take the port (0: any free one). OSError when it is taken.

        With `tls` STARTTLS is offered and demanded; with `credentials`, which need it, so is a login with them.
        """
        if credentials and not tls:
            raise ValueError("credentials need tls: nobody should learn to send a password in clear")
        self._failures = MailFailures()
        self._messages: deque[dict[str, str]] = deque(maxlen=MAX_MESSAGES)
        self._credentials = credentials
        self._tls = tls
        self._loop = asyncio.new_event_loop()
        self._connections: set[SMTP] = set()
        try:
            self._server = self._loop.run_until_complete(self._loop.create_server(self._connection, "127.0.0.1", port))
        except OSError:
            self._loop.close()
            raise
        self.port: int = self._server.sockets[0].getsockname()[1]
        self._thread = threading.Thread(target=self._loop.run_forever, name="mailbox", daemon=True)
        self._thread.start()

    def messages(self) -> list[dict[str, str]]:
        """Return what came in, oldest first: `from`, `to`, `subject`, `text`, `html`, `messageId`, `via`."""
        return list(self._messages)

    def fail(self, recipient: str, code: int, times: int = 1) -> None:
        """Answer the next e-mails to a recipient with a code (of SMTP or HTTP, as they come in)."""
        self._failures.add(recipient, code, times)

    def failure_of(self, recipient: str) -> int | None:
        """Return the code with which an e-mail to a recipient must be refused now, None when it is to be kept."""
        return self._failures.take(recipient)

    def keep(self, message: dict[str, str]) -> None:
        """Keep an e-mail that came in another way than SMTP."""
        self._messages.append(message)

    def close(self) -> None:
        """Stop serving and end all connections; what came in stays readable. Idempotent."""
        if self._loop.is_closed():
            return
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def _connection(self) -> SMTP:
        connection = SMTP(
            _Handler(self),
            hostname="sandbox",
            loop=self._loop,
            tls_context=self._tls,
            require_starttls=self._tls is not None,
            auth_required=self._credentials is not None,
            auth_require_tls=self._tls is not None,
            authenticator=self._authenticate,
        )
        self._connections.add(connection)
        return connection

    def _authenticate(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, given: object
    ) -> AuthResult:
        if not isinstance(given, LoginPassword):
            return AuthResult(success=False, handled=False)
        found = (given.login.decode(), given.password.decode())
        return AuthResult(success=found == self._credentials, handled=False)

    async def _end(self) -> None:
        self._server.close()
        for connection in self._connections:
            if connection.transport:
                connection.transport.close()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*others, return_exceptions=True)
        await self._server.wait_closed()


class _Handler:
    """What the SMTP server asks at each step; the names are those of aiosmtpd."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        code = self._mailbox.failure_of(address)
        if code:
            return f"{code} on demand"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        content = envelope.content
        message: EmailMessage = message_from_bytes(
            content if isinstance(content, bytes) else str(content).encode(), policy=policy.default
        )
        for recipient in envelope.rcpt_tos:
            self._mailbox.keep(_as_kept(message, recipient))
        return "250 OK"


def _as_kept(message: EmailMessage, recipient: str) -> dict[str, str]:
    return {
        "from": str(message["From"] or ""),
        "to": recipient,
        "subject": str(message["Subject"] or ""),
        "text": _part(message, "plain"),
        "html": _part(message, "html"),
        "messageId": str(message["Message-ID"] or ""),
        "via": "smtp",
    }


def _part(message: EmailMessage, kind: str) -> str:
    part: Any = message.get_body((kind,))
    return str(part.get_content()).replace("\r\n", "\n") if part else ""
