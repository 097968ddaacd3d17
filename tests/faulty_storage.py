"""A storage account that is away when a test says so: a proxy in front of each service of an Azurite."""

import socket
import struct
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from enum import Enum
from functools import partial
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

from local.azurite_process import ACCOUNT, KEY, Azurite

SERVICES = ("blobs", "queues", "tables")
_HOP = {"connection", "transfer-encoding", "content-length", "keep-alive", "date", "server"}


class Network(Enum):
    """What can happen to a request instead of an answer."""

    RESET = "reset"
    SILENT = "silent"
    TORN = "torn"
    """The answer ends in its middle."""


Fault = int | Network
"""A status that is answered with, or what the network does."""


class FaultyStorage:
    """Three proxies. A context manager."""

    def __init__(self, azurite: Azurite) -> None:
        self._fault: Fault = 503
        self._away: frozenset[str] = frozenset()
        self._left = 0
        self._lock = threading.Lock()
        self._proxies = {
            service: _Proxy(port, partial(self._fault_of, service))
            for service, port in zip(SERVICES, azurite.ports, strict=True)
        }
        endpoints = (
            f"{service[:-1].capitalize()}Endpoint=http://127.0.0.1:{proxy.server_port}/{ACCOUNT}"
            for service, proxy in self._proxies.items()
        )
        self.connection_string = ";".join(
            ("DefaultEndpointsProtocol=http", f"AccountName={ACCOUNT}", f"AccountKey={KEY}", *endpoints)
        )
        self._threads = [threading.Thread(target=proxy.serve_forever, args=(0.05,)) for proxy in self._proxies.values()]

    def go_away(self, fault: Fault, services: Iterable[str] = SERVICES, *, after: int = 0) -> None:
        """Let every request to these services fail, from now on or after so many more."""
        with self._lock:
            self._fault, self._away, self._left = fault, frozenset(services), after

    def come_back(self) -> None:
        """Let every request through again."""
        with self._lock:
            self._away = frozenset()
        for proxy in self._proxies.values():
            proxy.let_go()

    def _fault_of(self, service: str) -> Fault | None:
        """Return what becomes of a request that has just come."""
        with self._lock:
            if service not in self._away:
                return None
            self._left -= 1
            return self._fault if self._left < 0 else None

    def __enter__(self) -> "FaultyStorage":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.come_back()
        for proxy in self._proxies.values():
            proxy.shutdown()
            proxy.server_close()
        for thread in self._threads:
            thread.join()


class _Proxy(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # a connection that is kept alive would hold the end up
    request_queue_size = 64

    def __init__(self, upstream: int, fault: Callable[[], Fault | None]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream, self.fault = upstream, fault
        self.silence = threading.Event()

    def let_go(self) -> None:
        """End the silence of whoever waits for an answer."""
        self.silence.set()
        self.silence = threading.Event()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that has gone away is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Proxy

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the base class
        """Write nothing."""

    def _pass_on(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = self.server.fault()
        if fault is None:
            self._answer(*self._asked(content))
            return
        match fault:
            case int():
                self._answer(fault, [("x-ms-error-code", "ServerBusy")], b"")
            case Network.SILENT:
                self.server.silence.wait(30)
                self.close_connection = True
            case Network.TORN:
                status, headers, whole = self._asked(content)
                self._answer(status, headers, whole, len(whole) // 2)
                self.close_connection = True
            case Network.RESET:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.close_connection = True
                with suppress(OSError):
                    self.connection.close()

    def _asked(self, content: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        upstream = HTTPConnection("127.0.0.1", self.server.upstream, timeout=60)
        try:
            upstream.request(self.command, self.path, content, dict(self.headers.items()))
            answer = upstream.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            upstream.close()

    def _answer(self, status: int, headers: list[tuple[str, str]], content: bytes, end: int | None = None) -> None:
        """Answer with the content, as far as its end when one is given."""
        self.send_response_only(status)
        for name, value in headers:
            # Of a HEAD the length is that of what is not sent.
            if name.lower() not in _HOP or (self.command == "HEAD" and name.lower() == "content-length"):
                self.send_header(name, value)
        if self.command != "HEAD":
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[:end])

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _pass_on  # noqa: N815 - the names that the base class calls
