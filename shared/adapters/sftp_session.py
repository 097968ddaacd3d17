"""A connection to an SFTP server that shows a pinned host key; whatever paramiko raises becomes an error of the hub."""

import re
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.adapters.sftp_host_key import algorithms_in_order, fingerprint
from shared.kernel.errors import (
    ConfigurationError,
    ContractBroken,
    CredentialsRefused,
    FieldProblem,
    HubError,
    MalformedResponse,
    NetworkFailure,
    PartnerRefused,
    PartnerTimeout,
)
from shared.kernel.secret import Secret

if TYPE_CHECKING:
    from paramiko import SFTPClient, Transport

PARTNER = "payroll-sftp"
_FORBIDDEN = 403
_NOT_FOUND = 404


@dataclass(frozen=True)
class SftpServer:
    """Where and as whom. `host_keys` are fingerprints; the key wins over the password. Timeout in seconds.

    `host_key_kinds` are the kinds of the pinned keys, as far as they are known, in the order in which they are asked
    for. A server that wants key and password gets both.
    """

    host: str
    port: int
    username: str
    host_keys: tuple[str, ...]
    directory: str
    private_key: Secret | None = None
    password: Secret | None = None
    timeout: float = 30.0
    host_key_kinds: tuple[str, ...] = ()


@contextmanager
def session(server: SftpServer, log_in: "Callable[[Transport], None]") -> "Iterator[SFTPClient]":
    """Give a session on the server. Errors as `translated` says; what the caller raises of its own passes."""
    import paramiko

    with translated(), closing(_connect(server, log_in)) as transport:
        sftp = paramiko.SFTPClient.from_transport(transport)
        if sftp is None:
            raise NetworkFailure(PARTNER, "the server opens no SFTP session")
        channel = sftp.get_channel()
        if channel:
            channel.settimeout(server.timeout)
        yield sftp


@contextmanager
def translated() -> Iterator[None]:
    """Say in the hub's own errors what went wrong, by who must act."""
    try:
        yield
    except HubError:
        raise
    except failures() as error:
        raise hub_error(error) from None


def failures() -> tuple[type[Exception], ...]:
    """Return everything that paramiko raises.

    Its threads hand on whatever they died of: what is no SFTP or SSH becomes an error of struct, of text or of lookup,
    and a bad signature or key one of cryptography.
    """
    from cryptography.exceptions import InvalidKey, InvalidSignature, InvalidTag, UnsupportedAlgorithm
    from paramiko import SSHException
    from paramiko.sftp import SFTPError

    own = (SSHException, SFTPError, InvalidKey, InvalidSignature, InvalidTag, UnsupportedAlgorithm)
    return *own, OSError, EOFError, struct.error, ValueError, LookupError, TypeError, AttributeError, ArithmeticError


def hub_error(error: Exception) -> HubError:
    """Return what an error of paramiko's stands for."""
    from paramiko import AuthenticationException, ChannelException, SSHException
    from paramiko.sftp import SFTPError
    from paramiko.ssh_exception import IncompatiblePeer

    match error:
        case AuthenticationException():
            problem = FieldProblem("SFTP_USERNAME, SFTP_PRIVATE_KEY, SFTP_PASSWORD", "the server does not accept them")
            return CredentialsRefused((problem,))
        case TimeoutError():
            return PartnerTimeout(PARTNER, "the server does not answer in time")
        case PermissionError():
            return PartnerRefused(PARTNER, "the server does not let us write in SFTP_DIRECTORY", status=_FORBIDDEN)
        case FileNotFoundError():
            return PartnerRefused(PARTNER, "SFTP_DIRECTORY is not on the server", status=_NOT_FOUND)
        case ChannelException():
            return PartnerRefused(PARTNER, f"the server opens no session ({error.code})", status=_FORBIDDEN)
        case IncompatiblePeer():
            return ContractBroken(PARTNER, "the server and the hub have no algorithm in common")
        case SFTPError():
            return ContractBroken(PARTNER, "the server does not speak SFTP: look for text that its login prints")
        case OSError() | EOFError() | SSHException():
            said = f": {_printable(str(error))}" if isinstance(error, OSError) and error.errno is None else ""
            return NetworkFailure(PARTNER, f"the connection or the server failed ({type(error).__name__}{said})")
        case _:
            return MalformedResponse(PARTNER, f"what the server says cannot be read ({type(error).__name__})")


def _printable(text: str) -> str:
    return re.sub(r"[^\x20-\x7e]+", " ", text)[:100]


def _connect(server: SftpServer, log_in: "Callable[[Transport], None]") -> "Transport":
    """Connect until the server shows a pinned key: of several it shows the kind that is asked for first."""
    from paramiko.ssh_exception import IncompatiblePeer

    shown: dict[str, str] = {}
    while True:
        try:
            transport = _opened(server, shown)
        except IncompatiblePeer:
            if shown:  # it has no key of another kind
                raise _unknown_key(shown) from None
            raise
        try:
            key = transport.get_remote_server_key()
            seen = fingerprint(key.asbytes())
            if seen in server.host_keys:
                log_in(transport)
                return transport
        except BaseException:
            transport.close()
            raise
        transport.close()
        if key.get_name() in shown:
            raise _unknown_key(shown)
        shown[key.get_name()] = seen


def _opened(server: SftpServer, shown: dict[str, str]) -> "Transport":
    """Return a connection on which the server has shown a key, of another kind than those that it has shown already."""
    import paramiko

    transport = paramiko.Transport(socket.create_connection((server.host, server.port), server.timeout))
    try:
        options = transport.get_security_options()
        wanted = algorithms_in_order(options.key_types, server.host_key_kinds, tuple(shown))
        options.key_types = tuple(wanted or options.key_types)
        transport.banner_timeout = transport.auth_timeout = server.timeout
        transport.start_client(timeout=server.timeout)
    except BaseException:
        transport.close()
        raise
    return transport


def _unknown_key(shown: dict[str, str]) -> ConfigurationError:
    text = f"the server shows {' and '.join(shown.values())}, which is not the pinned key"
    return ConfigurationError((FieldProblem("SFTP_HOST_KEY", text),))
