"""The hub on this machine: Azurite, the sandbox and the host as child processes that end with us."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from shutil import which
from types import TracebackType
from typing import IO

from local.azurite_process import Azurite, AzuriteError, Ports
from local.free_ports import free_port
from local.host.configuration import load_settings
from local.orphan_guard import end_with_parent
from shared.adapters.storage_account import StorageAccount
from shared.kernel.message import Queues
from shared.kernel.transport import Transport, chosen_transport
from shared.provision import provision

ROOT = Path(__file__).resolve().parent.parent
_STARTS_WITHIN = 30.0
_PORTS = ("host", "sandbox", "sftp", "mail", "blob", "queue", "table")


class StartError(RuntimeError):
    """Something does not start; the message says what to do."""


class Stack:
    """Azurite, sandbox and host. A context manager: everything runs inside, nothing afterwards."""

    def __init__(
        self,
        *,
        ports: Mapping[str, int] | None = None,
        settings: Mapping[str, str] | None = None,
        service_bus: str = "",
        sandbox_options: tuple[str, ...] = (),
        storage: Path | None = None,
        logs: Path = ROOT / ".local",
    ) -> None:
        """Use the given ports (by the names in `_PORTS`), else free ones.

        `settings` win over local.settings.example.json; `storage` keeps Azurite's data there, else in memory.
        `service_bus` is the connection string of a broker that runs already: it then carries the messages, as it does
        where HUB_QUEUES and ServiceBusConnection are set in the environment.
        """
        given = dict(ports or {})
        self.ports = {name: given.get(name) or free_port() for name in _PORTS}
        self.azurite = Azurite(Ports(self.ports["blob"], self.ports["queue"], self.ports["table"]), storage)
        self._given = dict(settings or {})
        if service_bus:
            self._given |= {"HUB_QUEUES": Transport.SERVICE_BUS.value, "ServiceBusConnection": service_bus}
        self._sandbox_options = sandbox_options
        self._logs = logs
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._files: list[IO[bytes]] = []

    @property
    def host_url(self) -> str:
        """Where the hub answers."""
        return f"http://127.0.0.1:{self.ports['host']}"

    @property
    def sandbox_url(self) -> str:
        """Where the partners answer."""
        return f"http://127.0.0.1:{self.ports['sandbox']}"

    @property
    def host_pid(self) -> int:
        """The process ID of the host."""
        return self._children["host"].pid

    def __enter__(self) -> "Stack":
        """Start everything, or nothing. StartError."""
        try:
            self.azurite.start()
            provision(StorageAccount(self.azurite.connection_string))
            port, sftp, mail = (str(self.ports[name]) for name in ("sandbox", "sftp", "mail"))
            own = ["--port", port, "--sftp-port", sftp, "--mail-port", mail]
            command = [sys.executable, "-m", "local.sandbox", *own, *self._sandbox_options]
            self._start("sandbox", command, other_ports=("sftp", "mail"))
            self.start_host()
        except AzuriteError as error:
            self._stop()
            raise StartError(str(error)) from None
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop everything."""
        self._stop()

    @property
    def transport(self) -> Transport:
        """What carries the hub's messages."""
        return chosen_transport(self._environment())

    @contextmanager
    def queues(self) -> Iterator[Queues]:
        """The hub's queues, whatever carries them, for looking at them and sending to them from outside."""
        from shared.adapters.service_bus import ServiceBusQueues
        from shared.hub import Hub
        from shared.wiring.queues import build

        opened = build(Hub(self._environment()))
        try:
            yield opened
        finally:
            if isinstance(opened, ServiceBusQueues):
                opened.close()

    def start_host(self) -> None:
        """Start the host; Functions Core Tools where they are installed, else the stand-in."""
        port = str(self.ports["host"])
        own = [sys.executable, "-m", "local.host", "--port", port, "--settings", "none"]
        tools = which("func")
        self._start("host", [tools, "start", "--port", port] if tools else own)

    def kill_host(self) -> None:
        """Kill the host where it stands."""
        child = self._children.pop("host")
        child.send_signal(signal.SIGKILL)
        child.wait()

    def wait(self) -> None:
        """Wait until a part ends. StartError names it."""
        while True:
            for name, child in self._children.items():
                if child.poll() is not None:
                    raise StartError(f"{name} has ended; see {self._logs / name}.log")
            time.sleep(0.3)

    def _start(self, name: str, command: list[str], other_ports: tuple[str, ...] = ()) -> None:
        for one in (name, *other_ports):
            if _listens(self.ports[one]):
                variable = f"{one.upper()}_PORT"
                raise StartError(
                    f"port {self.ports[one]} for the {one} is taken: choose another with {variable}=<port>"
                )
        port = self.ports[name]
        self._logs.mkdir(parents=True, exist_ok=True)
        log = (self._logs / f"{name}.log").open("ab")
        self._files.append(log)
        command = end_with_parent(command)
        child = subprocess.Popen(command, cwd=ROOT, env=self._environment(), stdout=log, stderr=log)
        self._children[name] = child
        end = time.monotonic() + _STARTS_WITHIN
        while not _listens(port):
            if child.poll() is not None or time.monotonic() > end:
                raise StartError(f"the {name} does not start; see {self._logs / name}.log")
            time.sleep(0.05)

    def _environment(self) -> dict[str, str]:
        environment = {**os.environ, **self._given}
        environment["AzureWebJobsStorage"] = self.azurite.connection_string
        environment["HUB_NOTIFICATION_URL"] = f"{self.sandbox_url}/notifications"
        for partner in ("ERP", "HR", "PAYROLL", "SALES", "GRAPH"):
            version = "/v1.0" if partner == "GRAPH" else ""
            environment[f"{partner}_BASE_URL"] = f"{self.sandbox_url}/{partner.lower()}{version}"
            environment[f"{partner}_TOKEN_URL"] = f"{self.sandbox_url}/identity/oauth2/v2.0/token"
        environment["SFTP_PORT"] = str(self.ports["sftp"])
        environment["MAIL_SMTP_PORT"] = str(self.ports["mail"])
        environment["MAIL_SENDGRID_BASE_URL"] = f"{self.sandbox_url}/sendgrid"
        environment["MAIL_ACS_ENDPOINT"] = f"{self.sandbox_url}/communication-services"
        environment["AUTH_ISSUER"] = f"{self.sandbox_url}/identity/v2.0"
        environment["AUTH_JWKS_URL"] = f"{self.sandbox_url}/identity/discovery/v2.0/keys"
        for file in (ROOT / "local.settings.json", ROOT / "local.settings.example.json"):
            load_settings(file, environment)
        return environment

    def _stop(self) -> None:
        for name in ("host", "sandbox"):
            child = self._children.pop(name, None)
            if child is not None:
                _end(child)
        self.azurite.stop()
        for file in self._files:
            file.close()
        self._files.clear()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _end(child: "subprocess.Popen[bytes]") -> None:
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
