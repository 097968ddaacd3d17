"""The SFTP servers that the contract is tested on: a real OpenSSH one, and the sandbox's."""

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from local.free_ports import free_port
from local.orphan_guard import end_with_parent
from local.sandbox.sftp_server import PASSWORD, USERNAME, SftpServer
from shared.adapters.sftp import SftpServer as Address
from shared.adapters.sftp_host_key import fingerprint
from tests.fakes.secrets import fixed

PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
_CONFIG = """
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
PidFile none
StrictModes no
PermitRootLogin no
LogLevel DEBUG1
Subsystem sftp internal-sftp
"""


@dataclass(frozen=True)
class Options:
    """How an sshd is configured: what its SFTP server forbids (`sftp-server -Q requests`), which methods it wants, what
    keys it has beside its own, what it runs for who is logged in.
    """

    forbidden: tuple[str, ...] = ()
    methods: str = ""
    more_host_keys: tuple[str, ...] = ()
    command: str = ""
    pam: bool = False

    def lines(self, folder: Path) -> str:
        """Return the lines of its configuration."""
        forbidden = f" -P {','.join(self.forbidden)}" if self.forbidden else ""
        lines = [f"ForceCommand {self.command or f'internal-sftp{forbidden}'}"]
        lines += ["UsePAM yes", "KbdInteractiveAuthentication yes"] if self.pam else ["KbdInteractiveAuthentication no"]
        lines += [f"HostKey {folder}/host_key_{number}" for number in range(len(self.more_host_keys))]
        if self.methods:
            lines.append(f"AuthenticationMethods {self.methods}")
        return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class KeyPair:
    """A key pair as text, the public half as in authorized_keys."""

    private: str
    public: str


NEW_KEYS: Mapping[str, Callable[[], Ed25519PrivateKey | rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey]] = {
    "ssh-ed25519": Ed25519PrivateKey.generate,
    "ssh-rsa": lambda: rsa.generate_private_key(65537, 2048),
    "ecdsa-sha2-nistp256": lambda: ec.generate_private_key(ec.SECP256R1()),
}


def new_key(kind: str = "ssh-ed25519") -> KeyPair:
    """Return a new key pair."""
    key = NEW_KEYS[kind]()
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    return KeyPair(key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode(), public)


class Server(Protocol):
    """A running server: where it is, by what it lets in, and what lies and happened there."""

    address: Address
    """With the key; `with_password` gives the other way in."""
    password: str
    """Empty where the server cannot check one."""
    folder: Path

    def logins(self) -> list[str]:
        """Return with what clients tried to log in so far."""
        ...

    def forbid(self) -> None:
        """Let the folder be closed to the client."""
        ...


def with_password(server: Server) -> Address:
    """Return the address with the password instead of the key."""
    return replace(server.address, private_key=None, password=fixed(server.password))


class EmbeddedServer:
    """The sandbox's server."""

    password = PASSWORD

    def __init__(self, server: SftpServer, key: KeyPair) -> None:
        self._server = server
        self.folder = server.root / "incoming" / "dsif"
        self.address = Address(
            "127.0.0.1",
            server.port,
            USERNAME,
            (fingerprint(server.key.asbytes()),),
            "/incoming/dsif",
            private_key=fixed(key.private),
            timeout=10,
        )

    def logins(self) -> list[str]:
        return list(self._server.logins)

    def forbid(self) -> None:
        self._server.fail_next("forbidden")


class OpenSsh:
    """An sshd of ours."""

    def __init__(self, base: Path, address: Address, password: str) -> None:
        self.address, self.password = address, password
        self.folder = base / "incoming"
        self._log = base / "sshd.log"

    def logins(self) -> list[str]:
        lines = self._log.read_text(errors="replace").splitlines()
        return [line for line in lines if "userauth-request" in line]

    def forbid(self) -> None:
        self.folder.chmod(0o000)


@contextmanager
def embedded() -> Iterator[EmbeddedServer]:
    """Run the sandbox's server."""
    key = new_key()
    server = SftpServer(authorized_key=key.public)
    try:
        yield EmbeddedServer(server, key)
    finally:
        server.close()


@contextmanager
def open_ssh(options: Options | None = None) -> Iterator[OpenSsh]:
    """Run sshd on a free loopback port, with a host key, a configuration and a folder of its own.

    As root it serves a user that exists as long as the test, who has a password and no other rights; else ourselves.
    """
    base = Path(tempfile.mkdtemp(prefix="hub-sshd-"))
    base.chmod(0o755)  # the user that is served must get through
    with _user() as (name, password):
        try:
            key, host_key = new_key(), new_key()
            options = options or Options()
            for file, private in (
                ("host_key", host_key.private),
                *((f"host_key_{number}", one) for number, one in enumerate(options.more_host_keys)),
            ):
                (base / file).write_text(private)
                (base / file).chmod(0o600)
            (base / "authorized_keys").write_text(key.public)
            port = free_port()
            (base / "sshd_config").write_text(_CONFIG.format(port=port, folder=base) + options.lines(base))
            incoming = base / "incoming"
            incoming.mkdir()
            account = pwd.getpwnam(name)
            os.chown(incoming, account.pw_uid, account.pw_gid)
            pinned = fingerprint(b64decode(host_key.public.split()[1]))
            address = Address(
                "127.0.0.1", port, name, (pinned,), str(incoming), private_key=fixed(key.private), timeout=10
            )
            with _daemon(base, port):
                yield OpenSsh(base, address, password)
        finally:
            shutil.rmtree(base, ignore_errors=True)


@contextmanager
def _daemon(base: Path, port: int) -> Iterator[None]:
    program = shutil.which("sshd", path=PATH)
    assert program
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    command = end_with_parent([program, "-D", "-e", "-f", str(base / "sshd_config")])
    with (base / "sshd.log").open("wb") as log:
        daemon = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        end = time.monotonic() + 15
        while not _greets(port):
            running = daemon.poll() is None and time.monotonic() < end
            assert running, (base / "sshd.log").read_text(errors="replace")
            time.sleep(0.05)
        yield
    finally:
        daemon.terminate()
        daemon.wait(10)


def _greets(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), 1) as probe:
            return probe.recv(4) == b"SSH-"
    except OSError:
        return False


@contextmanager
def _user() -> Iterator[tuple[str, str]]:
    """Give a user and his password ("" where we may not make one)."""
    if os.geteuid() != 0:
        yield pwd.getpwuid(os.geteuid()).pw_name, ""
        return
    name, password = f"hub-sftp-{secrets.token_hex(4)}", secrets.token_hex(12)
    program = {one: shutil.which(one, path=PATH) or one for one in ("useradd", "chpasswd", "userdel")}
    create = [program["useradd"], "--no-create-home", "--home-dir", "/", "--shell", "/usr/sbin/nologin", name]
    subprocess.run(create, check=True, capture_output=True)
    try:
        given = f"{name}:{password}\n"
        subprocess.run([program["chpasswd"], "-c", "SHA512"], input=given, text=True, check=True, capture_output=True)
        yield name, password
    finally:
        # A session that is just ending does not keep him: `--force`.
        subprocess.run([program["userdel"], "--force", name], check=True, capture_output=True)
