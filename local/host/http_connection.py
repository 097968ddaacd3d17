"""A connection: its requests one after the other, each read whole before it is answered."""

from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import azure.functions as func

from local.host.http_request import (
    Head,
    HungUp,
    Refused,
    body_length,
    check_head,
    expectations,
    read_body,
    target_of,
)

Answer = Callable[[str, str, str, dict[str, str], bytes], func.HttpResponse]
"""Answers a request by method, path, target (path and query as they came), headers by lower-case name, and body."""

PATIENCE = 30.0
"""Seconds that a caller may send nothing, in the middle of a request or between two."""


class HttpServer(ThreadingHTTPServer):
    """Takes connections, each on a thread of its own: a slow caller holds up nobody else."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, answer: Answer, custom_headers: Mapping[str, str]) -> None:
        """Take the port of 127.0.0.1. OSError. `custom_headers` are host.json's, of every answer that lacks them."""
        super().__init__(("127.0.0.1", port), _Connection)
        self.answer, self.custom_headers = answer, custom_headers


class _Connection(BaseHTTPRequestHandler):
    server: HttpServer
    raw_requestline: bytes
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    timeout = PATIENCE

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except (OSError, HungUp):
            self.close_connection = True

    def handle_expect_100(self) -> bool:
        """Say nothing yet: whether the body is wanted is decided with the rest of the head."""
        return True

    def _serve(self) -> None:
        head = Head(len(self.raw_requestline), self.request_version, self.path, self.headers)
        try:
            check_head(head)
            path, target = target_of(head)
            body = self._body(head)
        except Refused as refused:
            self.send_error(refused.status)
        except TimeoutError:
            self.send_error(408)
        else:
            self._send(self.server.answer(self.command, path, target, self._joined_headers(), body))

    def _body(self, head: Head) -> bytes:
        length = body_length(head)
        if length != 0 and "100-continue" in expectations(head):
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.wfile.flush()
        return read_body(self.rfile, length)

    def _joined_headers(self) -> dict[str, str]:
        joined: dict[str, str] = {}
        for name, value in self.headers.items():
            key = name.lower()
            joined[key] = f"{joined[key]}, {value}" if key in joined else value
        return joined

    def _send(self, response: func.HttpResponse) -> None:
        content, has_body = response.get_body(), response.status_code not in (204, 304)
        self.send_response(response.status_code)
        for name, value in {**self.server.custom_headers, **response.headers}.items():
            self.send_header(name, value)
        if has_body:
            self.send_header("Content-Type", f"{response.mimetype}; charset={response.charset}")
            self.send_header("Content-Length", str(len(content)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if has_body and self.command != "HEAD":
            self.wfile.write(content)
        self.wfile.flush()

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002
        """Answer what no function is asked about, and read no further: where the next request begins is unknown."""
        self.close_connection = True
        self.request_version = self.protocol_version  # To one that is not known, nothing would be written.
        self._send(func.HttpResponse(status_code=code))

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = _serve  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - name of the base class
        """Stay quiet: each invocation has its own line."""
