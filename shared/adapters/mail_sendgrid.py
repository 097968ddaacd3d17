"""E-mails through SendGrid (`POST /v3/mail/send`). SendGrid has no idempotency of its own."""

import json

from shared.adapters.http import Call, PartnerClient
from shared.adapters.mail_gateway import call_gateway
from shared.kernel.mail import Mail
from shared.kernel.secret import Secret


class SendGridMail:
    """Implements `MailGateway`. Thread-safe."""

    def __init__(self, client: PartnerClient, key: Secret) -> None:
        """Send through a client of SendGrid's address; `key` is the API key."""
        self._client = client
        self._key = key

    def send(self, mail: Mail) -> None:
        """Hand an e-mail over; any 2xx is acceptance. Errors as in `call_gateway`."""
        content = {
            "personalizations": [{"to": [{"email": mail.recipient}]}],
            "from": {"email": mail.sender},
            "subject": mail.subject,
            # SendGrid wants the text part first.
            "content": [{"type": "text/plain", "value": mail.text}, {"type": "text/html", "value": mail.html}],
            "headers": {"Message-ID": mail.message_id, "Auto-Submitted": "auto-generated"},
            # Nobody is to learn from us whether an employee reads about their pay.
            "tracking_settings": {
                "click_tracking": {"enable": False, "enable_text": False},
                "open_tracking": {"enable": False},
            },
        }
        body = json.dumps(content, separators=(",", ":")).encode()

        def call_with(key: str) -> Call:
            headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
            return Call("POST", "/v3/mail/send", headers=headers, body=body, idempotency_key=mail.message_id)

        call_gateway(self._client, self._key, call_with, ("MAIL_SENDGRID_KEY", "MAIL_DOMAIN", "MAIL_SENDGRID_BASE_URL"))

    def probe(self, sender: str) -> None:  # noqa: ARG002 - what a key may do does not depend on it
        """Ask what the key may do."""

        def call_with(key: str) -> Call:
            return Call("GET", "/v3/scopes", headers={"Authorization": f"Bearer {key}"}, once=True)

        call_gateway(self._client, self._key, call_with, ("MAIL_SENDGRID_KEY", "MAIL_SENDGRID_BASE_URL"))
