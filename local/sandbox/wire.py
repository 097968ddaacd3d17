"""How an answer goes out: whole, or torn, slow, bloated and broken in the ways that partners are."""

import gzip
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

from local.sandbox.faults import Fault

_MEMBER_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Answer:
    """An HTTP answer."""

    body: bytes = b""
    status: int = 200
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


def send(handler: BaseHTTPRequestHandler, answer: Answer) -> None:
    """Send an answer as it should be."""
    handler.send_response(answer.status)
    handler.send_header("Content-Type", answer.content_type)
    handler.send_header("Content-Length", str(len(answer.body)))
    for name, value in answer.headers.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(answer.body)


def send_broken(handler: BaseHTTPRequestHandler, answer: Answer, fault: Fault) -> None:
    """Send an answer with a fault of the wire."""
    match fault.kind:
        case "reset":
            handler.close_connection = True
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
            handler.connection.close()
        case "torn":
            _head(handler, answer, len(answer.body))
            handler.wfile.write(answer.body[: len(answer.body) // 2])
            handler.close_connection = True
        case "slow-drip":
            _head(handler, answer, len(answer.body))
            _drip(handler, answer.body, fault.seconds)
            handler.close_connection = True
        case "gzip-bomb":
            bomb = _bomb()
            handler.send_response(200)
            handler.send_header("Content-Type", "application/json")
            handler.send_header("Content-Encoding", "gzip")
            handler.send_header("Content-Length", str(len(bomb)))
            handler.end_headers()
            handler.wfile.write(bomb)
        case _:
            raise ValueError(f"{fault.kind} is no fault of the wire")


WIRE_FAULTS = ("reset", "torn", "slow-drip", "gzip-bomb")


def _head(handler: BaseHTTPRequestHandler, answer: Answer, length: int) -> None:
    handler.send_response(answer.status)
    handler.send_header("Content-Type", answer.content_type)
    handler.send_header("Content-Length", str(length))
    handler.end_headers()


def _drip(handler: BaseHTTPRequestHandler, body: bytes, seconds: float) -> None:
    end = time.monotonic() + seconds
    for index in range(len(body)):
        if time.monotonic() > end:
            return
        handler.wfile.write(body[index : index + 1])
        handler.wfile.flush()
        time.sleep(0.05)


def _bomb() -> bytes:
    """Return a body of some 200 KB that inflates to 200 MB: a gzip file may have many members."""
    return gzip.compress(b" " * _MEMBER_BYTES) * 200
