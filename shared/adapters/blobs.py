"""The blob port on Azure Blob Storage."""

from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC
from functools import partial
from typing import TYPE_CHECKING, Any

from shared.adapters.blob_names import check_container_name, quoted_etag
from shared.adapters.storage_account import StorageAccount
from shared.adapters.storage_errors import passing_named, refused
from shared.kernel.blob import BlobChanged, BlobContainer, BlobInfo, BlobMissing

if TYPE_CHECKING:
    from azure.storage.blob import BlobClient, BlobProperties

SERVICE = "blobs"
PIECE = 4 * 1024 * 1024
"""Bytes of one range: a blob of any size is streamed in the memory of one piece."""


class AzureBlobs:
    """All containers of an account."""

    def __init__(self, account: StorageAccount) -> None:
        """Keep the account; nothing is connected yet."""
        self._account = account

    def container(self, name: str) -> "AzureContainer":
        """Return a container; it is created when first written to."""
        check_container_name(name)
        return AzureContainer(self._account, name)


class AzureContainer:
    """One container. One that is missing reads as empty and is created by the first write.

    StorageUnavailable from every operation, when blobs are not to be had, and StorageRefused, when they never will.
    """

    def __init__(self, account: StorageAccount, name: str) -> None:
        """Keep account and name."""
        self._account = account
        self._name = name

    def read(self, name: str, *, etag: str | None = None) -> bytes:
        """Return the whole blob. BlobMissing; BlobChanged when the ETag does not match."""
        return b"".join(self.stream(name, etag=etag))

    def stream(self, name: str, *, offset: int = 0, etag: str | None = None) -> Iterator[bytes]:
        """Yield the blob from a byte offset on in pieces, all of the same version."""
        client = self._client(name)
        while True:
            with self._named_errors(name):
                piece, size, etag = _download(client, offset, etag)
            if piece:
                yield piece
            offset += PIECE
            if offset >= size:
                return

    def write(
        self,
        name: str,
        content: bytes,
        *,
        content_type: str = "application/octet-stream",
        overwrite: bool = True,
    ) -> str:
        """Store bytes, return the ETag. BlobChanged when it exists and may not be overwritten."""
        from azure.storage.blob import ContentSettings

        settings = ContentSettings(content_type=content_type)
        client = self._client(name)
        with self._named_errors(name):
            answer = self._creating(lambda: client.upload_blob(content, overwrite=overwrite, content_settings=settings))
        return quoted_etag(answer["etag"])

    def copy(self, name: str, source: BlobContainer, source_name: str, *, etag: str | None = None) -> None:
        """Store what another container holds, in the memory of one piece. BlobMissing and BlobChanged as it reads.

        Through here and not by the service: that would need a permission of its own to read, and be a job to wait for.
        """
        from azure.storage.blob import BlobBlock

        client, blocks = self._client(name), list[str]()
        for piece in source.stream(source_name, etag=etag):
            block = b64encode(f"{len(blocks):08d}".encode()).decode()
            with self._named_errors(name):
                self._creating(partial(client.stage_block, block, piece))
            blocks.append(block)
        with self._named_errors(name):
            self._creating(lambda: client.commit_block_list([BlobBlock(block) for block in blocks]))

    def info(self, name: str) -> BlobInfo | None:
        """Return what is known of a blob, or None."""
        try:
            with self._named_errors(name):
                found = self._client(name).get_blob_properties()
        except BlobMissing:
            return None
        return _info(found)

    def delete(self, name: str, *, etag: str | None = None) -> None:
        """Remove a blob; a missing one is no error. BlobChanged when the ETag does not match."""
        try:
            with self._named_errors(name):
                self._client(name).delete_blob(**_unchanged(etag))
        except BlobMissing:
            return
        except BlobChanged:
            # A condition on a missing blob is answered like one on a changed blob.
            if self.info(name) is not None:
                raise

    def list(self, prefix: str = "") -> Iterator[BlobInfo]:
        """Yield the blobs whose name begins with the prefix, in name order."""
        from azure.core.exceptions import AzureError, ResourceNotFoundError

        container = self._account.blobs.get_container_client(self._name)
        try:
            with passing_named(SERVICE):
                for blob in container.list_blobs(name_starts_with=prefix, include=["metadata"]):
                    yield _info(blob)
        except ResourceNotFoundError:
            return
        except AzureError as error:
            raise refused(SERVICE, error) from None

    def _client(self, name: str) -> "BlobClient":
        return self._account.blobs.get_blob_client(self._name, name)

    def _creating(self, write: Callable[[], Any]) -> Any:  # noqa: ANN401 - whatever the SDK answers
        """Write; when the container is missing, create it and write again."""
        from azure.core.exceptions import ResourceNotFoundError

        try:
            return write()
        except ResourceNotFoundError:
            self._create()
            return write()

    def _create(self) -> None:
        from azure.core.exceptions import ResourceExistsError

        try:
            self._account.blobs.create_container(self._name)
        except ResourceExistsError:
            return

    @contextmanager
    def _named_errors(self, name: str) -> Iterator[None]:
        from azure.core.exceptions import AzureError, ResourceExistsError, ResourceModifiedError, ResourceNotFoundError

        try:
            with passing_named(SERVICE):
                yield
        except ResourceNotFoundError:
            raise BlobMissing(f"{self._name}/{name}") from None
        except (ResourceExistsError, ResourceModifiedError):
            raise BlobChanged(f"{self._name}/{name}") from None
        except AzureError as error:
            raise refused(SERVICE, error) from None


def _info(found: "BlobProperties") -> BlobInfo:
    return BlobInfo(
        found.name, found.size, quoted_etag(found.etag), found.last_modified.astimezone(UTC), dict(found.metadata or {})
    )


def _download(client: "BlobClient", offset: int, etag: str | None) -> tuple[bytes, int, str]:
    """Return one piece, the size of the blob and its ETag."""
    from azure.core.exceptions import HttpResponseError

    try:
        download = client.download_blob(offset=offset, length=PIECE, **_unchanged(etag))
    except HttpResponseError as error:
        if error.status_code != 416:
            raise
        return b"", 0, ""  # the offset lies behind the last byte
    return download.readall(), _total_size(download.properties.content_range), quoted_etag(download.properties.etag)


def _total_size(content_range: str | None) -> int:
    """Return the size that `bytes 0-99/1000` names; an empty blob has no range."""
    return int(content_range.rpartition("/")[2]) if content_range else 0


def _unchanged(etag: str | None) -> dict[str, Any]:
    from azure.core import MatchConditions

    return {"etag": quoted_etag(etag), "match_condition": MatchConditions.IfNotModified} if etag else {}
