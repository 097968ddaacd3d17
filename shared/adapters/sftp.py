"""SFTP: a file lies on the server under its name, whole or not at all (INC-54, INC-56).

It is written under a temporary name that no other attempt has, read back, compared, and only then renamed: of two
that deliver at once, neither writes into what the other renames. Killed anywhere and done again, it ends in one file
with the right content; what dead attempts left behind is removed. The server is known by its pinned host key and by
nothing else.
"""

import logging
import secrets
import socket
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from io import StringIO
from typing import TYPE_CHECKING, Protocol, TypeVar

from shared.adapters.resilience.retry import Retry
from shared.adapters.sftp_host_key import fingerprint
from shared.adapters.telemetry.partner_calls import PartnerCall, PartnerCalls
from shared.adapters.telemetry.telemetry import Telemetry
from shared.kernel.errors import (
    ConfigurationError,
    CredentialsRefused,
    DataRefused,
    FieldProblem,
    NetworkFailure,
    PartnerRefused,
    PartnerTimeout,
)
from shared.kernel.file_transfer import DeliveredFile
from shared.kernel.secret import Secret

if TYPE_CHECKING:
    from paramiko import PKey, SFTPClient, Transport

_log = logging.getLogger(__name__)

PARTNER = "payroll-sftp"
_PIECE = 32 * 1024
_FORBIDDEN = 403
_NOT_FOUND = 404
Result = TypeVar("Result")


class Breaker(Protocol):
    """Lets calls through or raises CircuitOpen (RES-03)."""

    def call(self, call: Callable[[], Result]) -> Result:
        """Return the call's result and learn from it."""
        ...


@dataclass(frozen=True)
class SftpServer:
    """Where and as whom. `host_keys` are fingerprints; the key wins over the password. Timeout in seconds."""

    host: str
    port: int
    username: str
    host_keys: tuple[str, ...]
    directory: str
    private_key: Secret | None = None
    password: Secret | None = None
    timeout: float = 30.0


class SftpTransfer:
    """Implements `FileTransfer`. One connection for each delivery."""

    def __init__(self, server: SftpServer, retry: Retry, breaker: Breaker, calls: PartnerCalls | None = None) -> None:
        """Connect to nothing yet. `calls` observes each delivery (default: in silence)."""
        self._server = server
        self._retry = retry
        self._breaker = breaker
        self._calls = calls or PartnerCalls(Telemetry(), PARTNER)

    def deliver(self, name: str, content: bytes) -> DeliveredFile:
        """Let a file lie on the server. Idempotent by name and content.

        DataRefused when another content lies there; NetworkFailure, PartnerTimeout (retried already), CircuitOpen;
        PartnerRefused when the server does not let us; ConfigurationError for host key and credentials.
        """
        if "/" in name or name in ("", ".", ".."):
            raise ValueError("a file name is needed, not a path")
        credential, log_in = self._credential()

        with self._calls.call("deliver") as observed:

            def deliver(secret: str) -> DeliveredFile:
                step = partial(self._deliver, name, content, lambda transport: log_in(transport, secret))
                return self._retry.call(lambda: self._attempt(observed, step))

            return credential.use(deliver)

    def probe(self) -> None:
        """Return when the server has let us in and has the folder. One attempt, beside the circuit.

        NetworkFailure, PartnerTimeout, PartnerRefused without the folder, ConfigurationError.
        """
        credential, log_in = self._credential()

        def look(secret: str) -> None:
            with self._session(lambda transport: log_in(transport, secret)) as sftp:
                sftp.stat(self._server.directory)

        credential.use(look)

    def _attempt(self, observed: PartnerCall, step: "Callable[[], DeliveredFile]") -> DeliveredFile:
        with observed.attempt():
            return self._breaker.call(step)

    def _credential(self) -> "tuple[Secret, Callable[[Transport, str], None]]":
        """Return what is needed to log in, and how. The private key wins where there are both."""
        key, password = self._server.private_key, self._server.password
        if password and not (key and key.find()):
            return password, self._by_password
        assert key, "the settings have one of them"
        return key, self._by_private_key

    def _by_password(self, transport: "Transport", password: str) -> None:
        transport.auth_password(self._server.username, password)

    def _by_private_key(self, transport: "Transport", private_key: str) -> None:
        transport.auth_publickey(self._server.username, _private_key(private_key))

    def _deliver(self, name: str, content: bytes, log_in: "Callable[[Transport], None]") -> DeliveredFile:
        path = f"{self._server.directory.rstrip('/')}/{name}"
        wanted = DeliveredFile(path, len(content), sha256(content).hexdigest())
        with self._session(log_in) as sftp:
            there = _stored(sftp, path)
            if there is None:
                part = f"{path}.{secrets.token_hex(4)}.part"
                _upload(sftp, part, content)
                written = _stored(sftp, part)
                if written is None or (written.size, written.sha256) != (wanted.size, wanted.sha256):
                    raise NetworkFailure(PARTNER, f"{name} did not arrive whole")
                _rename(sftp, part, path)
            elif there != wanted:
                raise DataRefused(f"{path} lies on the SFTP server already, with another content: look at it first")
            _remove_parts(sftp, path)
        return wanted

    @contextmanager
    def _session(self, log_in: "Callable[[Transport], None]") -> Iterator["SFTPClient"]:
        import paramiko

        with _told(), closing(self._connect(log_in)) as transport:
            sftp = paramiko.SFTPClient.from_transport(transport)
            if sftp is None:
                raise NetworkFailure(PARTNER, "the server opens no SFTP session")
            channel = sftp.get_channel()
            if channel:
                channel.settimeout(self._server.timeout)
            yield sftp

    def _connect(self, log_in: "Callable[[Transport], None]") -> "Transport":
        import paramiko

        server = self._server
        transport = paramiko.Transport(socket.create_connection((server.host, server.port), server.timeout))
        try:
            transport.banner_timeout = transport.auth_timeout = server.timeout
            transport.start_client(timeout=server.timeout)
            self._check_host_key(transport)
            log_in(transport)
        except BaseException:
            transport.close()
            raise
        return transport

    def _check_host_key(self, transport: "Transport") -> None:
        seen = fingerprint(transport.get_remote_server_key().asbytes())
        if seen not in self._server.host_keys:
            problem = FieldProblem("SFTP_HOST_KEY", f"the server shows {seen}, which is not the pinned key")
            raise ConfigurationError((problem,))


@contextmanager
def _told() -> Iterator[None]:
    """Say in the hub's own errors what went wrong, by who must act."""
    from paramiko import AuthenticationException, SSHException

    try:
        yield
    except AuthenticationException:
        problem = FieldProblem("SFTP_USERNAME, SFTP_PRIVATE_KEY, SFTP_PASSWORD", "the server does not accept them")
        raise CredentialsRefused((problem,)) from None
    except TimeoutError:
        raise PartnerTimeout(PARTNER, "the server does not answer in time") from None
    except PermissionError:
        raise PartnerRefused(PARTNER, "the server does not let us write in SFTP_DIRECTORY", status=_FORBIDDEN) from None
    except FileNotFoundError:
        raise PartnerRefused(PARTNER, "SFTP_DIRECTORY is not on the server", status=_NOT_FOUND) from None
    except (SSHException, OSError, EOFError) as error:
        raise NetworkFailure(PARTNER, f"the connection failed ({type(error).__name__})") from None


def _upload(sftp: "SFTPClient", path: str, content: bytes) -> None:
    with sftp.open(path, "wb") as file:
        file.set_pipelined(True)
        for start in range(0, len(content), _PIECE):
            file.write(content[start : start + _PIECE])


def _stored(sftp: "SFTPClient", path: str) -> DeliveredFile | None:
    """Read a file back; None when it is not there."""
    try:
        with sftp.open(path, "rb") as file:
            size, digest = 0, sha256()
            file.prefetch(file.stat().st_size)
            while piece := file.read(_PIECE):
                size += len(piece)
                digest.update(piece)
    except FileNotFoundError:
        return None
    return DeliveredFile(path, size, digest.hexdigest())


def _rename(sftp: "SFTPClient", old: str, new: str) -> None:
    """Rename at once where the server can (OpenSSH), else as SFTP version 3 does, which never replaces a file."""
    try:
        try:
            sftp.posix_rename(old, new)
        except OSError as error:
            if error.errno is not None:
                raise
            sftp.rename(old, new)
    except FileNotFoundError:
        raise NetworkFailure(PARTNER, "another attempt was faster and removed this one's temporary file") from None


def _remove_parts(sftp: "SFTPClient", path: str) -> None:
    """Remove what attempts that died left behind."""
    directory, _, name = path.rpartition("/")
    try:
        entries = sftp.listdir(directory or "/")
    except PermissionError:
        _log.warning("the SFTP server does not let us list: a torn .part file of %s may lie there", name)
        return
    for entry in entries:
        if entry.startswith(f"{name}.") and entry.endswith(".part"):
            with suppress(FileNotFoundError):
                sftp.remove(f"{directory}/{entry}")


def _private_key(text: str) -> "PKey":
    """Read a private key, OpenSSH or PEM; a setting may hold its line ends as `\\n`."""
    import paramiko

    whole = text.replace("\\n", "\n").strip() + "\n"
    for kind in (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey):
        try:
            return kind.from_private_key(StringIO(whole))
        except (paramiko.SSHException, ValueError, IndexError):
            continue
    raise ConfigurationError((FieldProblem("SFTP_PRIVATE_KEY", "is no private key without passphrase"),))
