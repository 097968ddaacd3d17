"""Azurite, the storage emulator, as a child process: started on loopback, awaited, and ended with its owner."""

import atexit
import os
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import IO, NamedTuple, Self

from local.free_ports import free_port
from local.orphan_guard import end_with_parent

ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""Azurite's account and key are the same everywhere and documented by Microsoft: no secret."""

START_SECONDS = 60.0
_MAIN = Path(__file__).parent / "azurite" / "node_modules" / "azurite" / "dist" / "src" / "azurite.js"


class AzuriteError(RuntimeError):
    """Azurite cannot be started; the message says what to do."""


class Ports(NamedTuple):
    """Where the three services listen."""

    blob: int = 10000
    queue: int = 10001
    table: int = 10002


def free_ports() -> Ports:
    """Return three ports that nobody listens on."""
    return Ports(*(free_port() for _ in Ports._fields))


class Tls(NamedTuple):
    """Files of a certificate and its key. With them Azurite speaks HTTPS and accepts access tokens as well."""

    certificate: Path
    key: Path


class Azurite:
    """A running Azurite: `with Azurite(location=...) as azurite: azurite.connection_string`."""

    def __init__(self, ports: Ports | None = None, location: Path | None = None, *, tls: Tls | None = None) -> None:
        """Choose the ports (10000 to 10002 if not given) and the folder of its data; without one it keeps nothing."""
        self.ports = ports or Ports()
        self._location = location
        self._tls = tls
        self._process: subprocess.Popen[bytes] | None = None
        self._resources = ExitStack()

    @property
    def connection_string(self) -> str:
        """The connection string of its account, with the ports in use."""
        services = zip(("Blob", "Queue", "Table"), self.ports, strict=True)
        endpoints = "".join(f"{name}Endpoint=http://127.0.0.1:{port}/{ACCOUNT};" for name, port in services)
        return f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};{endpoints}"

    @property
    def pid(self) -> int:
        """The process ID. AzuriteError when it does not run."""
        if self._process is None:
            raise AzuriteError("Azurite is not running")
        return self._process.pid

    def start(self) -> Self:
        """Start Azurite and wait until all three services accept connections. AzuriteError says why it cannot."""
        command = self._command()
        for port in self.ports:
            _require_free(port)
        # A file, not a pipe: nobody reads while Azurite runs, and a full pipe would stop it.
        output = self._resources.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - closed by stop()
        self._process = subprocess.Popen(
            end_with_parent(command), stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
        atexit.register(self.stop)
        try:
            self._await(output)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End the process; nothing happens when it has ended already."""
        atexit.unregister(self.stop)
        process, self._process = self._process, None
        if process is None:
            return
        self._resources.close()
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def __enter__(self) -> Self:
        """Start."""
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Stop."""
        self.stop()

    def _command(self) -> list[str]:
        node = shutil.which("node")
        if node is None:
            raise AzuriteError("node is missing: install Node.js >= 20 (Azurite, the storage emulator, runs on it)")
        if not _MAIN.exists():
            raise AzuriteError("Azurite is not installed: run `make environment`")
        command = [node, os.fspath(_MAIN), "--silent", "--skipApiVersionCheck", "--disableTelemetry"]
        for service, port in zip(Ports._fields, self.ports, strict=True):
            command += [f"--{service}Host", "127.0.0.1", f"--{service}Port", str(port)]
        if self._tls:
            command += ["--cert", os.fspath(self._tls.certificate), "--key", os.fspath(self._tls.key)]
            command += ["--oauth", "basic"]
        if self._location is None:
            return [*command, "--inMemoryPersistence"]
        self._location.mkdir(parents=True, exist_ok=True)
        return [*command, "--location", os.fspath(self._location)]

    def _await(self, output: IO[bytes]) -> None:
        assert self._process is not None
        deadline = time.monotonic() + START_SECONDS
        for port in self.ports:
            while not _answers(port):
                if self._process.poll() is not None:
                    raise AzuriteError(f"Azurite ended at once: {_last_words(output)}")
                if time.monotonic() > deadline:
                    raise AzuriteError(f"Azurite did not listen on port {port} within {START_SECONDS:.0f} s")
                time.sleep(0.05)


def _last_words(output: IO[bytes]) -> str:
    output.seek(0)
    return " ".join(output.read().decode(errors="replace").split())[-300:] or "it said nothing"


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _require_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise AzuriteError(f"port {port} is taken: end what listens there, or choose other ports") from None
