"""The port to a table store: partitioned rows with ETags, and transactions inside one partition."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

Value = str | int | bool | bytes | datetime
"""What a cell can hold. Integers are 64 bit. An absent value is an absent cell."""

MAX_OPERATIONS = 100
"""Operations in one transaction (Azure Tables)."""


@dataclass(frozen=True)
class Row:
    """A stored row. `etag` changes with each write."""

    partition: str
    key: str
    values: Mapping[str, Value]
    etag: str


@dataclass(frozen=True)
class Insert:
    """Write a row that must not exist."""

    key: str
    values: Mapping[str, Value]


@dataclass(frozen=True)
class Put:
    """Write a row whatever stands there."""

    key: str
    values: Mapping[str, Value]


@dataclass(frozen=True)
class Replace:
    """Write a row that must still be as it was read."""

    key: str
    values: Mapping[str, Value]
    etag: str


@dataclass(frozen=True)
class Delete:
    """Remove a row; with an ETag only if it is still as it was read. Without one, a missing row is no error."""

    key: str
    etag: str | None = None


Operation = Insert | Put | Replace | Delete


class RowExists(Exception):
    """An Insert found the row there."""


class RowChanged(Exception):
    """A Replace or Delete found the row changed or gone."""


class LimitExceeded(ValueError):
    """A row or transaction breaks a limit of Azure Tables."""


@dataclass(frozen=True)
class Page:
    """Some rows of a query and the opaque position after them (None at the end). May be empty before the end."""

    rows: Sequence[Row]
    next_position: str | None


class Table(Protocol):
    """One table. Implemented by `adapters.tables` (Azure Tables) and, in tests, in memory."""

    def get(self, partition: str, key: str) -> Row | None:
        """Return one row, or None."""
        ...

    def insert(self, partition: str, key: str, values: Mapping[str, Value]) -> str:
        """Write a new row, return its ETag. RowExists when it is there."""
        ...

    def put(self, partition: str, key: str, values: Mapping[str, Value]) -> str:
        """Write a row whatever stands there, return its ETag."""
        ...

    def replace(self, row: Row, values: Mapping[str, Value]) -> str:
        """Write over the row that was read, return the new ETag. RowChanged when it is not that any more."""
        ...

    def delete(self, partition: str, key: str, etag: str | None = None) -> None:
        """Remove a row. RowChanged when an ETag is given and does not match."""
        ...

    def transact(self, partition: str, operations: Sequence[Operation]) -> Sequence[str]:
        """Write up to 100 rows of one partition, all or none; return their new ETags in order ("" for a Delete).

        RowExists or RowChanged when one does not fit.
        """
        ...

    def query(
        self,
        partition: str,
        *,
        key_from: str | None = None,
        key_before: str | None = None,
        equal: Mapping[str, str | int | bool] | None = None,
        select: Sequence[str] | None = None,
    ) -> Iterator[Row]:
        """Read rows of one partition in key order, `key_from` <= key < `key_before`, whose cells equal `equal`.

        `select` names the cells to return (all when None).
        """
        ...

    def page(
        self,
        partition: str,
        *,
        size: int,
        position: str | None = None,
        key_from: str | None = None,
        key_before: str | None = None,
        equal: Mapping[str, str | int | bool] | None = None,
    ) -> Page:
        """Read up to `size` rows (1 to 1000) from a position on."""
        ...


class Tables(Protocol):
    """All tables of the hub, by name."""

    def table(self, name: str) -> Table:
        """Return a table; it is created when first written to."""
        ...


def write_all(table: Table, partition: str, operations: Sequence[Operation]) -> None:
    """Write any number of rows of one partition in transactions of 100: each all or none, the whole not."""
    for start in range(0, len(operations), MAX_OPERATIONS):
        table.transact(partition, operations[start : start + MAX_OPERATIONS])


def delete_all(table: Table, partition: str, keys: Sequence[str]) -> None:
    """Remove rows of one partition, whatever stands there."""
    write_all(table, partition, [Delete(key) for key in keys])
