"""Where copies of tables are kept: a folder, or a container of a storage account."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

from shared.adapters.azure_identity import azure_credential
from shared.adapters.blobs import AzureBlobs
from shared.adapters.storage_account import StorageAccount, StorageAddresses
from shared.kernel.blob import BlobMissing

_ADDRESS = re.compile(r"https://([a-z0-9]{3,24})\.blob\.core\.windows\.net/([a-z0-9-]{3,63})(?:/(.*))?")


class Place(Protocol):
    """A place for files of lines. A file is there whole or not at all, and is never written over."""

    def write(self, name: str, lines: Iterable[bytes]) -> None:
        """Write a file. FileExistsError."""
        ...

    def lines(self, name: str) -> Iterator[bytes]:
        """Yield the lines of a file. FileNotFoundError."""
        ...


class Folder:
    """A folder of this machine."""

    def __init__(self, root: Path) -> None:
        """Keep the path; the folder is created when first written to."""
        self._root = root

    def write(self, name: str, lines: Iterable[bytes]) -> None:
        """Write a file."""
        path = self._root / name
        if path.exists():
            raise FileExistsError(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        half = path.with_name(f"{path.name}.half")
        with half.open("wb") as file:
            file.writelines(lines)
        half.rename(path)

    def lines(self, name: str) -> Iterator[bytes]:
        """Yield the lines of a file."""
        with (self._root / name).open("rb") as file:
            yield from file


class Container:
    """A folder of a container."""

    def __init__(self, account: StorageAccount, container: str, folder: str = "") -> None:
        """Keep where it is; nothing is connected yet. The container must be there."""
        self._account = account
        self._container = container
        self._folder = folder.strip("/")

    def write(self, name: str, lines: Iterable[bytes]) -> None:
        """Write a blob; it appears when its last block is there."""
        from azure.core.exceptions import ResourceExistsError

        blob = self._account.blobs.get_blob_client(self._container, self._name(name))
        try:
            blob.upload_blob(iter(lines))
        except ResourceExistsError:
            raise FileExistsError(name) from None

    def lines(self, name: str) -> Iterator[bytes]:
        """Yield the lines of a blob."""
        rest = b""
        try:
            for piece in AzureBlobs(self._account).container(self._container).stream(self._name(name)):
                *whole, rest = (rest + piece).split(b"\n")
                yield from whole
        except BlobMissing:
            raise FileNotFoundError(name) from None
        if rest:
            yield rest

    def _name(self, name: str) -> str:
        return f"{self._folder}/{name}" if self._folder else name


def place_of(text: str) -> Place:
    """Return the place of a path or an address. ValueError for another address."""
    if "://" not in text:
        return Folder(Path(text))
    if not (found := _ADDRESS.fullmatch(text)):
        raise ValueError(f"{text} is no https://<account>.blob.core.windows.net/<container>[/<folder>]")
    return Container(public_account(found[1]), found[2], found[3] or "")


def public_account(name: str) -> StorageAccount:
    """Return a storage account of the public cloud, as whoever is signed in (`az login`, or a managed identity)."""
    blobs, queues, tables = (f"https://{name}.{kind}.core.windows.net" for kind in ("blob", "queue", "table"))
    return StorageAccount(StorageAddresses(blobs, queues, tables, azure_credential))
