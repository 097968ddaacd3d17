"""Users here who are Microsoft Graph's, and how an entry of a page changes them: in one transaction each (INC-33).

Row `graph|object ID` beside the users (`store`): what Graph said last of an object, and by whom it was read. The `turn`
of whoever reads grows with each worker: one that was overtaken, however late it wakes up, changes nothing.

An entry is about the user with the object's ID as externalId; where there is none, about the one with its userName,
unless that is another object's. A userName belongs to whom Graph says: whoever else has it gets his own ID for one,
until his own entry comes, and is deactivated when he is none of Graph's.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from shared.kernel.clock import Clock
from shared.kernel.errors import Busy, TooLarge
from shared.kernel.identifiers import NewId
from shared.kernel.keys import end_of_prefix, join_key, split_key
from shared.kernel.table import Insert, Operation, Replace, Row, RowChanged, RowExists, Table, Value
from shared.provisioning.attributes import EXTERNAL_ID, USER_NAME
from shared.provisioning.graph_pages import ENABLED, MAX_OBJECT_ID, Entry, Removal
from shared.provisioning.graph_user import PRINCIPAL_NAME, with_entry
from shared.provisioning.reading import Resource
from shared.provisioning.refusal import ScimRefused
from shared.provisioning.store import ResourceStore, Stored

_MAX_TRIES = 20
_PREFIX = join_key("graph", "")


class Outcome(StrEnum):
    """What an entry came to; the values are the names of the counts."""

    CREATED = "created"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    DEACTIVATED = "deactivated"
    REMOVED = "removed"
    REFUSED = "refused"


@dataclass(frozen=True)
class _Known:
    """What is known of a Graph object: whether its account is enabled, whether it was deleted, in which turn seen."""

    object_id: str
    enabled: bool = True
    gone: bool = False
    turn: str = ""
    etag: str = ""


class GraphUsers:
    """The users of one tenant, as Graph's entries change them."""

    def __init__(self, table: Table, tenant: str, store: ResourceStore, clock: Clock, new_id: NewId) -> None:
        """Keep the table of the users, and the store over it."""
        self._table, self._tenant, self._store = table, tenant, store
        self._clock, self._new_id = clock, new_id

    def apply(self, entry: Entry, turn: str) -> Outcome:
        """Apply an entry that was read in a turn. Idempotent. Busy when others are always faster."""
        for _ in range(_MAX_TRIES):
            known = self._known(entry.object_id)
            if known.turn > turn:
                return Outcome.UNCHANGED
            try:
                found = self._remove(entry, known, turn) if entry.removal else self._take_over(entry, known, turn)
            except TooLarge:
                return Outcome.REFUSED
            except (RowChanged, RowExists, ScimRefused):
                # Somebody changed a row that was read, or took the name: look again.
                continue
            if found:
                return found
        raise Busy(f"user {entry.object_id} of Graph is being changed by others", retry_after=1)

    def unseen(self, since: str) -> tuple[list[str], int]:
        """Return the objects that are not deleted and were not seen in a turn from `since` on; and how many are not."""
        rows = self._table.query(self._tenant, key_from=_PREFIX, key_before=end_of_prefix(_PREFIX))
        there = [known for row in rows if not (known := _read(row)).gone]
        return [known.object_id for known in there if known.turn < since], len(there)

    def _take_over(self, entry: Entry, known: _Known, turn: str) -> Outcome | None:
        name = str(entry.values.get(PRINCIPAL_NAME) or "")
        before = self._find(entry.object_id)
        has_it = before and before.resource[USER_NAME.name].casefold() == name.casefold()
        holder = self._named(name) if name and not has_it else None
        if holder and not before and not self._object_of(holder).etag:
            before, holder = holder, None
        if holder:
            return self._free(holder, known, turn)
        if before is None and not name:
            return Outcome.REFUSED
        enabled = bool(entry.values.get(ENABLED, known.enabled))
        after = with_entry(before.resource if before else {}, entry)
        if not enabled:
            after["active"] = False
        elif before is None or known.gone or not known.enabled:
            # Else Graph says nothing new: who was deactivated by SCIM stays so.
            after["active"] = True
        return self._write(before, after, replace(known, enabled=enabled, gone=False, turn=turn))

    def _remove(self, entry: Entry, known: _Known, turn: str) -> Outcome:
        before = self._find(entry.object_id)
        gone = replace(known, gone=True, turn=turn)
        if before is None:
            if known.etag:
                self._table.transact(self._tenant, [_note(gone)])
            return Outcome.UNCHANGED
        if entry.removal is Removal.FINAL:
            self._store.remove(before, [_note(gone)])
            return Outcome.REMOVED
        return self._write(before, before.resource | {"active": False}, gone)

    def _write(self, before: Stored | None, after: Resource, known: _Known) -> Outcome:
        now = self._clock()
        if before is None:
            self._store.add(Stored(self._new_id(), after, 1, now, now), [_note(known)])
            return Outcome.CREATED
        if after == before.resource:
            self._table.transact(self._tenant, [_note(known)])
            return Outcome.UNCHANGED
        stored = replace(before, resource=after, version=before.version + 1, changed=now)
        self._store.replace(before, stored, [_note(known)])
        was_active = before.resource.get("active") is not False
        return Outcome.DEACTIVATED if was_active and after.get("active") is False else Outcome.CHANGED

    def _find(self, object_id: str) -> Stored | None:
        """Return the user whose externalId an object's ID is."""
        found = self._store.having(EXTERNAL_ID, object_id)
        return next((one for one in found if one.resource[EXTERNAL_ID.name] == object_id), None)

    def _free(self, holder: Stored, claiming: _Known, turn: str) -> Outcome | None:
        """Let a user give his name up to an object; what is known of both must still hold, else look again."""
        known = self._object_of(holder)
        if known.turn > turn:
            return Outcome.UNCHANGED
        notes = [_note(replace(claiming, turn=turn)), *([_note(known)] if known.etag else [])]
        leaves = {"userName": holder.resource_id} | ({} if known.etag and not known.gone else {"active": False})
        after = replace(holder, resource=holder.resource | leaves, version=holder.version + 1, changed=self._clock())
        self._store.replace(holder, after, notes)
        return None

    def _named(self, name: str) -> Stored | None:
        return next(self._store.having(USER_NAME, name), None)

    def _object_of(self, stored: Stored) -> _Known:
        return self._known(str(stored.resource.get(EXTERNAL_ID.name, "")))

    def _known(self, object_id: str) -> _Known:
        """Return what is known of an object; of one that nobody knows, with an empty ETag."""
        if not 0 < len(object_id) <= MAX_OBJECT_ID:
            return _Known(object_id)
        row = self._table.get(self._tenant, _PREFIX + join_key(object_id))
        return _read(row) if row else _Known(object_id)


def _note(known: _Known) -> Operation:
    key = _PREFIX + join_key(known.object_id)
    values: dict[str, Value] = {"enabled": known.enabled, "gone": known.gone, "turn": known.turn}
    return Replace(key, values, known.etag) if known.etag else Insert(key, values)


def _read(row: Row) -> _Known:
    values = row.values
    return _Known(
        split_key(row.key)[1], values["enabled"] is True, values["gone"] is True, str(values["turn"]), row.etag
    )
