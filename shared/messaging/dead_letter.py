"""What a dead letter says, and its ID (INC-71, RES-06)."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any

from shared.kernel.clock import from_iso
from shared.kernel.message import Message
from shared.kernel.table import Row, Value

_FAR_FUTURE = 10**13
"""Milliseconds; later than any message (the year 2286)."""
_MAX_TEXT = 1000
"""Characters of what comes from outside, such as a message's subject."""
_MAX_DESCRIPTION = 4000
_MAX_STACK = 8000


class Kind(StrEnum):
    """Who gave the message up: we did, or the broker after its worker crashed again and again."""

    PARKED = "Parked"
    BROKER = "Broker"


class Status(StrEnum):
    """What became of a dead letter. Resubmitting: the new message is decided upon and perhaps not sent yet."""

    OPEN = "Open"
    RESUBMITTING = "Resubmitting"
    RESUBMITTED = "Resubmitted"
    DISCARDED = "Discarded"


@dataclass(frozen=True)
class Failure:
    """Why a message was given up. `stack` is for the operator alone; `delivery_count` is the broker's, of this attempt.

    `code` is the reason, `description` the sentence.
    """

    kind: Kind
    code: str
    description: str
    error_type: str = ""
    stack: str = ""
    adapter_id: str = ""
    delivery_count: int = 1


def letter_id(queue: str, body: bytes, message: Message | None) -> str:
    """Return an ID that is the same for the same message and attempt, and sorts newest first.

    A body that is no message of ours has no time that can be trusted: it stands before all others.
    """
    identity = f"{message.id}|{message.attempt}" if message else sha256(body).hexdigest()
    instant = _time_of(message) if message else None
    head = time_key(instant) if instant else "0" * 13
    return f"{head}-{sha256(f'{queue}|{identity}'.encode()).hexdigest()[:32]}"


def time_key(instant: datetime) -> str:
    """Return the beginning of the IDs of messages of an instant."""
    milliseconds = math.floor(instant.timestamp() * 1000)
    return f"{_FAR_FUTURE - min(max(milliseconds, 0), _FAR_FUTURE - 1):013d}"


def row_values(queue: str, message: Message | None, failure: Failure, now: str) -> dict[str, Value]:
    """Return what the row of a new dead letter holds.

    The first attempt is taken to be when the message was first sent: that it waited before is not recorded.
    """
    enqueued = message.time[:_MAX_TEXT] if message else ""
    return {
        "queue": queue,
        "status": Status.OPEN.value,
        "kind": failure.kind.value,
        "reason": failure.code,
        "description": failure.description[:_MAX_DESCRIPTION],
        "errorType": failure.error_type,
        "stack": failure.stack[-_MAX_STACK:],
        "adapterId": failure.adapter_id,
        "messageId": message.id[:_MAX_TEXT] if message else "",
        "messageType": message.type[:_MAX_TEXT] if message else "",
        "subject": message.subject[:_MAX_TEXT] if message else "",
        "correlationId": message.correlationid[:_MAX_TEXT] if message else "",
        "attempts": message.attempt + 1 if message else failure.delivery_count,
        "deliveryCount": failure.delivery_count,
        "enqueuedAt": enqueued,
        "firstAttemptAt": enqueued or now,
        "lastAttemptAt": now,
        "deadLetteredAt": now,
    }


def shown(row: Row) -> dict[str, Any]:
    """Return a dead letter as lists show it: without the stack."""
    return {"id": row.key, **{name: value for name, value in row.values.items() if name != "stack"}}


def _time_of(message: Message) -> datetime | None:
    try:
        return from_iso(message.time).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
