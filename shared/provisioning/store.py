"""Users and groups as they are stored: one row each, and a row that keeps each unique name.

Tables ScimUsers and ScimGroups, partition tenant, written in one transaction:
  `resource|ID`       the attributes as compressed JSON in parts, version, times, digests to look up by
  `name|digest`       of a userName in one case: who has it; the insert that fails is how a second one is known
"""

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from shared.kernel.clock import from_iso, to_iso
from shared.kernel.errors import TooLarge
from shared.kernel.keys import AFTER, join_key, split_key
from shared.kernel.table import (
    Delete,
    Insert,
    LimitExceeded,
    Operation,
    Replace,
    Row,
    RowExists,
    Table,
    Value,
)
from shared.provisioning.attributes import Kind
from shared.provisioning.reading import Resource
from shared.provisioning.refusal import ScimRefused

_PART_BYTES = 60_000
_PREFIX = join_key("resource", "")


@dataclass(frozen=True)
class Stored:
    """A resource with what the hub says of it. `etag`: of the row."""

    resource_id: str
    resource: Resource
    version: int
    created: datetime
    changed: datetime
    etag: str = ""


class ResourceStore:
    """The resources of one kind and tenant."""

    def __init__(self, table: Table, tenant: str, kind: Kind) -> None:
        """Keep the table."""
        self._table = table
        self._tenant = tenant
        self._unique = next((one.name for one in kind.attributes if one.unique), "")
        self._kind = kind

    def find(self, resource_id: str) -> Stored | None:
        """Return a resource, or None."""
        row = self._table.get(self._tenant, _PREFIX + join_key(resource_id))
        return _stored(row) if row else None

    def named(self, name: str) -> Stored | None:
        """Return who has a unique name, or None."""
        row = self._table.get(self._tenant, join_key("name", _digest(name)))
        return self.find(str(row.values["id"])) if row else None

    def ids(self) -> list[str]:
        """Return all IDs, oldest first."""
        rows = self._table.query(self._tenant, key_from=_PREFIX, key_before=_PREFIX + AFTER, select=["version"])
        return [split_key(row.key)[1] for row in rows]

    def all(self, equal: Mapping[str, str] | None = None) -> list[Stored]:
        """Return resources, oldest first; `equal`: of externalId or displayName, in any case."""
        digests = {name: _digest(value) for name, value in (equal or {}).items()}
        return [
            _stored(row)
            for row in self._table.query(self._tenant, key_from=_PREFIX, key_before=_PREFIX + AFTER, equal=digests)
        ]

    def add(self, stored: Stored) -> None:
        """Store a new resource. ScimRefused (uniqueness), TooLarge."""
        operations: list[Operation] = [Insert(_key(stored), _values(stored))]
        if self._unique:
            operations.append(self._claim(stored))
        self._write(operations)

    def replace(self, before: Stored, after: Stored) -> None:
        """Store a new version. RowChanged when it is not as read, ScimRefused (uniqueness), TooLarge."""
        operations: list[Operation] = [Replace(_key(before), _values(after), before.etag)]
        if self._unique and self._name(before) != self._name(after):
            operations += [Delete(self._name(before)), self._claim(after)]
        self._write(operations)

    def remove(self, stored: Stored) -> None:
        """Remove a resource and its name. RowChanged when it is not as read."""
        operations: list[Operation] = [Delete(_key(stored), stored.etag)]
        if self._unique:
            operations.append(Delete(self._name(stored)))
        self._write(operations)

    def _claim(self, stored: Stored) -> Insert:
        return Insert(self._name(stored), {"id": stored.resource_id})

    def _name(self, stored: Stored) -> str:
        return join_key("name", _digest(stored.resource[self._unique]))

    def _write(self, operations: list[Operation]) -> None:
        try:
            self._table.transact(self._tenant, operations)
        except RowExists:
            message = f"there is another {self._kind.name} with this {self._unique}"
            raise ScimRefused("uniqueness", message, 409) from None
        except LimitExceeded:
            raise TooLarge(f"this {self._kind.name} is larger than what can be stored") from None


def _key(stored: Stored) -> str:
    return _PREFIX + join_key(stored.resource_id)


def _digest(text: str) -> str:
    return sha256(text.casefold().encode("utf-8", "surrogatepass")).hexdigest()


def _values(stored: Stored) -> dict[str, Value]:
    body = zlib.compress(json.dumps(stored.resource).encode())
    parts = [body[at : at + _PART_BYTES] for at in range(0, len(body), _PART_BYTES)]
    found: dict[str, Value] = {
        "version": stored.version,
        "created": to_iso(stored.created),
        "changed": to_iso(stored.changed),
        "parts": len(parts),
    }
    found |= {f"part{number}": part for number, part in enumerate(parts)}
    return found | {
        name: _digest(stored.resource[name]) for name in ("externalId", "displayName") if name in stored.resource
    }


def _stored(row: Row) -> Stored:
    values = row.values
    body = b"".join(
        part for number in range(int(str(values["parts"]))) if isinstance(part := values[f"part{number}"], bytes)
    )
    return Stored(
        split_key(row.key)[1],
        json.loads(zlib.decompress(body)),
        int(str(values["version"])),
        from_iso(str(values["created"])),
        from_iso(str(values["changed"])),
        row.etag,
    )
