"""The port to where a partner picks files up (INC-54)."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class DeliveredFile:
    """A file as it lies on the server: path, size in bytes, SHA-256 in hexadecimal."""

    path: str
    size: int
    sha256: str


class FileTransfer(Protocol):
    """Delivers files. Implemented by `adapters.sftp`."""

    def deliver(self, name: str, content: bytes) -> DeliveredFile:
        """Let a file lie on the server under its name, whole or not at all. Idempotent by name and content.

        DataRefused when another content lies there; partner errors; ConfigurationError.
        """
        ...
