"""A blob store in memory, with ETags."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from threading import Lock

from shared.adapters.blob_names import check_container_name, quoted_etag
from shared.kernel.blob import BlobChanged, BlobContainer, BlobInfo, BlobMissing
from shared.kernel.clock import Clock
from tests.fakes.hook import Hook

PIECE = 4 * 1024 * 1024


@dataclass(frozen=True)
class _Stored:
    content: bytes
    etag: str
    content_type: str
    last_modified: datetime

    def info(self, name: str) -> BlobInfo:
        return BlobInfo(name, len(self.content), self.etag, self.last_modified)


class MemoryBlobs:
    """Implements `Blobs`."""

    def __init__(self, hook: Hook | None = None, clock: Clock = lambda: datetime.now(UTC)) -> None:
        """Start empty; the hook is called around every operation, the clock is the storage's."""
        self._hook = hook or Hook()
        self._clock = clock
        self._containers: dict[str, MemoryContainer] = {}
        self._lock = Lock()

    def container(self, name: str) -> "MemoryContainer":
        """Return a container."""
        check_container_name(name)
        with self._lock:
            return self._containers.setdefault(name, MemoryContainer(name, self._hook, self._clock))


class MemoryContainer:
    """Implements `BlobContainer`."""

    def __init__(self, name: str, hook: Hook, clock: Clock) -> None:
        """Start empty."""
        self._name = name
        self._clock = clock
        self._hook = hook
        self._blobs: dict[str, _Stored] = {}
        self._versions = count(1)
        self._lock = Lock()

    def read(self, name: str, *, etag: str | None = None) -> bytes:
        """Return the whole blob."""
        return self._read(name, etag).content

    def stream(self, name: str, *, offset: int = 0, etag: str | None = None) -> Iterator[bytes]:
        """Yield the blob in pieces, all of the same version."""
        while True:
            found = self._read(name, etag)
            etag = found.etag
            if piece := found.content[offset : offset + PIECE]:
                yield piece
            offset += PIECE
            if offset >= len(found.content):
                return

    def write(
        self,
        name: str,
        content: bytes,
        *,
        content_type: str = "application/octet-stream",
        overwrite: bool = True,
    ) -> str:
        """Store bytes, return the ETag."""
        self._hook.before("write", self._name, name)
        with self._lock:
            if name in self._blobs and not overwrite:
                raise BlobChanged(f"{self._name}/{name} exists")
            etag, written = f'"0x{next(self._versions):X}"', self._clock().replace(microsecond=0)
            stored = _Stored(bytes(content), etag, content_type, written)
            self._blobs[name] = stored
        self._hook.after("write", self._name, name)
        return stored.etag

    def copy(self, name: str, source: BlobContainer, source_name: str, *, etag: str | None = None) -> None:
        """Store what another container holds."""
        self.write(name, b"".join(source.stream(source_name, etag=etag)))

    def info(self, name: str) -> BlobInfo | None:
        """Return what is known of a blob, or None."""
        self._hook.before("info", self._name, name)
        with self._lock:
            found = self._blobs.get(name)
        self._hook.after("info", self._name, name)
        return found.info(name) if found else None

    def delete(self, name: str, *, etag: str | None = None) -> None:
        """Remove a blob; a missing one is no error."""
        self._hook.before("delete", self._name, name)
        with self._lock:
            found = self._blobs.get(name)
            if found and etag and found.etag != quoted_etag(etag):
                raise BlobChanged(f"{self._name}/{name} changed")
            self._blobs.pop(name, None)
        self._hook.after("delete", self._name, name)

    def list(self, prefix: str = "") -> Iterator[BlobInfo]:
        """Yield the blobs whose name begins with the prefix, in name order."""
        self._hook.before("list", self._name, prefix)
        with self._lock:
            found = [(name, self._blobs[name]) for name in sorted(self._blobs) if name.startswith(prefix)]
        self._hook.after("list", self._name, prefix)
        for name, stored in found:
            yield stored.info(name)

    def _read(self, name: str, etag: str | None) -> _Stored:
        self._hook.before("read", self._name, name)
        with self._lock:
            found = self._blobs.get(name)
        self._hook.after("read", self._name, name)
        if not found:
            raise BlobMissing(f"{self._name}/{name}")
        if etag and found.etag != quoted_etag(etag):
            raise BlobChanged(f"{self._name}/{name} changed")
        return found
