"""Where messages that were given up are kept (INC-71, RES-06).

Table DeadLetters: partition tenant, row key the dead letter's ID; IDs begin with the inverted time, so the list is
newest first and finding one is a point read. The message itself is a blob in container `dead-letters`.
"""

import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from shared.kernel.blob import BlobContainer, BlobMissing
from shared.kernel.clock import Clock, to_iso
from shared.kernel.errors import NotFound
from shared.kernel.message import Message
from shared.kernel.table import Row, RowExists, Table, Value
from shared.messaging.dead_letter import Failure, Status, letter_id, row_values, shown, time_key

_LETTER_ID = re.compile(r"[0-9]{13}-[0-9a-f]{32}")


@dataclass(frozen=True)
class Selection:
    """Which dead letters: cells that equal, and the time (of the message) `since` <= time <= `until`."""

    equal: Mapping[str, str] = field(default_factory=dict)
    since: datetime | None = None
    until: datetime | None = None


class DeadLetterStore:
    """The dead letters of one tenant, as they are stored."""

    def __init__(self, table: Table, payloads: BlobContainer, tenant: str, clock: Clock) -> None:
        """Keep table and container."""
        self._table, self._payloads, self._tenant, self._clock = table, payloads, tenant, clock

    def keep(self, queue: str, body: bytes, message: Message | None, failure: Failure) -> str:
        """Keep a message, return the dead letter's ID. Idempotent by message and attempt (else by the body).

        The body is kept byte for byte, parseable or not, and before the row that speaks of it.
        """
        identifier = letter_id(queue, body, message)
        self._payloads.write(self._blob(identifier), body)
        with suppress(RowExists):
            self._table.insert(self._tenant, identifier, row_values(queue, message, failure, to_iso(self._clock())))
        return identifier

    def page(self, selection: Selection, *, size: int, position: str | None) -> tuple[list[dict[str, Any]], str | None]:
        """Return a page, newest first, and the position after it (None at the end). May be empty before the end."""
        page = self._table.page(
            self._tenant,
            size=size,
            position=position,
            key_from=time_key(selection.until) if selection.until else None,
            key_before=time_key(selection.since) + "~" if selection.since else None,
            equal=selection.equal,
        )
        return [shown(row) for row in page.rows], page.next_position

    def of_status(self, status: Status) -> Iterator[Row]:
        """Yield the rows of dead letters that are so far."""
        return self._table.query(self._tenant, equal={"status": status.value})

    def show(self, identifier: str) -> dict[str, Any]:
        """Return a dead letter with its stack and its `message` as text. NotFound.

        One that is no UTF-8 has its exact bytes in `messageBase64` too.
        """
        row = self.row(identifier)
        body = self.body(identifier)
        message = body.decode(errors="replace")
        exact = {} if message.encode() == body else {"messageBase64": b64encode(body).decode()}
        return shown(row) | {"stack": row.values["stack"], "message": message} | exact

    def row(self, identifier: str) -> Row:
        """Return the row of a dead letter. NotFound."""
        row = self._table.get(self._tenant, identifier) if _LETTER_ID.fullmatch(identifier) else None
        if row is None:
            raise NotFound(f"there is no dead letter {identifier[:100]!r}")
        return row

    def body(self, identifier: str) -> bytes:
        """Return the message as it was on the queue. NotFound."""
        return self._read(self._blob(identifier))

    def change(self, row: Row, changes: Mapping[str, Value]) -> Row:
        """Write changed cells, return the row as it is now. RowChanged when it was not that any more."""
        values = {**row.values, **changes}
        return Row(row.partition, row.key, values, self._table.replace(row, values))

    def keep_edited(self, identifier: str, message_id: str, data: bytes) -> None:
        """Keep the payload that an operator put in the place of the message's own."""
        self._payloads.write(self._edited_blob(identifier, message_id), data, content_type="application/json")

    def edited(self, identifier: str, message_id: str) -> bytes:
        """Return such a payload. NotFound."""
        return self._read(self._edited_blob(identifier, message_id))

    def _read(self, name: str) -> bytes:
        try:
            return self._payloads.read(name)
        except BlobMissing:
            raise NotFound(f"the message of this dead letter is gone (blob {name})") from None

    def _blob(self, identifier: str) -> str:
        return f"{self._tenant}/{identifier}"

    def _edited_blob(self, identifier: str, message_id: str) -> str:
        return f"{self._tenant}/{identifier}.edited-{message_id}.json"
