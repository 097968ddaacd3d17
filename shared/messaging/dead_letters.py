"""Dead letters: messages that were given up, kept for the operator (INC-71, RES-06).

Table DeadLetters: partition tenant, row key the dead letter's ID; IDs begin with the inverted time, so the list is
newest first and finding one is a point read. The message itself is a blob in container `dead-letters`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any

from shared.kernel.blob import BlobContainer, BlobMissing
from shared.kernel.clock import Clock, to_iso
from shared.kernel.errors import Conflict, DataRefused, NotFound
from shared.kernel.identifiers import NewId
from shared.kernel.message import Message, Queues, parse_message
from shared.kernel.table import Row, RowChanged, Table, Value

_FAR_FUTURE = 10**13
"""Milliseconds; later than any message (the year 2286)."""


class Kind(StrEnum):
    """Who gave the message up: we did, or the broker after its worker crashed again and again."""

    PARKED = "Parked"
    BROKER = "Broker"


class Status(StrEnum):
    """What became of a dead letter."""

    OPEN = "Open"
    RESUBMITTING = "Resubmitting"
    RESUBMITTED = "Resubmitted"
    DISCARDED = "Discarded"


@dataclass(frozen=True)
class Failure:
    """Why a message was given up. `stack` is for the operator alone."""

    kind: Kind
    code: str
    description: str
    error_type: str = ""
    stack: str = ""
    adapter_id: str = ""
    delivery_count: int = 1


class DeadLetters:
    """The dead letters of one tenant."""

    def __init__(
        self, table: Table, payloads: BlobContainer, queues: Queues, tenant: str, clock: Clock, new_id: NewId
    ) -> None:
        """Keep table, container and queues."""
        self._table, self._payloads, self._queues = table, payloads, queues
        self._tenant, self._clock, self._new_id = tenant, clock, new_id

    def keep(self, queue: str, body: bytes, message: Message | None, failure: Failure) -> str:
        """Keep a message, return the dead letter's ID. Idempotent by message and attempt (else by the body).

        The body is kept byte for byte, parseable or not.
        """
        identity = f"{message.id}|{message.attempt}" if message else sha256(body).hexdigest()
        seen = message.time if message else ""
        letter_id = _letter_id(queue, identity, seen)
        self._payloads.write(f"{self._tenant}/{letter_id}", body, content_type="application/json")
        if self._table.get(self._tenant, letter_id) is None:
            self._table.put(self._tenant, letter_id, self._values(queue, message, failure))
        return letter_id

    def _values(self, queue: str, message: Message | None, failure: Failure) -> dict[str, Value]:
        now = to_iso(self._clock())
        return {
            "queue": queue,
            "status": Status.OPEN.value,
            "kind": failure.kind.value,
            "reason": failure.code,
            "description": failure.description[:4000],
            "errorType": failure.error_type,
            "stack": failure.stack[-8000:],
            "adapterId": failure.adapter_id,
            "messageId": message.id if message else "",
            "messageType": message.type if message else "",
            "subject": message.subject if message else "",
            "correlationId": message.correlationid if message else "",
            "attempts": message.attempt + 1 if message else failure.delivery_count,
            "deliveryCount": failure.delivery_count,
            "enqueuedAt": message.time if message else "",
            "deadLetteredAt": now,
            "lastAttemptAt": now,
        }

    def page(
        self,
        *,
        size: int,
        position: str | None,
        equal: Mapping[str, str],
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> tuple[list[dict[str, Any]], str | None]:
        """Return a page, newest first, and the position after it. `since` and `until` are of the message's time."""
        page = self._table.page(
            self._tenant,
            size=size,
            position=position,
            key_from=_time_key(until) if until else None,
            key_before=_time_key(since) + "~" if since else None,
            equal=equal,
        )
        return [_shown(row) for row in page.rows], page.next_position

    def show(self, letter_id: str) -> dict[str, Any]:
        """Return a dead letter with its message. NotFound."""
        row = self._get(letter_id)
        return _shown(row) | {"stack": row.values["stack"], "message": self._body(letter_id).decode(errors="replace")}

    def resubmit(self, letter_id: str, by: str, data: Mapping[str, Any] | None = None) -> str:
        """Send the message again, with other data if given; return the new message's ID. Done twice, it is sent once.

        The new message's ID is stored before it is sent, and a repeat sends it under the same ID. Conflict for a dead
        letter that was discarded; DataRefused for one whose message does not parse, unless data is given.
        """
        row = self._get(letter_id)
        status = Status(str(row.values["status"]))
        if status is Status.DISCARDED:
            raise Conflict(f"dead letter {letter_id} was discarded")
        if status is Status.RESUBMITTED:
            return str(row.values["resubmittedAs"])
        if status is Status.OPEN:
            message_id = self._new_id()
            row = self._change(
                row, {"status": Status.RESUBMITTING.value, "resubmittedAs": message_id, "resubmittedBy": by}
            )
        new_id = str(row.values["resubmittedAs"])
        message = self._message(letter_id).model_copy(
            update={"id": new_id, "attempt": 0, "time": to_iso(self._clock())}
        )
        if data is not None:
            message = message.model_copy(update={"data": dict(data), "dataref": ""})
        self._queues.send(str(row.values["queue"]), message)
        self._change(row, {"status": Status.RESUBMITTED.value, "resubmittedAt": to_iso(self._clock())})
        return new_id

    def discard(self, letter_id: str, by: str, reason: str) -> None:
        """Give a dead letter up for good. Idempotent. Conflict when it was resubmitted."""
        row = self._get(letter_id)
        status = Status(str(row.values["status"]))
        if status in (Status.RESUBMITTED, Status.RESUBMITTING):
            raise Conflict(f"dead letter {letter_id} was resubmitted")
        if status is Status.OPEN:
            discarded: dict[str, Value] = {
                "status": Status.DISCARDED.value,
                "discardedAt": to_iso(self._clock()),
                "discardedBy": by,
                "discardReason": reason[:1000],
            }
            self._change(row, discarded)

    def _message(self, letter_id: str) -> Message:
        try:
            return parse_message(self._body(letter_id))
        except DataRefused:
            raise DataRefused(f"dead letter {letter_id} is not a hub message and cannot be sent again") from None

    def _body(self, letter_id: str) -> bytes:
        try:
            return self._payloads.read(f"{self._tenant}/{letter_id}")
        except BlobMissing:
            raise NotFound(f"the message of dead letter {letter_id} is gone") from None

    def _get(self, letter_id: str) -> Row:
        row = self._table.get(self._tenant, letter_id) if re.fullmatch(r"[0-9a-f-]{20,60}", letter_id) else None
        if row is None:
            raise NotFound(f"there is no dead letter {letter_id!r}")
        return row

    def _change(self, row: Row, changes: Mapping[str, Value]) -> Row:
        values = {**row.values, **changes}
        try:
            return Row(row.partition, row.key, values, self._table.replace(row, values))
        except RowChanged:
            raise Conflict(f"dead letter {row.key} is being changed by somebody else") from None


def _letter_id(queue: str, identity: str, time: str) -> str:
    """Return an ID that is the same for the same message, and sorts newest first."""
    try:
        instant = datetime.fromisoformat(time)
    except ValueError:
        instant = None
    head = _time_key(instant) if instant and instant.tzinfo else "0" * 13
    return f"{head}-{sha256(f'{queue}|{identity}'.encode()).hexdigest()[:32]}"


def _time_key(instant: datetime) -> str:
    return f"{_FAR_FUTURE - int(instant.timestamp() * 1000):013d}"


def _shown(row: Row) -> dict[str, Any]:
    return {"id": row.key, **{name: value for name, value in row.values.items() if name != "stack"}}
