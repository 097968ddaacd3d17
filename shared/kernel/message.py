"""The one envelope of every queue: CloudEvents 1.0 JSON with tenant, correlation ID, traceparent and attempt."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

from pydantic import ConfigDict, Field, JsonValue, ValidationError

from shared.kernel.clock import Clock, to_iso
from shared.kernel.errors import DataRefused
from shared.kernel.fitting import MAX_MESSAGE_ID, fitting
from shared.kernel.partner_body import PartnerBody
from shared.kernel.strict_json import NotJson, read_model

SCHEMA_VERSION = 1
"""Of the payloads. Readers accept this one and the one before (a rolling update runs both at once)."""


class Message(PartnerBody):
    """A queued message (CloudEvents 1.0, JSON format; those from `tenant` on are extension attributes).

    An attribute that is null is absent (CloudEvents 1.0, JSON format, 2.2). `type` says what is to be done or what
    happened; `subject` is the business key; `attempt` counts from 0.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    specversion: str = Field(default="1.0", pattern=r"^1\.")
    id: str = Field(min_length=1)
    source: str = "/integration-hub"
    type: str = Field(min_length=1)
    time: str
    subject: str = ""
    datacontenttype: str = "application/json"
    tenant: str = Field(min_length=1)
    correlationid: str = ""
    traceparent: str = ""
    attempt: int = Field(default=0, ge=0)
    postponed: int = Field(default=0, ge=0)
    """How often the message was put off without its attempt counting, because the work was not to be had."""
    crashes: int = Field(default=0, ge=0)
    """How often a worker failed at earlier copies of the message without settling it; the broker counts this one's."""
    schemaversion: int = Field(default=SCHEMA_VERSION, ge=1, le=SCHEMA_VERSION)
    dataref: str = ""
    """Claim check: the blob that holds the payload when it is too large for the queue."""
    data: dict[str, JsonValue] = Field(default_factory=dict)

    def to_json(self) -> str:
        """Return the message as it travels."""
        return self.model_dump_json()

    def next_attempt(self) -> "Message":
        """Return the message as it is sent again after a failure."""
        return self.model_copy(update={"attempt": self.attempt + 1})

    def put_off(self) -> "Message":
        """Return the message as it is sent again when somebody else is at the work, or the partner is held back."""
        return self.model_copy(update={"postponed": self.postponed + 1})


def parse_message(body: bytes | str) -> Message:
    """Read a message off a queue. DataRefused when it is not our envelope."""
    try:
        return read_model(Message, body)
    except NotJson as error:
        problem = f"it {error}" if error.field else "body"
        raise DataRefused(f"not a hub message (CloudEvents 1.0 JSON): {problem}") from None
    except ValidationError as error:
        fields = ", ".join(sorted({".".join(map(str, item["loc"])) or "body" for item in error.errors()}))
        raise DataRefused(f"not a hub message (CloudEvents 1.0 JSON): {fields}") from None


def new_message(
    *,
    message_id: str,
    message_type: str,
    tenant: str,
    now: datetime,
    subject: str = "",
    correlation_id: str = "",
    data: Mapping[str, Any] | None = None,
) -> Message:
    """Build a message; the correlation ID defaults to the message's own ID, which is made to fit whatever it is of."""
    return Message(
        id=fitting(message_id, MAX_MESSAGE_ID),
        type=message_type,
        time=to_iso(now),
        tenant=tenant,
        subject=subject,
        correlationid=fitting(correlation_id or message_id, MAX_MESSAGE_ID),
        data=dict(data or {}),
    )


class Queues(Protocol):
    """The port to the queues. Implemented by storage queues, by Service Bus, and in memory in tests."""

    def send(self, queue: str, message: Message, *, delay: float = 0) -> None:
        """Put a message on a queue, visible after `delay` seconds. A payload above 32 KB becomes a claim check."""
        ...

    def resolve(self, message: Message) -> Message:
        """Return the message with its payload, fetched where it is a claim check."""
        ...

    def depth(self, queue: str) -> int:
        """Return about how many messages wait."""
        ...


class Sender(Protocol):
    """Whoever sends messages: a tenant with its queues and its clock. Every capability's context is one."""

    @property
    def tenant(self) -> str:
        """The tenant whose messages they are."""
        ...

    @property
    def clock(self) -> Clock:
        """Says when."""
        ...

    @property
    def queues(self) -> Queues:
        """Where they go."""
        ...


def send_message(
    sender: Sender,
    queue: str,
    *,
    message_id: str,
    message_type: str,
    subject: str,
    data: Mapping[str, Any],
    correlation_id: str = "",
    delay: float = 0,
) -> None:
    """Build a message as `new_message` does and put it on a queue, visible after `delay` seconds."""
    message = new_message(
        message_id=message_id,
        message_type=message_type,
        tenant=sender.tenant,
        now=sender.clock(),
        subject=subject,
        correlation_id=correlation_id,
        data=data,
    )
    sender.queues.send(queue, message, delay=delay)
