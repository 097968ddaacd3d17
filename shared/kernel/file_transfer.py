"""The port to where a partner picks files up (INC-54)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

BeforeRename = Callable[[str], object]
"""Is given the temporary name under which a file lies whole: what it stores tells the next attempt that the partner may
have the file."""


@dataclass(frozen=True)
class DeliveredFile:
    """A file as it lies on the server: path, size in bytes, SHA-256 in hexadecimal.

    `taken`: it lies there no more. It was whole and about to get its name, and is gone under both names.
    """

    path: str
    size: int
    sha256: str
    taken: bool = False


class FileTransfer(Protocol):
    """Delivers files. Implemented by `adapters.sftp`."""

    def deliver(self, name: str, content: bytes, *, part: str, before_rename: BeforeRename) -> DeliveredFile:
        """Let a file lie on the server under its name, whole or not at all. Idempotent by name and content.

        `before_rename` stores the temporary name; `part` is what it stored, "" for the first time. With it a file that
        the partner took away is not delivered again.
        DataRefused when another content lies there; partner errors; ConfigurationError; what `before_rename` raises.
        """
        ...
