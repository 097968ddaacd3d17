"""Storage in memory: the same behaviour as the real adapters (tests/contract runs on both), with hooks for crashes."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from datetime import datetime, timedelta
from itertools import count
from threading import RLock

from shared.adapters.queues import ClaimCheck
from shared.adapters.table_limits import check_row, check_transaction
from shared.kernel.blob import BlobChanged, BlobInfo, BlobMissing
from shared.kernel.clock import Clock
from shared.kernel.message import Message, parse_message
from shared.kernel.table import Delete, Insert, Operation, Page, Put, Replace, Row, RowChanged, RowExists, Value

Hook = Callable[[str, str], None]
"""Called with (operation, name) before each storage operation; it may raise, or do something in between."""


def _nothing(_operation: str, _name: str) -> None:
    return


class MemoryTables:
    """All tables, in memory."""

    def __init__(self, hook: Hook = _nothing) -> None:
        self.hook = hook
        self._tables: dict[str, MemoryTable] = {}

    def table(self, name: str) -> "MemoryTable":
        return self._tables.setdefault(name, MemoryTable(self, name))


class MemoryTable:
    """One table, in memory; safe for threads."""

    def __init__(self, owner: MemoryTables, name: str) -> None:
        self._owner = owner
        self.name = name
        self._rows: dict[str, dict[str, Row]] = defaultdict(dict)
        self._lock = RLock()
        self._versions = count(1)

    def get(self, partition: str, key: str) -> Row | None:
        self._owner.hook("get", self.name)
        with self._lock:
            return self._rows[partition].get(key)

    def insert(self, partition: str, key: str, values: Mapping[str, Value]) -> str:
        return self._single("insert", partition, Insert(key, values))

    def put(self, partition: str, key: str, values: Mapping[str, Value]) -> str:
        return self._single("put", partition, Put(key, values))

    def replace(self, row: Row, values: Mapping[str, Value]) -> str:
        return self._single("replace", row.partition, Replace(row.key, values, row.etag))

    def delete(self, partition: str, key: str, etag: str | None = None) -> None:
        self._single("delete", partition, Delete(key, etag))

    def transact(self, partition: str, operations: Sequence[Operation]) -> Sequence[str]:
        check_transaction(self.name, operations)
        self._owner.hook("transact", self.name)
        with self._lock:
            for operation in operations:
                self._check(partition, operation)
            return [self._apply(partition, operation) for operation in operations]

    def query(
        self,
        partition: str,
        *,
        key_from: str | None = None,
        key_before: str | None = None,
        equal: Mapping[str, str | int | bool] | None = None,
        select: Sequence[str] | None = None,
    ) -> Iterator[Row]:
        position: str | None = None
        while True:
            page = self.page(
                partition, size=1000, position=position, key_from=key_from, key_before=key_before, equal=equal
            )
            for row in page.rows:
                chosen = row.values if select is None else {k: v for k, v in row.values.items() if k in select}
                yield Row(row.partition, row.key, chosen, row.etag)
            position = page.next_position
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
        after = _read_position(position) if position else None
        self._owner.hook("query", self.name)
        with self._lock:
            fitting = [
                row
                for key, row in sorted(self._rows[partition].items())
                if (key_from is None or key >= key_from)
                and (key_before is None or key < key_before)
                and (after is None or key > after)
                and all(row.values.get(name) == value for name, value in (equal or {}).items())
            ]
        rows = fitting[:size]
        more = len(fitting) > size
        return Page(rows, urlsafe_b64encode(json.dumps(rows[-1].key).encode()).decode() if more else None)

    def _single(self, name: str, partition: str, operation: Operation) -> str:
        if not isinstance(operation, Delete):
            check_row(self.name, operation.key, operation.values)
        self._owner.hook(name, self.name)
        with self._lock:
            self._check(partition, operation)
            return self._apply(partition, operation)

    def _check(self, partition: str, operation: Operation) -> None:
        found = self._rows[partition].get(operation.key)
        where = f"{self.name} {partition} {operation.key}"
        match operation:
            case Insert() if found:
                raise RowExists(where)
            case Replace() if found is None or found.etag != operation.etag:
                raise RowChanged(where)
            case Delete() if operation.etag and (found is None or found.etag != operation.etag):
                raise RowChanged(where)

    def _apply(self, partition: str, operation: Operation) -> str:
        if isinstance(operation, Delete):
            self._rows[partition].pop(operation.key, None)
            return ""
        etag = f'W/"{next(self._versions)}"'
        self._rows[partition][operation.key] = Row(partition, operation.key, deepcopy(dict(operation.values)), etag)
        return etag


def _read_position(position: str) -> str:
    try:
        return str(json.loads(urlsafe_b64decode(position.encode())))
    except ValueError:
        raise ValueError("not a position in a table") from None


class MemoryBlobs:
    """All containers, in memory."""

    def __init__(self, hook: Hook = _nothing) -> None:
        self.hook = hook
        self._containers: dict[str, MemoryContainer] = {}

    def container(self, name: str) -> "MemoryContainer":
        return self._containers.setdefault(name, MemoryContainer(self, name))


class MemoryContainer:
    """One container, in memory."""

    def __init__(self, owner: MemoryBlobs, name: str) -> None:
        self._owner = owner
        self.name = name
        self._blobs: dict[str, tuple[bytes, str]] = {}
        self._versions = count(1)

    def read(self, name: str, *, etag: str | None = None) -> bytes:
        return b"".join(self.stream(name, etag=etag))

    def stream(self, name: str, *, offset: int = 0, etag: str | None = None) -> Iterator[bytes]:
        self._owner.hook("read", self.name)
        if name not in self._blobs:
            raise BlobMissing(f"{self.name}/{name}")
        content, found = self._blobs[name]
        if etag and etag != found:
            raise BlobChanged(f"{self.name}/{name}")
        yield content[offset:]

    def write(
        self, name: str, content: bytes, *, content_type: str = "application/octet-stream", overwrite: bool = True
    ) -> str:
        self._owner.hook("write", self.name)
        if name in self._blobs and not overwrite:
            raise BlobChanged(f"{self.name}/{name}")
        etag = f'"{next(self._versions)}"'
        self._blobs[name] = (content, etag)
        return etag

    def info(self, name: str) -> BlobInfo | None:
        self._owner.hook("info", self.name)
        if name not in self._blobs:
            return None
        content, etag = self._blobs[name]
        return BlobInfo(name, len(content), etag)

    def delete(self, name: str, *, etag: str | None = None) -> None:
        self._owner.hook("delete", self.name)
        if name in self._blobs and etag and self._blobs[name][1] != etag:
            raise BlobChanged(f"{self.name}/{name}")
        self._blobs.pop(name, None)

    def list(self, prefix: str = "") -> Iterator[BlobInfo]:
        self._owner.hook("list", self.name)
        for name, (content, etag) in sorted(self._blobs.items()):
            if name.startswith(prefix):
                yield BlobInfo(name, len(content), etag)


class MemoryQueues:
    """Queues, in memory. Messages travel as text, as they do for real."""

    def __init__(self, blobs: MemoryBlobs, clock: Clock, hook: Hook = _nothing) -> None:
        self.hook = hook
        self._clock = clock
        self._claim_check = ClaimCheck(blobs)
        self._waiting: dict[str, list[tuple[datetime, int, str]]] = defaultdict(list)
        self._numbers = count()

    def send(self, queue: str, message: Message, *, delay: float = 0) -> None:
        text = self._claim_check.check_in(message).to_json()
        self.hook("send", queue)
        due = self._clock() + timedelta(seconds=delay)
        self._waiting[queue].append((due, next(self._numbers), text))

    def resolve(self, message: Message) -> Message:
        return self._claim_check.check_out(message)

    def depth(self, queue: str) -> int:
        return len(self._waiting[queue])

    def take(self, queue: str, index: int = 0) -> str | None:
        """Take one of the due messages off the queue, in order of sending; None when none is due."""
        due = sorted(item for item in self._waiting[queue] if item[0] <= self._clock())
        if not due:
            return None
        chosen = due[index % len(due)]
        self._waiting[queue].remove(chosen)
        return chosen[2]

    def put_back(self, queue: str, text: str) -> None:
        """Put a message back, as the broker does when its worker died."""
        self._waiting[queue].append((self._clock(), next(self._numbers), text))

    def messages(self, queue: str) -> list[Message]:
        """Return all waiting messages, due or not."""
        return [parse_message(text) for _, _, text in sorted(self._waiting[queue])]
