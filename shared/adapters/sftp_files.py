"""What the hub does with files on an SFTP server (draft-ietf-secsh-filexfer-02), whatever the server forbids."""

import errno
import logging
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from shared.adapters.sftp_session import PARTNER, failures
from shared.kernel.errors import PartnerRefused
from shared.kernel.file_transfer import DeliveredFile

if TYPE_CHECKING:
    from paramiko import SFTPClient, SFTPFile

_log = logging.getLogger(__name__)

_PIECE = 32 * 1024
_FORBIDDEN = 403


@dataclass(frozen=True)
class Stored:
    """What can be learnt of a file: no digest where reading is refused, no size either where looking is."""

    size: int | None = None
    sha256: str = ""

    @property
    def is_seen(self) -> bool:
        """Whether the file is known to be there."""
        return self.size is not None

    def differs_from(self, wanted: DeliveredFile) -> bool:
        """Tell whether it is known to be another content."""
        return self.size not in (None, wanted.size) or self.sha256 not in ("", wanted.sha256)


def look_at(sftp: "SFTPClient", path: str) -> Stored | None:
    """Read a file; where that is refused, ask for its size. None when it is not there."""
    try:
        return _read(sftp, path)
    except FileNotFoundError:
        return None
    except OSError as error:
        _raise_unless_refused(sftp, error)
    try:
        return Stored(sftp.stat(path).st_size)
    except FileNotFoundError:
        return None
    except OSError as error:
        _raise_unless_refused(sftp, error)
        return Stored()


def look_for_folder(sftp: "SFTPClient", path: str) -> None:
    """Return when a folder is there, or when the server does not let us look. FileNotFoundError."""
    for look in (sftp.stat, sftp.listdir):
        try:
            look(path)
        except FileNotFoundError:
            raise
        except OSError as error:
            _raise_unless_refused(sftp, error)
        else:
            return


def upload(sftp: "SFTPClient", path: str, content: bytes) -> int | None:
    """Write a file, each piece acknowledged before the next; return its size as the server sees it, if it says."""
    with sftp.open(path, "wb") as file:
        for start in range(0, len(content), _PIECE):
            file.write(content[start : start + _PIECE])
        file.flush()
        return _size_of(sftp, file)


def rename(sftp: "SFTPClient", old: str, new: str, *, replacing: bool) -> None:
    """Rename at once where the server can (OpenSSH's extension), else as version 3 does, which never replaces a file.

    `replacing` says that what lies under the new name may be replaced. FileNotFoundError when the old one is gone.
    """
    if replacing:
        try:
            sftp.posix_rename(old, new)
        except FileNotFoundError:
            raise
        except OSError as error:  # unsupported or forbidden: servers have no one code for it
            _raise_unless_refused(sftp, error)
        else:
            return
    try:
        sftp.rename(old, new)
    except PermissionError:
        text = "the server does not let us rename in SFTP_DIRECTORY"
        raise PartnerRefused(PARTNER, text, status=_FORBIDDEN) from None


def remove_parts(sftp: "SFTPClient", path: str) -> None:
    """Remove what attempts that died left behind. It fails nothing: the file is where it belongs."""
    directory, _, name = path.rpartition("/")
    try:
        for entry in sftp.listdir(directory or "/"):
            if entry.startswith(f"{name}.") and entry.endswith(".part"):
                with suppress(FileNotFoundError):
                    sftp.remove(f"{directory}/{entry}")
    except failures() as error:
        kind = type(error).__name__
        _log.warning("a torn .part file of %s may lie on the SFTP server: it cannot be looked for (%s)", name, kind)


def _read(sftp: "SFTPClient", path: str) -> Stored:
    with sftp.open(path, "rb") as file:
        size, digest = 0, sha256()
        expected = _size_of(sftp, file)
        if expected:
            file.prefetch(expected)
        while piece := file.read(_PIECE):
            size += len(piece)
            digest.update(piece)
    return Stored(size, digest.hexdigest())


def _size_of(sftp: "SFTPClient", file: "SFTPFile") -> int | None:
    try:
        return file.stat().st_size
    except OSError as error:
        _raise_unless_refused(sftp, error)
        return None


def _raise_unless_refused(sftp: "SFTPClient", error: OSError) -> None:
    """Let an error out that is no refusal of the server's: it knows a code for "forbidden", and one for the rest."""
    channel = sftp.get_channel()
    if error.errno not in (None, errno.EACCES) or isinstance(error, TimeoutError) or channel is None or channel.closed:
        raise error
