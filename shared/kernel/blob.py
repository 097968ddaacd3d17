"""The port to a blob store: named bytes with ETags."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

MAX_FILE_BYTES = 64 * 1024 * 1024
"""Of a dropped file: the host reads it whole and hands it on whole, though a function wants no more than its name."""


class BlobMissing(Exception):
    """There is no such blob."""


class BlobChanged(Exception):
    """The blob is not the one that the ETag names, or exists although it must not."""


@dataclass(frozen=True)
class BlobInfo:
    """A blob's name, size in bytes, ETag, and when it was last written: by the storage's clock, in whole seconds."""

    name: str
    size: int
    etag: str
    last_modified: datetime
    metadata: Mapping[str, str] = field(default_factory=dict)


class BlobContainer(Protocol):
    """One container. Implemented by `adapters.blobs` (Azure Blob) and, in tests, in memory."""

    def read(self, name: str, *, etag: str | None = None) -> bytes:
        """Return the whole blob. BlobMissing; BlobChanged when the ETag does not match."""
        ...

    def stream(self, name: str, *, offset: int = 0, etag: str | None = None) -> Iterator[bytes]:
        """Yield the blob from a byte offset on in pieces of at most 4 MiB, all of the same version."""
        ...

    def write(
        self,
        name: str,
        content: bytes,
        *,
        content_type: str = "application/octet-stream",
        overwrite: bool = True,
    ) -> str:
        """Store bytes, return the ETag. BlobChanged when it exists and may not be overwritten."""
        ...

    def copy(self, name: str, source: "BlobContainer", source_name: str, *, etag: str | None = None) -> None:
        """Store what another container holds, in the memory of one piece. BlobMissing and BlobChanged as it reads.

        Nothing is there before all of it is.
        """
        ...

    def info(self, name: str) -> BlobInfo | None:
        """Return what is known of a blob, or None."""
        ...

    def delete(self, name: str, *, etag: str | None = None) -> None:
        """Remove a blob; a missing one is no error. BlobChanged when the ETag does not match."""
        ...

    def list(self, prefix: str = "") -> Iterator[BlobInfo]:
        """Yield the blobs whose name begins with the prefix, in name order."""
        ...


class Blobs(Protocol):
    """All containers of the hub, by name."""

    def container(self, name: str) -> BlobContainer:
        """Return a container; it is created when first written to."""
        ...
