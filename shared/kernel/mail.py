"""An e-mail and the port to who sends it (INC-61).

The port lies here and not beside the templates because adapters know the kernel alone.
"""

import re
from dataclasses import dataclass, field
from typing import Protocol

_DOMAIN = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*"
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@" + _DOMAIN)
_MESSAGE_ID = re.compile(r"<[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}@" + _DOMAIN + ">")
_LINE_BREAKERS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
MAX_ADDRESS = 254
"""Characters of an address (RFC 5321, 4.5.3.1.3)."""


def is_address(text: str) -> bool:
    """Tell whether text is one plain ASCII e-mail address, without a display name, as HTML defines `type=email`."""
    return len(text) <= MAX_ADDRESS and _ADDRESS.fullmatch(text) is not None


@dataclass(frozen=True)
class Mail:
    """One e-mail to one recipient, with a text and an HTML part.

    `message_id` is `<UUID@domain>`, the same in each attempt to send the same e-mail. Its text shows neither the
    recipient nor what is written.
    """

    sender: str
    recipient: str = field(repr=False)
    subject: str = field(repr=False)
    text: str = field(repr=False)
    html: str = field(repr=False)
    message_id: str

    def __post_init__(self) -> None:
        """Refuse what could add a header or a recipient. ValueError names the part, never its content."""
        if not is_address(self.sender):
            raise ValueError("the sender must be one e-mail address")
        if not is_address(self.recipient):
            raise ValueError("the recipient must be one e-mail address")
        if not self.subject.strip() or _LINE_BREAKERS.search(self.subject):
            raise ValueError("the subject must be one line that is not empty")
        if not _MESSAGE_ID.fullmatch(self.message_id):
            raise ValueError("the message ID must be <UUID@domain>")


class MailProvider(Protocol):
    """Sends e-mails."""

    def send(self, mail: Mail) -> None:
        """Hand an e-mail over; it may arrive twice when the answer is lost, with the same message ID.

        PartnerUnavailable and CircuitOpen when it may be accepted later, PartnerRefused when this e-mail never will,
        ConfigurationError when no e-mail will until an operator changes a setting.
        """
        ...


class MailGateway(MailProvider, Protocol):
    """A provider that can be asked how it is.

    Implemented by `adapters.mail_smtp`, `mail_sendgrid` and `mail_communication_services`.
    """

    def probe(self, sender: str) -> None:
        """Return when it is there and knows us, without sending anything. One attempt. Errors as of `send`."""
        ...
