"""Users and groups as they are stored: one row each, a row that keeps each unique name, and rows to find them by.

Tables ScimUsers and ScimGroups, partition tenant:
  `resource|ID`                    the attributes (`long_cells`), version, times
  `name|digest`                    of a userName, without case: who has it
  `index|attribute|digest|ID`      of an externalId, or a group's displayName: who has it, may be several
  `graph|object ID`                what the pull from Microsoft Graph knows of a user (`graph_users`)

**Nothing can stay half done.** All rows that a creation, a change or a deletion touches are of one partition and
written in one transaction, so that whoever is killed, at whatever moment, leaves either all of them or none: a name
that nobody has is never taken, and a resource is always found by what it says. Two that want one name at once insert
the same row: the transaction of one fails whole. A row that is rewritten or removed carries the ETag with which it was
read, and only who holds that writes the rows beside it.

A transaction whose answer was lost is sent again by the adapter and then finds its own rows: a creation takes that for
success (its ID is new, so that nobody else can have written the row); a change and a deletion are decided again.

A row holds a group of 33,000 members; a larger one is refused as TooLarge.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from shared.kernel.clock import from_iso, to_iso
from shared.kernel.errors import TooLarge
from shared.kernel.keys import end_of_prefix, join_key, split_key
from shared.kernel.long_cells import long_cells, read_long_cells
from shared.kernel.table import (
    Delete,
    Insert,
    Operation,
    Replace,
    Row,
    RowExists,
    Table,
    Value,
)
from shared.provisioning.attributes import Attribute, Kind
from shared.provisioning.reading import Resource
from shared.provisioning.refusal import ScimRefused

_ATTRIBUTES = "attributes"
_PAGE = 200
"""Resources read at once."""
_MAX_ID = 128
_PREFIX = join_key("resource", "")


@dataclass(frozen=True)
class Stored:
    """A resource with what the hub says of it. `etag`: of the row; `stored_bytes`: what it takes there."""

    resource_id: str
    resource: Resource
    version: int
    created: datetime
    changed: datetime
    etag: str = ""
    stored_bytes: int = 0


class ResourceStore:
    """The resources of one kind and tenant."""

    def __init__(self, table: Table, tenant: str, kind: Kind) -> None:
        """Keep the table."""
        self._table = table
        self._tenant = tenant
        self._kind = kind
        self._unique = tuple(one for one in kind.attributes if one.unique)
        self._indexed = tuple(one for one in kind.attributes if one.indexed)

    def find(self, resource_id: str) -> Stored | None:
        """Return a resource, or None."""
        if len(resource_id) > _MAX_ID or not resource_id.isascii():
            return None
        row = self._table.get(self._tenant, _PREFIX + join_key(resource_id))
        return _stored(row) if row else None

    def having(self, attribute: Attribute, value: str) -> Iterator[Stored]:
        """Yield who has a value, in any case, of an attribute that is unique or indexed, oldest first."""
        if attribute.unique:
            row = self._table.get(self._tenant, _name(value))
            found = [str(row.values["id"])] if row else []
        else:
            prefix = _index(attribute, value, "")
            rows = self._table.query(self._tenant, key_from=prefix, key_before=end_of_prefix(prefix))
            found = [str(row.values["id"]) for row in rows]
        yield from (one for resource_id in found if (one := self.find(resource_id)))

    def ids(self) -> list[str]:
        """Return all IDs, oldest first."""
        rows = self._table.query(self._tenant, key_from=_PREFIX, key_before=end_of_prefix(_PREFIX), select=["version"])
        return [split_key(row.key)[1] for row in rows]

    def all(self, first_id: str = "") -> Iterator[Stored]:
        """Yield the resources from an ID on, oldest first; no more are read than a page beyond what is taken."""
        position: str | None = None
        key_from = _PREFIX + join_key(first_id)
        while True:
            page = self._table.page(
                self._tenant, size=_PAGE, position=position, key_from=key_from, key_before=end_of_prefix(_PREFIX)
            )
            yield from map(_stored, page.rows)
            position = page.next_position
            if position is None:
                return

    def add(self, stored: Stored, also: Sequence[Operation] = ()) -> None:
        """Store a new resource, and what is to be written with it. ScimRefused (uniqueness), TooLarge."""
        kept = self._beside(stored)
        rows: list[Operation] = [Insert(_key(stored), _values(stored)), *(Insert(key, kept[key]) for key in kept)]
        try:
            self._write([*rows, *also])
        except ScimRefused:
            if self.find(stored.resource_id) is None:
                raise

    def replace(self, before: Stored, after: Stored, also: Sequence[Operation] = ()) -> None:
        """Store a new version, and what is to be written with it.

        RowChanged when it is not as read, ScimRefused (uniqueness), TooLarge.
        """
        old, new = self._beside(before), self._beside(after)
        self._write(
            [
                Replace(_key(before), _values(after), before.etag),
                *(Delete(key) for key in old if key not in new),
                *(Insert(key, new[key]) for key in new if key not in old),
                *also,
            ]
        )

    def remove(self, stored: Stored, also: Sequence[Operation] = ()) -> None:
        """Remove a resource and what stands beside it, and write what is to be written with that.

        RowChanged when it is not as read.
        """
        self._write([Delete(_key(stored), stored.etag), *map(Delete, self._beside(stored)), *also])

    def _beside(self, stored: Stored) -> dict[str, dict[str, Value]]:
        """Return the rows by which a resource is found: key and values."""
        had = stored.resource
        keys = [_name(had[one.name]) for one in self._unique]
        keys += [_index(one, had[one.name], stored.resource_id) for one in self._indexed if one.name in had]
        return {key: {"id": stored.resource_id} for key in keys}

    def _write(self, operations: list[Operation]) -> None:
        try:
            self._table.transact(self._tenant, operations)
        except RowExists:
            names = " or ".join(one.name for one in self._unique) or "id"
            raise ScimRefused("uniqueness", f"there is another {self._kind.name} with this {names}", 409) from None


def _key(stored: Stored) -> str:
    return _PREFIX + join_key(stored.resource_id)


def _name(value: str) -> str:
    return join_key("name", _digest(value))


def _index(attribute: Attribute, value: str, resource_id: str) -> str:
    return join_key("index", attribute.name, _digest(value), resource_id)


def _digest(text: str) -> str:
    return sha256(text.casefold().encode("utf-8", "surrogatepass")).hexdigest()


def _values(stored: Stored) -> dict[str, Value]:
    try:
        attributes = long_cells(_ATTRIBUTES, stored.resource)
    except ValueError as error:
        raise TooLarge(f"there are more attributes than can be stored: {error}") from None
    return {
        "version": stored.version,
        "created": to_iso(stored.created),
        "changed": to_iso(stored.changed),
        **attributes,
    }


def _stored(row: Row) -> Stored:
    values = row.values
    return Stored(
        split_key(row.key)[1],
        read_long_cells(_ATTRIBUTES, values),
        int(str(values["version"])),
        from_iso(str(values["created"])),
        from_iso(str(values["changed"])),
        row.etag,
        _size(values),
    )


def _size(values: Mapping[str, Value]) -> int:
    """Return how many bytes the attributes take: their cells hold ASCII text, or bytes."""
    cells = (value for name, value in values.items() if name.startswith(_ATTRIBUTES))
    return sum(len(cell) for cell in cells if isinstance(cell, str | bytes))
