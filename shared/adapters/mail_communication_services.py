"""E-mails through Azure Communication Services (`POST /emails:send`), signed with the resource's access key.

The signature is over method, path with query, date, host and the body's hash, as "Sign an HTTP request" of the
service's documentation defines.
"""

import hmac
import json
from base64 import b64decode, b64encode
from email.utils import format_datetime
from hashlib import sha256
from urllib.parse import urlsplit
from uuid import UUID

from shared.adapters.http import Call, PartnerClient
from shared.adapters.mail_gateway import call_gateway
from shared.kernel.clock import Clock
from shared.kernel.errors import CredentialsRefused, FieldProblem
from shared.kernel.mail import Mail
from shared.kernel.secret import Secret

API_VERSION = "2023-03-31"
_PATH = "/emails:send"
_UNKNOWN = frozenset({400, 404})
"""Statuses for an operation that the resource does not know."""
_SETTINGS = ("MAIL_ACS_ACCESS_KEY", "MAIL_DOMAIN", "MAIL_ACS_ENDPOINT")


class CommunicationServicesMail:
    """Implements `MailGateway`. Thread-safe.

    The operation ID is the UUID of the message ID: under it the service tells what became of the e-mail. That a
    second request with the same one sends nothing is not documented.
    """

    def __init__(self, client: PartnerClient, endpoint: str, access_key: Secret, clock: Clock) -> None:
        """Send through a client of the resource's endpoint; `access_key` is the key in base64."""
        self._client = client
        parts = urlsplit(endpoint)
        self._host = parts.netloc
        self._base_path = parts.path.rstrip("/")
        self._access_key = access_key
        self._clock = clock

    def send(self, mail: Mail) -> None:
        """Hand an e-mail over; 202 is acceptance, not arrival. Errors as in `call_gateway`."""
        content = {
            "senderAddress": mail.sender,
            "recipients": {"to": [{"address": mail.recipient}]},
            "content": {"subject": mail.subject, "plainText": mail.text, "html": mail.html},
            "headers": {"Message-ID": mail.message_id},
            "userEngagementTrackingDisabled": True,
        }
        body = json.dumps(content, separators=(",", ":")).encode()
        fixed = {"Content-Type": "application/json", "Operation-Id": mail.message_id[1:].partition("@")[0]}

        def call_with(access_key: str) -> Call:
            return Call(
                "POST",
                _PATH,
                params={"api-version": API_VERSION},
                headers=fixed | self._signature("POST", _PATH, body, access_key),
                body=body,
                idempotency_key=mail.message_id,
            )

        call_gateway(self._client, self._access_key, call_with, _SETTINGS)

    def probe(self, sender: str) -> None:  # noqa: ARG002 - the key is the resource's
        """Ask what became of an e-mail that was never sent: that the resource does not know it proves the key."""
        path = f"/emails/operations/{UUID(int=0)}"

        def call_with(access_key: str) -> Call:
            headers = self._signature("GET", path, b"", access_key)
            params = {"api-version": API_VERSION}
            return Call("GET", path, params=params, headers=headers, accept=_UNKNOWN, once=True)

        call_gateway(self._client, self._access_key, call_with, _SETTINGS)

    def _signature(self, method: str, path: str, body: bytes, access_key: str) -> dict[str, str]:
        date = format_datetime(self._clock(), usegmt=True)
        content_hash = b64encode(sha256(body).digest()).decode()
        signed_path = f"{self._base_path}{path}?api-version={API_VERSION}"
        signed = f"{method}\n{signed_path}\n{date};{self._host};{content_hash}"
        signature = b64encode(hmac.new(_key_of(access_key), signed.encode(), sha256).digest()).decode()
        return {
            "x-ms-date": date,
            "x-ms-content-sha256": content_hash,
            "Authorization": f"HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature={signature}",
        }


def _key_of(access_key: str) -> bytes:
    try:
        return b64decode(access_key.strip(), validate=True)
    except ValueError:
        problem = FieldProblem("MAIL_ACS_ACCESS_KEY", "is not base64: copy the resource's access key again")
    raise CredentialsRefused((problem,))
