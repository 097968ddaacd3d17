"""SFTP: a file lies on the server under its name, whole or not at all (INC-54, INC-56).

It is written under a temporary name that no other attempt has, read back, compared, and only then renamed: of two
that deliver at once, neither writes into what the other renames. Killed anywhere and done again, it ends in one file
with the right content; what dead attempts left behind is removed. The server is known by its pinned host key and by
nothing else. Where the server does not let the hub read, the size is compared; where it does not let it look either,
the server has acknowledged each piece.
"""

import secrets
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Protocol, TypeVar

from shared.adapters.resilience.retry import Retry
from shared.adapters.sftp_files import Stored, look_at, look_for_folder, remove_parts, rename, upload
from shared.adapters.sftp_login import Factor, factors_of, log_in
from shared.adapters.sftp_private_key import private_key as _private_key
from shared.adapters.sftp_session import PARTNER, SftpServer, session
from shared.adapters.telemetry.partner_calls import PartnerCall, PartnerCalls
from shared.adapters.telemetry.telemetry import Telemetry
from shared.kernel.errors import DataRefused, NetworkFailure
from shared.kernel.file_transfer import BeforeRename, DeliveredFile

if TYPE_CHECKING:
    from paramiko import SFTPClient, Transport

__all__ = ["PARTNER", "SftpServer", "SftpTransfer", "_private_key"]

Result = TypeVar("Result")


class Breaker(Protocol):
    """Lets calls through or raises CircuitOpen (RES-03)."""

    def call(self, call: Callable[[], Result]) -> Result:
        """Return the call's result and learn from it."""
        ...


def _nobody_is_told(_part: str) -> None:
    """Let a delivery go on that nobody records."""


class SftpTransfer:
    """Implements `FileTransfer`. One connection for each delivery."""

    def __init__(self, server: SftpServer, retry: Retry, breaker: Breaker, calls: PartnerCalls | None = None) -> None:
        """Connect to nothing yet. `calls` observes each delivery (default: in silence)."""
        self._server = server
        self._retry = retry
        self._breaker = breaker
        self._calls = calls or PartnerCalls(Telemetry(), PARTNER)

    def deliver(
        self, name: str, content: bytes, *, part: str = "", before_rename: BeforeRename = _nobody_is_told
    ) -> DeliveredFile:
        """Let a file lie on the server. Idempotent by name and content, and by `part` after the file was taken away.

        DataRefused when another content lies there; NetworkFailure, PartnerTimeout, MalformedResponse (retried
        already), CircuitOpen; PartnerRefused when the server does not let us; ContractBroken when it speaks no SFTP;
        ConfigurationError for host key and credentials; what `before_rename` raises.
        """
        if "/" in name or name in ("", ".", ".."):
            raise ValueError("a file name is needed, not a path")
        path = f"{self._server.directory.rstrip('/')}/{name}"
        delivery = _Delivery(DeliveredFile(path, len(content), sha256(content).hexdigest()), content, before_rename)
        delivery.part = part
        factors = self._factors()

        with self._calls.call("deliver") as observed:

            def deliver(secret: str) -> DeliveredFile:
                step = partial(self._deliver, delivery, self._log_in(factors, secret))
                return self._retry.call(lambda: self._attempt(observed, step))

            return factors[0].secret.use(deliver)

    def probe(self) -> None:
        """Return when the server has let us in and has the folder. One attempt, beside the circuit.

        NetworkFailure, PartnerTimeout, PartnerRefused without the folder, ContractBroken, ConfigurationError.
        """
        factors = self._factors()

        def look(secret: str) -> None:
            with session(self._server, self._log_in(factors, secret)) as sftp:
                look_for_folder(sftp, self._server.directory)

        factors[0].secret.use(look)

    def _attempt(self, observed: PartnerCall, step: "Callable[[], DeliveredFile]") -> DeliveredFile:
        with observed.attempt():
            return self._breaker.call(step)

    def _factors(self) -> list[Factor]:
        factors = factors_of(self._server.private_key, self._server.password)
        assert factors, "the settings have one of them"
        return factors

    def _log_in(self, factors: list[Factor], value: str) -> "Callable[[Transport], None]":
        return lambda transport: log_in(transport, self._server.username, factors, value)

    def _deliver(self, delivery: "_Delivery", log_in: "Callable[[Transport], None]") -> DeliveredFile:
        with session(self._server, log_in) as sftp:
            delivered = delivery.carry_out(sftp)
            remove_parts(sftp, delivery.wanted.path)
        return delivered


class _Delivery:
    """A delivery in all its attempts: what an attempt has recorded, the next one goes by."""

    def __init__(self, wanted: DeliveredFile, content: bytes, before_rename: BeforeRename) -> None:
        """Begin with nothing on the server."""
        self.wanted, self._content, self._before_rename = wanted, content, before_rename
        self._folder = wanted.path.rpartition("/")[0] or "/"
        self.part = ""
        """The temporary name that is recorded as lying there whole, about to be renamed."""

    def carry_out(self, sftp: "SFTPClient") -> DeliveredFile:
        """Let the file lie under its name, or find that it did."""
        there = self._find(sftp)
        if there and there.is_seen:
            return self.wanted
        if not self.part:
            part = self._upload(sftp)
            self._before_rename(part)
            self.part = part
        return self._rename(sftp, unseen=there is not None)

    def _find(self, sftp: "SFTPClient") -> Stored | None:
        there = look_at(sftp, self.wanted.path)
        if there and there.differs_from(self.wanted):
            path = self.wanted.path
            raise DataRefused(f"{path} lies on the SFTP server already, with another content: look at it first")
        return there

    def _upload(self, sftp: "SFTPClient") -> str:
        part = f"{self.wanted.path}.{secrets.token_hex(4)}.part"
        size = upload(sftp, part, self._content)
        written = look_at(sftp, part)
        if size not in (None, self.wanted.size) or written is None or written.differs_from(self.wanted):
            raise NetworkFailure(PARTNER, f"{self.wanted.path} did not arrive whole")
        return part

    def _rename(self, sftp: "SFTPClient", *, unseen: bool) -> DeliveredFile:
        """Give the file its name. Gone under both names, it was renamed before and has been taken since.

        Only what lay there whole is recorded, and only the rename takes it away from its temporary name.
        """
        try:
            rename(sftp, self.part, self.wanted.path, replacing=not unseen)
        except OSError as error:
            there = self._find(sftp)  # another attempt may have been faster
            if there and there.is_seen:
                return self.wanted
            if not isinstance(error, FileNotFoundError) and look_at(sftp, self.part) is not None:
                raise
            look_for_folder(sftp, self._folder)
            return replace(self.wanted, taken=there is None)
        return self.wanted
