"""Azure Tables in memory: same order, same ETag rules, same limits, pages of 1000."""

import json
from bisect import bisect_left, insort
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from threading import Lock

from shared.adapters.table_batch import encode_batch
from shared.adapters.table_entities import check_key, decode_values, encode_entity
from shared.adapters.table_names import check_table_name
from shared.adapters.table_positions import read_position, write_position
from shared.kernel.table import (
    Delete,
    Insert,
    Operation,
    Page,
    Put,
    Replace,
    Row,
    RowChanged,
    RowExists,
    Value,
)
from tests.fakes.hook import Hook

PAGE_SIZE = 1000


class MemoryTables:
    """Implements `Tables`."""

    def __init__(self, hook: Hook | None = None) -> None:
        """Start empty; the hook is called around every operation."""
        self._hook = hook or Hook()
        self._tables: dict[str, MemoryTable] = {}
        self._lock = Lock()

    def table(self, name: str) -> "MemoryTable":
        """Return a table (names differ by more than case)."""
        check_table_name(name)
        with self._lock:
            return self._tables.setdefault(name.lower(), MemoryTable(name, self._hook))


class _Partition:
    """Rows in the order of Azure: by UTF-16 units."""

    def __init__(self) -> None:
        self.order: list[tuple[bytes, str]] = []
        self.rows: dict[str, Row] = {}

    def write(self, row: Row) -> None:
        if row.key not in self.rows:
            insort(self.order, _sort_key(row.key))
        self.rows[row.key] = row

    def remove(self, key: str) -> None:
        if self.rows.pop(key, None):
            del self.order[bisect_left(self.order, _sort_key(key))]

    def between(self, first: str | None, before: str | None) -> Iterator[Row]:
        begin = bisect_left(self.order, _sort_key(first)) if first is not None else 0
        end = bisect_left(self.order, _sort_key(before)) if before is not None else len(self.order)
        return (self.rows[self.order[index][1]] for index in range(begin, end))


class MemoryTable:
    """Implements `Table`."""

    def __init__(self, name: str, hook: Hook) -> None:
        """Start empty."""
        self._name = name
        self._hook = hook
        self._partitions: dict[str, _Partition] = {}
        self._versions = count(1)
        self._lock = Lock()

    def get(self, partition: str, key: str) -> Row | None:
        """Return one row, or None."""
        check_key(partition)
        check_key(key)
        self._hook.before("get", self._name, partition)
        with self._lock:
            row = self._partition(partition).rows.get(key)
        self._hook.after("get", self._name, partition)
        return row

    def insert(self, partition: str, key: str, values: Mapping[str, Value]) -> str:
        """Write a new row."""
        return self._write("insert", partition, [Insert(key, values)])[0]

    def put(self, partition: str, key: str, values: Mapping[str, Value]) -> str:
        """Write a row whatever stands there."""
        return self._write("put", partition, [Put(key, values)])[0]

    def replace(self, row: Row, values: Mapping[str, Value]) -> str:
        """Write over the row that was read."""
        return self._write("replace", row.partition, [Replace(row.key, values, row.etag)])[0]

    def delete(self, partition: str, key: str, etag: str | None = None) -> None:
        """Remove a row."""
        self._write("delete", partition, [Delete(key, etag)])

    def transact(self, partition: str, operations: Sequence[Operation]) -> Sequence[str]:
        """Write all or none."""
        if not operations:
            return []
        encode_batch(self._name, partition, operations, "http://memory")
        return self._write("transact", partition, operations)

    def query(
        self,
        partition: str,
        *,
        key_from: str | None = None,
        key_before: str | None = None,
        equal: Mapping[str, str | int | bool] | None = None,
        select: Sequence[str] | None = None,
    ) -> Iterator[Row]:
        """Read rows page by page; each page is one moment's picture."""
        position = None
        while True:
            rows, position = self._read_page(partition, PAGE_SIZE, position, key_from, key_before, equal)
            for row in rows:
                yield row if select is None else _project(row, select)
            if position is None:
                return

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
        """Read up to `size` rows from a position on."""
        if not 1 <= size <= PAGE_SIZE:
            raise ValueError(f"a page has 1 to {PAGE_SIZE} rows, not {size}")
        start = None if position is None else read_position(position)[1]
        rows, following = self._read_page(partition, size, start, key_from, key_before, equal)
        return Page(rows, None if following is None else write_position(partition, following))

    def _read_page(
        self,
        partition: str,
        size: int,
        start: str | None,
        key_from: str | None,
        key_before: str | None,
        equal: Mapping[str, str | int | bool] | None,
    ) -> tuple[list[Row], str | None]:
        if start is not None and (key_from is None or _sort_key(start) > _sort_key(key_from)):
            key_from = start
        self._hook.before("query", self._name, partition)
        rows: list[Row] = []
        following = None
        with self._lock:
            for row in self._partition(partition).between(key_from, key_before):
                if not _matches(row, equal):
                    continue
                if len(rows) == size:
                    following = row.key
                    break
                rows.append(row)
        self._hook.after("query", self._name, partition)
        return rows, following

    def _write(self, name: str, partition: str, operations: Sequence[Operation]) -> list[str]:
        ready = [self._row(partition, operation) for operation in operations]
        self._hook.before(name, self._name, partition)
        with self._lock:
            stored = self._partition(partition)
            for operation in operations:
                self._check(operation, stored.rows.get(operation.key))
            for operation, row in zip(operations, ready, strict=True):
                if row is None:
                    stored.remove(operation.key)
                else:
                    stored.write(row)
        self._hook.after(name, self._name, partition)
        return [row.etag if row else "" for row in ready]

    def _row(self, partition: str, operation: Operation) -> Row | None:
        if isinstance(operation, Delete):
            encode_entity(self._name, partition, operation.key, {})
            return None
        # Through JSON and back: what is read is what Azure would give, not the caller's own objects.
        content = encode_entity(self._name, partition, operation.key, operation.values)
        return Row(partition, operation.key, decode_values(json.loads(content)), f'W/"{next(self._versions)}"')

    def _check(self, operation: Operation, found: Row | None) -> None:
        where = f"table {self._name}, key {operation.key!r}"
        if isinstance(operation, Insert) and found:
            raise RowExists(where)
        if isinstance(operation, Replace) and (found is None or found.etag != operation.etag):
            raise RowChanged(where)
        if isinstance(operation, Delete) and operation.etag and (found is None or found.etag != operation.etag):
            raise RowChanged(where)

    def _partition(self, name: str) -> _Partition:
        return self._partitions.setdefault(name, _Partition())


def _sort_key(key: str) -> tuple[bytes, str]:
    return key.encode("utf-16-be"), key


def _matches(row: Row, equal: Mapping[str, str | int | bool] | None) -> bool:
    return all(
        (found := row.values.get(name)) == value and type(found) is type(value) for name, value in (equal or {}).items()
    )


def _project(row: Row, select: Sequence[str]) -> Row:
    return Row(row.partition, row.key, {name: row.values[name] for name in select if name in row.values}, row.etag)
