"""The head and the body of an HTTP/1.1 request, as strictly as Kestrel reads them (RFC 9112).

What two servers could read in two ways, such as a length beside a transfer coding, is refused: whoever stands in front
of this one must not see another request than it does.
"""

import re
from dataclasses import dataclass
from email.message import Message
from io import BufferedIOBase
from urllib.parse import unquote, urlsplit

MAX_BODY_BYTES = 100 * 1024 * 1024
MAX_REQUEST_LINE = 8 * 1024
MAX_HEAD_BYTES = 32 * 1024
_MAX_CHUNK_LINE = 4 * 1024
_NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[\t\x20-\x7e\x80-\xff]*)?\r\n")
_TRAILER = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t\x20-\x7e\x80-\xff]*\r\n")


class Refused(Exception):
    """The request is answered with a status and not looked at further; the connection is closed."""

    def __init__(self, status: int) -> None:
        """Keep the status."""
        super().__init__(f"refused with {status}")
        self.status = status


class HungUp(Exception):
    """The caller was gone before the request was whole: there is nobody to answer, and nothing to do."""


@dataclass(frozen=True)
class Head:
    """A request before its body: the length of its first line, `HTTP/1.1`, what it asks for, and its headers."""

    first_line_bytes: int
    version: str
    target: str
    headers: Message


def check_head(head: Head) -> None:
    """Refuse a head that is too long or ambiguous. Refused: 400, 414, 417, 431."""
    if head.first_line_bytes > MAX_REQUEST_LINE:
        raise Refused(414)
    if sum(len(name) + len(value) + 4 for name, value in head.headers.items()) > MAX_HEAD_BYTES:
        raise Refused(431)
    hosts = head.headers.get_all("Host") or []
    sound = (
        head.version in ("HTTP/1.0", "HTTP/1.1")
        and not head.headers.defects
        and not head.headers.get_payload()
        and all(re.fullmatch(_NAME, name) for name in head.headers)
        and not any(re.search(r"[\x00\r\n]", value) for value in head.headers.values())
        and (len(hosts) == 1 or (not hosts and head.version == "HTTP/1.0"))
    )
    if not sound:
        raise Refused(400)
    if not expectations(head) <= {"100-continue"}:
        raise Refused(417)


def expectations(head: Head) -> set[str]:
    """Return what a caller expects before it sends the body; HTTP/1.0 had no such thing."""
    if head.version != "HTTP/1.1":
        return set()
    said = ",".join(head.headers.get_all("Expect") or [])
    return {one.strip().lower() for one in said.split(",") if one.strip()}


def target_of(head: Head) -> tuple[str, str]:
    """Return the path, percent-decoded but for `%2F`, and the path with its query as they came. Refused: 400."""
    try:
        parts = urlsplit(head.target)
    except ValueError:
        raise Refused(400) from None
    path = unquote(re.sub(r"%(?=2[Ff])", "%25", parts.path))
    if "\x00" in path:
        raise Refused(400)
    return path, parts.path + (f"?{parts.query}" if parts.query else "")


def body_length(head: Head) -> int | None:
    """Return how long the body is, None for one that comes in chunks. Refused: 400, 413, 501."""
    codings, lengths = (head.headers.get_all(name) for name in ("Transfer-Encoding", "Content-Length"))
    if codings is not None:
        _check_codings(head, codings, lengths)
        return None
    if lengths is None:
        return 0
    if len(lengths) != 1 or not re.fullmatch(r"[0-9]+", lengths[0].strip(), re.ASCII):
        raise Refused(400)
    digits = lengths[0].strip().lstrip("0") or "0"
    if len(digits) > len(str(MAX_BODY_BYTES)) or int(digits) > MAX_BODY_BYTES:
        raise Refused(413)
    return int(digits)


def read_body(stream: BufferedIOBase, length: int | None) -> bytes:
    """Return the whole body. HungUp; Refused: 400, 413."""
    if length is None:
        return _chunked(stream)
    return _exactly(stream, length)


def _check_codings(head: Head, codings: list[str], lengths: list[str] | None) -> None:
    names = [one.strip().lower() for one in ",".join(codings).split(",")]
    if lengths is not None or head.version != "HTTP/1.1" or names[-1] != "chunked" or names.count("chunked") > 1:
        raise Refused(400)
    if names != ["chunked"]:
        raise Refused(501)


def _chunked(stream: BufferedIOBase) -> bytes:
    body = bytearray()
    while True:
        match = _CHUNK.fullmatch(_line(stream, _MAX_CHUNK_LINE))
        if match is None:
            raise Refused(400)
        size = int(match[1], 16)
        if size == 0:
            _skip_trailers(stream)
            return bytes(body)
        if len(body) + size > MAX_BODY_BYTES:
            raise Refused(413)
        body += _exactly(stream, size)
        if _exactly(stream, 2) != b"\r\n":
            raise Refused(400)


def _skip_trailers(stream: BufferedIOBase) -> None:
    """Read what stands behind the last chunk; nobody needs it, and it must not be taken for headers."""
    left = MAX_HEAD_BYTES
    while (line := _line(stream, left)) != b"\r\n":
        left -= len(line)
        if not _TRAILER.fullmatch(line):
            raise Refused(400)


def _line(stream: BufferedIOBase, longest: int) -> bytes:
    line = stream.readline(longest)
    if not line.endswith(b"\n"):
        if len(line) < longest:
            raise HungUp
        raise Refused(400)
    return line


def _exactly(stream: BufferedIOBase, length: int) -> bytes:
    content = stream.read(length)
    if len(content) < length:
        raise HungUp
    return content
