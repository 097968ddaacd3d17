"""The blob port on Azure Blob Storage."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from shared.adapters.storage_account import StorageAccount
from shared.kernel.blob import BlobChanged, BlobInfo, BlobMissing

if TYPE_CHECKING:
    from azure.storage.blob import BlobClient

_PIECE = 4 * 1024 * 1024


class AzureBlobs:
    """All containers of an account."""

    def __init__(self, account: StorageAccount) -> None:
        """Keep the account; nothing is connected yet."""
        self._account = account

    def container(self, name: str) -> "AzureContainer":
        """Return a container; it is created when first written to."""
        return AzureContainer(self._account, name)


class AzureContainer:
    """One container. One that is missing reads as empty and is created by the first write."""

    def __init__(self, account: StorageAccount, name: str) -> None:
        """Keep account and name."""
        self._account = account
        self.name = name

    def _client(self, name: str) -> "BlobClient":
        return self._account.blobs.get_blob_client(self.name, name)

    def read(self, name: str, *, etag: str | None = None) -> bytes:
        """Return the whole blob. BlobMissing; BlobChanged when the ETag does not match."""
        return b"".join(self.stream(name, etag=etag))

    def stream(self, name: str, *, offset: int = 0, etag: str | None = None) -> Iterator[bytes]:
        """Yield the blob from a byte offset on, all of the same version."""
        from azure.core.exceptions import HttpResponseError, ResourceModifiedError, ResourceNotFoundError

        try:
            while True:
                try:
                    part = self._client(name).download_blob(offset=offset, length=_PIECE, **_unchanged(etag))
                except HttpResponseError as error:
                    if error.status_code == 416:  # the offset is the end of the blob
                        return
                    raise
                etag = part.properties.etag
                content = part.readall()
                yield content
                offset += len(content)
                if len(content) < _PIECE:
                    return
        except ResourceNotFoundError:
            raise BlobMissing(f"{self.name}/{name}") from None
        except ResourceModifiedError:
            raise BlobChanged(f"{self.name}/{name}") from None

    def write(
        self, name: str, content: bytes, *, content_type: str = "application/octet-stream", overwrite: bool = True
    ) -> str:
        """Store bytes, return the ETag. BlobChanged when it exists and may not be overwritten."""
        from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError
        from azure.storage.blob import ContentSettings

        def upload() -> str:
            settings = ContentSettings(content_type=content_type)
            answer = self._client(name).upload_blob(content, overwrite=overwrite, content_settings=settings)
            return _etag(answer["etag"])

        try:
            return upload()
        except ResourceExistsError:
            raise BlobChanged(f"{self.name}/{name}") from None
        except ResourceNotFoundError:
            self._create()
            return upload()

    def info(self, name: str) -> BlobInfo | None:
        """Return size and ETag, or None."""
        from azure.core.exceptions import ResourceNotFoundError

        try:
            properties = self._client(name).get_blob_properties()
        except ResourceNotFoundError:
            return None
        return BlobInfo(name, properties.size, _etag(properties.etag), dict(properties.metadata or {}))

    def delete(self, name: str, *, etag: str | None = None) -> None:
        """Remove a blob; a missing one is no error. BlobChanged when the ETag does not match."""
        from azure.core.exceptions import ResourceModifiedError, ResourceNotFoundError

        try:
            self._client(name).delete_blob(**_unchanged(etag))
        except ResourceNotFoundError:
            return
        except ResourceModifiedError:
            raise BlobChanged(f"{self.name}/{name}") from None

    def list(self, prefix: str = "") -> Iterator[BlobInfo]:
        """Yield the blobs whose name begins with the prefix, in name order."""
        from azure.core.exceptions import ResourceNotFoundError

        client = self._account.blobs.get_container_client(self.name)
        try:
            for blob in client.list_blobs(name_starts_with=prefix):
                yield BlobInfo(blob.name, blob.size, _etag(blob.etag), dict(blob.metadata or {}))
        except ResourceNotFoundError:
            return

    def _create(self) -> None:
        from azure.core.exceptions import ResourceExistsError

        try:
            self._account.blobs.create_container(self.name)
        except ResourceExistsError:
            return


def _etag(value: str) -> str:
    """Return an ETag in its quoted form: listings give it bare."""
    return f'"{value.strip(chr(34))}"'


def _unchanged(etag: str | None) -> dict[str, Any]:
    from azure.core import MatchConditions

    return {"etag": etag, "match_condition": MatchConditions.IfNotModified} if etag else {}
