"""A message in a queue, and why a consumer may not decide about it."""

from dataclasses import dataclass
from enum import IntEnum
from uuid import UUID


class LockLost(LookupError):
    """The lock has expired or the message was settled: whoever held it may no longer decide about the message."""


class MessageNotFound(LookupError):
    """No message of the wanted kind has this sequence number."""


class NotAllowed(ValueError):
    """The operation makes no sense on this queue."""


class MessageState(IntEnum):
    """The value of the annotation `x-opt-message-state`."""

    ACTIVE = 0
    DEFERRED = 1
    SCHEDULED = 2


@dataclass(slots=True)
class StoredMessage:
    """A message in a queue. Times are seconds since 1970."""

    sequence_number: int
    content: bytes
    message_id: str | None
    enqueued_at: float
    state: MessageState = MessageState.ACTIVE
    delivery_count: int = 0
    """How often a consumer had it and did not finish it."""
    due_at: float | None = None
    """When a scheduled message becomes active."""
    lock_token: UUID | None = None
    locked_until: float = 0
    dead_letter_reason: str | None = None
    dead_letter_description: str | None = None
