"""Where payroll picks files up: a small SFTP server on paramiko, for the demo."""

import os
import shutil
import socket
import tempfile
import threading
from base64 import b64encode
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from io import StringIO
from pathlib import Path, PurePosixPath
from typing import IO

import paramiko
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from paramiko.common import (
    AUTH_FAILED,
    AUTH_SUCCESSFUL,
    OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED,
    OPEN_SUCCEEDED,
)
from paramiko.sftp import SFTP_EOF, SFTP_FAILURE, SFTP_OK, SFTP_PERMISSION_DENIED
from typing_extensions import Buffer

USERNAME, PASSWORD = "hub", "sftp-password"
FAULTS = ("reset", "cut-half", "before-rename", "after-rename", "disk-full", "forbidden")
"""When the next session ends: at once, after half an upload, before its rename, before the rename is answered; or the
disk is full, or not ours."""


class SftpServer:
    """Serves a folder on 127.0.0.1 until closed. The host key is the same everywhere: it protects nothing."""

    def __init__(self, port: int = 0, root: Path | None = None, *, authorized_key: str = "") -> None:
        """Take the port (0: any free one) and listen. OSError when it is taken.

        `authorized_key` is a public key that is let in, beside the password. `collects`: payroll takes each file away
        as soon as it has its name.
        """
        self.collects = False
        self.collected: list[tuple[str, bytes]] = []
        """Path and content of what payroll has taken away."""
        self.logins: list[str] = []
        self._authorized_key = authorized_key
        self._temporary = None if root else Path(tempfile.mkdtemp(prefix="sandbox-sftp-"))
        self.root = root or self._temporary or Path()
        (self.root / "incoming" / "dsif").mkdir(parents=True, exist_ok=True)
        self.key = _host_key()
        self.faults: list[str] = []
        self.sessions = 0
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port = int(self._listener.getsockname()[1])
        self._closing = False
        self._transports: list[paramiko.Transport] = []
        self._thread = threading.Thread(target=self._accept, name="sandbox-sftp", daemon=True)
        self._thread.start()

    @property
    def host_key_line(self) -> str:
        """The public host key as in known_hosts."""
        return f"ssh-ed25519 {b64encode(self.key.asbytes()).decode()}"

    def files(self) -> dict[str, bytes]:
        """Return every file by its path."""
        return {
            f"/{file.relative_to(self.root).as_posix()}": file.read_bytes()
            for file in sorted(self.root.rglob("*"))
            if file.is_file()
        }

    def fail_next(self, fault: str) -> None:
        """Let something go wrong in the next session. ValueError for a fault that there is not."""
        if fault not in FAULTS:
            raise ValueError(f"{fault!r} is no fault: one of {', '.join(FAULTS)}")
        self.faults.append(fault)

    def close(self) -> None:
        """Stop serving, remove what was kept in a temporary folder."""
        self._closing = True
        with suppress(OSError):  # on some systems a listening socket cannot be shut down: closing it is enough there
            self._listener.shutdown(socket.SHUT_RDWR)  # closing alone would leave accept() waiting
        self._listener.close()
        for transport in self._transports:
            transport.close()
        self._thread.join(5)
        if self._temporary:
            shutil.rmtree(self._temporary, ignore_errors=True)

    def _named(self, file: Path) -> None:
        """A file has got its name."""
        if self.collects:
            self.collected.append((f"/{file.relative_to(self.root).as_posix()}", file.read_bytes()))
            file.unlink()

    def _accept(self) -> None:
        while not self._closing:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.sessions += 1
            fault = self.faults.pop(0) if self.faults else ""
            if fault == "reset":
                connection.close()
                continue
            transport = paramiko.Transport(connection)
            transport.add_server_key(self.key)
            self._transports = [*(one for one in self._transports if one.is_active()), transport]
            session = _Session(self.root, fault, transport.close, self._named)
            transport.set_subsystem_handler("sftp", paramiko.SFTPServer, _Files, session)
            try:
                transport.start_server(server=_Login(self._authorized_key, self.logins))
            except (paramiko.SSHException, EOFError, OSError):
                transport.close()


class _Login(paramiko.ServerInterface):
    """Lets the hub in; `logins` notes with what a client tried."""

    def __init__(self, authorized_key: str, logins: list[str]) -> None:
        self._authorized_key = authorized_key
        self._logins = logins

    def check_auth_password(self, username: str, password: str) -> int:
        self._logins.append("password")
        return AUTH_SUCCESSFUL if (username, password) == (USERNAME, PASSWORD) else AUTH_FAILED

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        self._logins.append("publickey")
        known = self._authorized_key.split()[1:2] == [key.get_base64()]
        return AUTH_SUCCESSFUL if known and username == USERNAME else AUTH_FAILED

    def get_allowed_auths(self, username: str) -> str:  # noqa: ARG002 - paramiko's signature
        return "password,publickey"

    def check_channel_request(self, kind: str, chanid: int) -> int:  # noqa: ARG002
        return OPEN_SUCCEEDED if kind == "session" else OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED


@dataclass(frozen=True)
class _Session:
    """What a session serves, what goes wrong in it, how it ends early, and who is told of a renamed file."""

    root: Path
    fault: str
    hang_up: Callable[[], None]
    named: Callable[[Path], None]


class _Handle(paramiko.SFTPHandle):
    """An open file."""

    def __init__(self, session: _Session, file: IO[bytes]) -> None:
        super().__init__()
        self._session = session
        self._file = file

    def stat(self) -> paramiko.SFTPAttributes:
        return paramiko.SFTPAttributes.from_stat(os.fstat(self._file.fileno()))

    def read(self, offset: int, length: int) -> bytes | int:
        self._file.seek(offset)
        return self._file.read(length) or SFTP_EOF

    def write(self, offset: int, data: Buffer) -> int:
        content = bytes(data)
        match self._session.fault:
            case "disk-full":
                return SFTP_FAILURE
            case "cut-half":
                self._put(offset, content[: len(content) // 2])
                self._session.hang_up()
                return SFTP_FAILURE
            case _:
                self._put(offset, content)
                return SFTP_OK

    def close(self) -> None:
        self._file.close()

    def _put(self, offset: int, content: bytes) -> None:
        self._file.seek(offset)
        self._file.write(content)
        self._file.flush()


class _Files(paramiko.SFTPServerInterface):
    """The files of one session: nothing above the root can be reached."""

    def __init__(self, server: paramiko.ServerInterface, session: _Session) -> None:
        super().__init__(server)
        self._session = session

    def stat(self, path: str) -> paramiko.SFTPAttributes | int:
        try:
            return paramiko.SFTPAttributes.from_stat(_real(self._session.root, path).stat(), path)
        except OSError as error:
            return _code(error)

    def list_folder(self, path: str) -> list[paramiko.SFTPAttributes] | int:
        try:
            entries = list(_real(self._session.root, path).iterdir())
            return [paramiko.SFTPAttributes.from_stat(entry.stat(), entry.name) for entry in entries]
        except OSError as error:
            return _code(error)

    def lstat(self, path: str) -> paramiko.SFTPAttributes | int:
        return self.stat(path)

    def open(self, path: str, flags: int, attr: paramiko.SFTPAttributes) -> paramiko.SFTPHandle | int:  # noqa: ARG002
        if self._session.fault == "forbidden":
            return SFTP_PERMISSION_DENIED
        writing = bool(flags & (os.O_WRONLY | os.O_RDWR))
        try:
            descriptor = os.open(_real(self._session.root, path), flags, 0o600)
        except OSError as error:
            return _code(error)
        return _Handle(self._session, os.fdopen(descriptor, "wb" if writing else "rb"))

    def remove(self, path: str) -> int:
        try:
            _real(self._session.root, path).unlink()
        except OSError as error:
            return _code(error)
        return SFTP_OK

    def rename(self, oldpath: str, newpath: str) -> int:
        if _real(self._session.root, newpath).exists():
            return SFTP_FAILURE
        return self.posix_rename(oldpath, newpath)

    def posix_rename(self, oldpath: str, newpath: str) -> int:
        if self._session.fault == "before-rename":
            self._session.hang_up()
            return SFTP_FAILURE
        file = _real(self._session.root, newpath)
        try:
            _real(self._session.root, oldpath).replace(file)
            self._session.named(file)
        except OSError as error:
            return _code(error)
        if self._session.fault == "after-rename":
            self._session.hang_up()
        return SFTP_OK


def _code(error: OSError) -> int:
    return int(paramiko.SFTPServer.convert_errno(error.errno or 0))


def _real(root: Path, path: str) -> Path:
    """Return where a path of the client lies; `..` ends at the root."""
    parts: list[str] = []
    for part in PurePosixPath(path).parts:
        if part == "..":
            parts = parts[:-1]
        elif part != "/":
            parts.append(part)
    return root.joinpath(*parts)


def _host_key() -> paramiko.Ed25519Key:
    private = Ed25519PrivateKey.from_private_bytes(sha256(b"host key of the local sandbox").digest())
    text = private.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
    return paramiko.Ed25519Key.from_private_key(StringIO(text))
