"""What paramiko raises leaves the adapter as an error of the hub, whatever it is (INC-54, INC-70)."""

import inspect
import socket
import struct
from collections.abc import Iterator
from contextlib import closing

import paramiko
import pytest
from cryptography.exceptions import InvalidSignature, InvalidTag, UnsupportedAlgorithm
from paramiko import ssh_exception
from paramiko.sftp import SFTPError

from local.sandbox.sftp_server import PASSWORD, USERNAME, SftpServer
from shared.adapters.sftp import SftpServer as Address
from shared.adapters.sftp_host_key import fingerprint
from shared.kernel.errors import (
    ContractBroken,
    CredentialsRefused,
    HubError,
    MalformedResponse,
    NetworkFailure,
    PartnerRefused,
    PartnerTimeout,
    StorageUnavailable,
)
from shared.kernel.table import RowChanged
from tests.contract.test_sftp_contract import transfer
from tests.fakes.secrets import fixed

KEY = paramiko.ECDSAKey.generate()
OF_PARAMIKO: dict[type[Exception], tuple[Exception, type[HubError]]] = {
    type(error): (error, kind)
    for error, kind in (
        (ssh_exception.SSHException("x"), NetworkFailure),
        (ssh_exception.AuthenticationException("x"), CredentialsRefused),
        (ssh_exception.PasswordRequiredException("x"), CredentialsRefused),
        (ssh_exception.BadAuthenticationType("x", ["publickey"]), CredentialsRefused),
        (ssh_exception.PartialAuthentication(["password"]), CredentialsRefused),
        (ssh_exception.UnableToAuthenticate("x"), CredentialsRefused),
        (ssh_exception.ChannelException(1, "x"), PartnerRefused),
        (ssh_exception.BadHostKeyException("h", KEY, KEY), NetworkFailure),
        (ssh_exception.IncompatiblePeer("x"), ContractBroken),
        (ssh_exception.ProxyCommandFailure("x", "y"), NetworkFailure),
        (ssh_exception.NoValidConnectionsError({("127.0.0.1", 22): OSError()}), NetworkFailure),
        (ssh_exception.CouldNotCanonicalize("x"), NetworkFailure),
        (ssh_exception.ConfigParseError("x"), NetworkFailure),
        (ssh_exception.MessageOrderError("x"), NetworkFailure),
        (SFTPError("Garbage packet received"), ContractBroken),
    )
}
OF_OTHERS: list[tuple[Exception, type[HubError]]] = [
    (EOFError(), NetworkFailure),
    (OSError("Quota exceeded"), NetworkFailure),
    (ConnectionResetError(), NetworkFailure),
    (socket.gaierror(-2, "unknown"), NetworkFailure),
    (TimeoutError(), PartnerTimeout),
    (PermissionError(13, "x"), PartnerRefused),
    (struct.error("unpack requires a buffer of 4 bytes"), MalformedResponse),
    (UnicodeDecodeError("utf-8", b"\xe4", 0, 1, "x"), MalformedResponse),
    (IndexError(), MalformedResponse),
    (TypeError(), MalformedResponse),
    (AttributeError(), MalformedResponse),
    (InvalidSignature(), MalformedResponse),
    (InvalidTag(), MalformedResponse),
    (UnsupportedAlgorithm("x"), MalformedResponse),
]


@pytest.fixture(scope="module")
def address() -> Iterator[Address]:
    with closing(SftpServer()) as server:
        pinned = fingerprint(server.key.asbytes())
        yield Address(
            "127.0.0.1", server.port, USERNAME, (pinned,), "/incoming/dsif", password=fixed(PASSWORD), timeout=5
        )


def test_every_error_that_paramiko_defines_is_looked_at() -> None:
    """A new one in a later version is noticed here."""
    defined = {
        one
        for _name, one in inspect.getmembers(ssh_exception, inspect.isclass)
        if issubclass(one, Exception) and one.__module__ == ssh_exception.__name__
    }
    assert defined | {SFTPError} == OF_PARAMIKO.keys()


@pytest.mark.parametrize("place", ["open", "posix_rename"])
@pytest.mark.parametrize(
    ("error", "kind"), [*OF_PARAMIKO.values(), *OF_OTHERS], ids=lambda one: getattr(type(one), "__name__", "")
)
def test_an_error_comes_out_as_one_of_the_hub(
    address: Address, monkeypatch: pytest.MonkeyPatch, error: Exception, kind: type[HubError], place: str
) -> None:
    def fail(*_arguments: object, **_options: object) -> None:
        raise error

    monkeypatch.setattr(paramiko.SFTPClient, place, fail)
    monkeypatch.setattr(paramiko.SFTPClient, "rename", fail)
    with pytest.raises(HubError) as raised:
        transfer(address).deliver(f"{type(error).__name__}.csv", b"content")
    assert type(raised.value) is kind
    if isinstance(error, OSError) and error.errno is None and error.args:
        assert str(error.args[0]) in raised.value.message or kind is PartnerTimeout


@pytest.mark.parametrize("error", [*OF_PARAMIKO.values(), *OF_OTHERS], ids=lambda one: type(one[0]).__name__)
def test_an_error_of_tidying_up_fails_no_delivery(
    address: Address, monkeypatch: pytest.MonkeyPatch, error: tuple[Exception, type[HubError]]
) -> None:
    def fail(*_arguments: object) -> None:
        raise error[0]

    monkeypatch.setattr(paramiko.SFTPClient, "listdir", fail)
    assert transfer(address).deliver(f"tidy-{type(error[0]).__name__}.csv", b"content").size == 7


@pytest.mark.parametrize("error", [RowChanged(), StorageUnavailable("tables", "away")], ids=repr)
def test_what_the_hub_itself_raises_before_the_rename_comes_out_as_it_is(address: Address, error: Exception) -> None:
    def refuse(_part: str) -> None:
        raise error

    with pytest.raises(type(error)) as raised:
        transfer(address, retries=2).deliver("refused.csv", b"content", before_rename=refuse)
    assert raised.value is error
