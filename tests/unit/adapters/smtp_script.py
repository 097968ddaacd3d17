"""An SMTP server on a real socket that answers each step as it is told to."""

import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import TextIO

Reply = str | Callable[[socket.socket], None]

_USUAL = {"greeting": "220 script", "DATA": "354 go on", "QUIT": "221 bye"}


class SmtpScript:
    """Serves one connection. Steps are `greeting`, the verbs, and `.` for the end of the e-mail; "" hangs up."""

    def __init__(self, replies: Mapping[str, Reply]) -> None:
        self._replies = replies
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(5)
        self.port: int = self._listener.getsockname()[1]
        self.lines: list[str] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> "SmtpScript":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.join(5)
        self._listener.close()

    def _serve(self) -> None:
        with suppress(OSError):
            connection, _ = self._listener.accept()
            with connection, connection.makefile("r", encoding="utf-8", newline="\r\n") as lines:
                connection.settimeout(5)
                self._converse(connection, lines)

    def _converse(self, connection: socket.socket, lines: TextIO) -> None:
        step, in_data = "greeting", False
        if not self._answer(connection, step):
            return
        for line in lines:
            text = line.rstrip("\r\n")
            self.lines.append(text)
            if in_data and text != ".":
                continue
            step = "." if in_data else text.split(" ")[0].upper()
            in_data = False
            if not self._answer(connection, step) or step == "QUIT":
                return
            in_data = step == "DATA" and "DATA" not in self._replies

    def _answer(self, connection: socket.socket, step: str) -> bool:
        reply = self._replies.get(step, _USUAL.get(step, "250 fine"))
        if callable(reply):
            reply(connection)
            return False
        if not reply:
            return False
        connection.sendall(f"{reply}\r\n".encode())
        return True
