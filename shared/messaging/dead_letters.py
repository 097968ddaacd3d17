"""What an operator does with dead letters: list, inspect, send again, edited or not, discard; one or many (INC-71)."""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from shared.kernel.blob import BlobContainer
from shared.kernel.clock import Clock, from_iso, to_iso
from shared.kernel.errors import Conflict, DataRefused, HubError, StorageUnavailable
from shared.kernel.identifiers import NewId
from shared.kernel.message import Message, Queues, parse_message
from shared.kernel.table import Row, RowChanged, Table, Value
from shared.messaging.dead_letter import Failure, Status
from shared.messaging.dead_letter_store import DeadLetterStore, Selection

MAX_AT_ONCE = 100
"""Dead letters that one operation on many takes."""
FINISHED_AFTER = timedelta(minutes=15)
"""A resubmission that is still not sent then was left by somebody who died."""

_log = logging.getLogger(__name__)


class CannotBeSentAgain(Conflict, DataRefused):
    """The message itself is unfit; a person must look at it, and the request as it stands is refused (409)."""


class DeadLetters:
    """The dead letters of one tenant."""

    def __init__(
        self, table: Table, payloads: BlobContainer, queues: Queues, tenant: str, clock: Clock, new_id: NewId
    ) -> None:
        """Keep table, container, and the queues that messages go back to."""
        self._store = DeadLetterStore(table, payloads, tenant, clock)
        self._queues, self._tenant = queues, tenant
        self._clock, self._new_id = clock, new_id

    def keep(self, queue: str, body: bytes, message: Message | None, failure: Failure) -> str:
        """Keep a message, return the dead letter's ID. Idempotent by message and attempt (else by the body)."""
        return self._store.keep(queue, body, message, failure)

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
        return self._store.page(Selection(equal, since, until), size=size, position=position)

    def show(self, identifier: str) -> dict[str, Any]:
        """Return a dead letter with its stack and its message (see `DeadLetterStore.show`). NotFound."""
        return self._store.show(identifier)

    def resubmit(self, identifier: str, by: str, data: Mapping[str, Any] | None = None) -> str:
        """Send the message again, with other data if given; return the new message's ID. Done twice, it is sent once.

        The new message's ID, and edited data, are stored before it is sent. A repeat after a crash finishes what was
        begun: same ID, same data; `finish_resubmissions` does where nobody repeats it. NotFound. Conflict for a dead
        letter that was discarded, is being changed by somebody else, or cannot be sent again.
        """
        row = self._store.row(identifier)
        status = Status(str(row.values["status"]))
        if status is Status.DISCARDED:
            raise Conflict(f"dead letter {identifier} was discarded")
        if status is Status.OPEN:
            row = self._decide(row, by, data)
        message_id = str(row.values["resubmittedAs"])
        if status is not Status.RESUBMITTED:
            self._queues.send(str(row.values["queue"]), self._new_message(row, message_id))
            self._mark_sent(row)
        return message_id

    def finish_resubmissions(self) -> list[str]:
        """Finish what was begun long ago by somebody who died; return the dead letters that were sent. Idempotent."""
        sent = []
        for row in self._store.of_status(Status.RESUBMITTING):
            begun = row.values.get("resubmitBegunAt")
            if begun and self._clock() - from_iso(str(begun)) < FINISHED_AFTER:
                continue
            try:
                self.resubmit(row.key, str(row.values["resubmittedBy"]))
            except StorageUnavailable:
                raise
            except HubError as error:
                _log.error("dead letter %s cannot be sent again: %s", row.key, error.code)
            else:
                sent.append(row.key)
        return sent

    def discard(self, identifier: str, by: str, reason: str) -> None:
        """Give a dead letter up for good. Idempotent. NotFound; Conflict when it was resubmitted."""
        row = self._store.row(identifier)
        status = Status(str(row.values["status"]))
        if status in (Status.RESUBMITTED, Status.RESUBMITTING):
            raise Conflict(f"dead letter {identifier} was resubmitted")
        if status is Status.OPEN:
            now = to_iso(self._clock())
            changes: dict[str, Value] = {"discardedAt": now, "discardedBy": by, "discardReason": reason}
            self._change(row, {"status": Status.DISCARDED.value, **changes})

    def resubmit_many(self, identifiers: Sequence[str], by: str) -> list[dict[str, Any]]:
        """Send many again; return per ID `{id, messageId}` or `{id, error: {code, message}}`."""

        def resubmit(one: str) -> dict[str, Any]:
            return {"messageId": self.resubmit(one, by)}

        return [_outcome(one, partial(resubmit, one)) for one in identifiers]

    def discard_many(self, identifiers: Sequence[str], by: str, reason: str) -> list[dict[str, Any]]:
        """Give many up for good; return per ID `{id, status}` or `{id, error: {code, message}}`."""

        def discard(one: str) -> dict[str, Any]:
            self.discard(one, by, reason)
            return {"status": Status.DISCARDED.value}

        return [_outcome(one, partial(discard, one)) for one in identifiers]

    def open_ones(self, selection: Selection) -> tuple[list[str], bool]:
        """Return the IDs of the newest open dead letters of a selection, MAX_AT_ONCE at most, and whether more wait."""
        wanted = Selection({**selection.equal, "status": Status.OPEN.value}, selection.since, selection.until)
        found: list[str] = []
        position: str | None = None
        while True:
            items, position = self._store.page(wanted, size=MAX_AT_ONCE + 1 - len(found), position=position)
            found += [item["id"] for item in items]
            if position is None or len(found) > MAX_AT_ONCE:
                return found[:MAX_AT_ONCE], len(found) > MAX_AT_ONCE

    def _decide(self, row: Row, by: str, data: Mapping[str, Any] | None) -> Row:
        """Store what is going to be sent. A message that cannot be sent again is refused before anything is stored."""
        message_id = self._new_id()
        if data is None:
            self._with_payload(row)
        else:
            self._original(row)
            self._store.keep_edited(row.key, message_id, json.dumps(data).encode())
        changes: dict[str, Value] = {
            "resubmittedAs": message_id,
            "resubmittedBy": by,
            "resubmitBegunAt": to_iso(self._clock()),
            "edited": data is not None,
        }
        return self._change(row, {"status": Status.RESUBMITTING.value, **changes})

    def _new_message(self, row: Row, message_id: str) -> Message:
        if row.values.get("edited"):
            data = json.loads(self._store.edited(row.key, message_id))
            message = self._original(row).model_copy(update={"data": data, "dataref": ""})
        else:
            message = self._with_payload(row)
        # A new message: its attempts and its age count anew.
        return message.model_copy(
            update={"id": message_id, "attempt": 0, "postponed": 0, "crashes": 0, "time": to_iso(self._clock())}
        )

    def _original(self, row: Row) -> Message:
        try:
            message = parse_message(self._store.body(row.key))
        except DataRefused:
            raise CannotBeSentAgain(f"dead letter {row.key} is not a hub message and cannot be sent again") from None
        if message.tenant != self._tenant:
            raise CannotBeSentAgain(f"dead letter {row.key} is a message of another tenant and cannot be sent again")
        return message

    def _with_payload(self, row: Row) -> Message:
        """Return the message with its payload: a claim check holds for the ID that it was made for alone."""
        try:
            return self._queues.resolve(self._original(row))
        except DataRefused as error:
            if isinstance(error, CannotBeSentAgain):
                raise
            text = f"dead letter {row.key} cannot be sent again without new data: {error.message}"
            raise CannotBeSentAgain(text) from None

    def _mark_sent(self, row: Row) -> None:
        try:
            changes: dict[str, Value] = {"resubmittedAt": to_iso(self._clock())}
            self._store.change(row, {"status": Status.RESUBMITTED.value, **changes})
        except RowChanged:
            return  # somebody else finished the same resubmission: the message is sent under the same ID

    def _change(self, row: Row, changes: Mapping[str, Value]) -> Row:
        try:
            return self._store.change(row, changes)
        except RowChanged:
            raise Conflict(f"dead letter {row.key} is being changed by somebody else") from None


def _outcome(identifier: str, act: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """One that cannot be done never stops the others; only storage does, which none can be done without."""
    try:
        return {"id": identifier, **act()}
    except StorageUnavailable:
        raise
    except HubError as error:
        return {"id": identifier, "error": {"code": error.code, "message": error.message}}
