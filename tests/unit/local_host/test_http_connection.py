"""The stand-in host as a peer on the wire meets it (RFC 9110, RFC 9112): bytes in, bytes out."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import azure.functions as func
import pytest

from local.host import http_connection, http_request
from local.host.host import FunctionsHost

CUSTOM = {"X-Content-Type-Options": "nosniff"}
HOST_JSON = {"extensions": {"http": {"routePrefix": "api", "customHeaders": CUSTOM}}}
CALLED: list[bytes] = []


def echo_app() -> func.FunctionApp:
    app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

    def echo(req: func.HttpRequest) -> func.HttpResponse:
        CALLED.append(req.get_body())
        trailer = req.headers.get("X-Trailer", "none")
        return func.HttpResponse(
            f"[{req.route_params.get('rest')}|{req.params.get('a')}|{trailer}|".encode() + req.get_body()
        )

    methods = ["GET", "HEAD", "POST"]
    app.function_name(name="Echo")(app.route(route="{*rest}", trigger_arg_name="req", methods=methods)(echo))
    return app


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with FunctionsHost(echo_app(), HOST_JSON, environment={}, listen=False) as host:
        yield int(host.url.rpartition(":")[2])


@contextmanager
def connected(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as peer:
        yield peer


def everything(peer: socket.socket) -> bytes:
    """Return what comes until the host hangs up."""
    found = b""
    while piece := peer.recv(65536):
        found += piece
    return found


def said(port: int, *pieces: bytes) -> bytes:
    """Send the pieces, say that nothing follows, and return all that comes back."""
    with connected(port) as peer:
        for piece in pieces:
            peer.sendall(piece)
        peer.shutdown(socket.SHUT_WR)
        return everything(peer)


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def body_of(answer: bytes) -> bytes:
    return answer.partition(b"\r\n\r\n")[2]


def post(*lines: str, body: bytes = b"") -> bytes:
    head = "".join(f"{line}\r\n" for line in ("POST /api/x HTTP/1.1", "Host: here", *lines, ""))
    return head.encode("latin-1") + body


CHUNKED = "Transfer-Encoding: chunked"


@pytest.mark.parametrize(
    ("chunks", "body"),
    [
        (b"5\r\nhello\r\n0\r\n\r\n", b"hello"),
        (b"1\r\nh\r\n004\r\nello\r\n0\r\n\r\n", b"hello"),
        (b"A\r\n0123456789\r\na\r\nabcdefghij\r\n0\r\n\r\n", b"0123456789abcdefghij"),
        (b'5;name=value;q="a b"\r\nhello\r\n0;last\r\n\r\n', b"hello"),
        (b"5 \r\nhello\r\n0\r\n\r\n", b"hello"),
        (b"5\r\nhello\r\n0\r\nX-Trailer: late\r\nDigest: abc\r\n\r\n", b"hello"),
        (b"2\r\n\r\n\r\n0\r\n\r\n", b"\r\n"),
        (b"0\r\n\r\n", b""),
    ],
    ids=["one", "two", "hexadecimal", "extensions", "blank", "trailers", "line ends", "none"],
)
def test_a_body_in_chunks_is_put_together(port: int, chunks: bytes, body: bytes) -> None:
    """RFC 9112, 7.1. Trailers are no headers."""
    answer = said(port, post(CHUNKED, "Connection: close", body=chunks))
    assert (status_of(answer), body_of(answer)) == (200, b"[x|None|none|" + body)


def test_a_request_after_one_in_chunks_is_read_from_its_beginning(port: int) -> None:
    first = post(CHUNKED, body=b"3\r\none\r\n0\r\nA: b\r\n\r\n")
    answer = said(port, first + post("Content-Length: 3", body=b"two") + post("Connection: close", "Content-Length: 0"))
    assert [answer.count(mark) for mark in (b"|one", b"|two", b"HTTP/1.1 200 OK")] == [1, 1, 3]


@pytest.mark.parametrize(
    ("lines", "body", "status"),
    [
        ([CHUNKED], b"x\r\nhello\r\n0\r\n\r\n", 400),
        ([CHUNKED], b"-5\r\nhello\r\n0\r\n\r\n", 400),
        ([CHUNKED], b"0x5\r\nhello\r\n0\r\n\r\n", 400),
        ([CHUNKED], b"\r\nhello\r\n0\r\n\r\n", 400),
        ([CHUNKED], b"5\nhello\n0\n\n", 400),
        ([CHUNKED], b"5\r\nhelloworld\r\n0\r\n\r\n", 400),
        ([CHUNKED], b"5;\x00\r\nhello\r\n0\r\n\r\n", 400),
        ([CHUNKED], b"5;" + b"x" * 5000 + b"\r\nhello\r\n0\r\n\r\n", 400),
        ([CHUNKED], b"ffffffffffffffffffff\r\n", 400),
        ([CHUNKED], b"0\r\nno trailer\r\n\r\n", 400),
        ([CHUNKED], b"0\r\n" + b"a: b\r\n" * 10_000 + b"\r\n", 400),
        ([CHUNKED], b"7000000\r\n", 413),
        (["Content-Length: 104857601"], b"", 413),
        (["Content-Length: " + "9" * 5000], b"", 413),
        (["Content-Length: -1"], b"", 400),
        (["Content-Length: +5"], b"hello", 400),
        (["Content-Length: 1_0"], b"0123456789", 400),
        (["Content-Length: 0x5"], b"hello", 400),
        (["Content-Length:"], b"", 400),
        (["Content-Length: 5", "Content-Length: 6"], b"hello", 400),
        (["Content-Length: 5, 5"], b"hello", 400),
        (["Content-Length: 5", CHUNKED], b"0\r\n\r\n", 400),
        ([CHUNKED, "Content-Length: 5"], b"0\r\n\r\n", 400),
        ([CHUNKED, CHUNKED], b"0\r\n\r\n", 400),
        (["Transfer-Encoding: chunked, identity"], b"0\r\n\r\n", 400),
        (["Transfer-Encoding: xchunked"], b"0\r\n\r\n", 400),
        (["Transfer-Encoding: gzip, chunked"], b"0\r\n\r\n", 501),
        (["Content-Length : 5"], b"hello", 400),
        (["Folded: a\r\n b"], b"", 400),
        (["No colon"], b"", 400),
        (["Host: there"], b"", 400),
        (["A: " + "x" * 40_000], b"", 431),
        (["A: b"] * 200, b"", 431),
        (["Expect: 200-ok", "Content-Length: 5"], b"hello", 417),
        (["Expect: 100-continue, more", "Content-Length: 5"], b"hello", 417),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused_and_calls_no_function(
    port: int, lines: list[str], body: bytes, status: int
) -> None:
    """RFC 9112, 6.1, 6.3 and 11.2: whoever stands before the host must see the same requests as it does."""
    CALLED.clear()
    smuggled = b"GET /api/smuggled HTTP/1.1\r\nHost: here\r\n\r\n"
    answer = said(port, post(*lines, body=body + smuggled))
    assert status_of(answer) == status
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b"Connection: close" in answer
    assert b"X-Content-Type-Options: nosniff" in answer
    assert CALLED == []


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        (b"GET /api/x HTTP/2.0\r\nHost: h\r\n\r\n", 505),
        (b"GET /api/x HTTP/1.1\r\n\r\n", 400),
        (b"GET /api/x\r\n\r\n", 400),
        (b"GET\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 400),
        (b"GET /api/" + b"x" * 9000 + b" HTTP/1.1\r\nHost: h\r\n\r\n", 414),
        (b"GET /api/" + b"x" * 70_000 + b" HTTP/1.1\r\nHost: h\r\n\r\n", 414),
        (b"GET /api/%00 HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"GET http://[/api/x HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"BREW /api/x HTTP/1.1\r\nHost: h\r\n\r\n", 501),
        (b"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", 404),
        (b"GET /elsewhere HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", 404),
        (b"GET http://there/api/x HTTP/1.1\r\nHost: there\r\nConnection: close\r\n\r\n", 200),
        (b"GET /api/x HTTP/1.0\r\n\r\n", 200),
    ],
)
def test_first_lines(port: int, request_line: bytes, status: int) -> None:
    answer = said(port, request_line)
    assert status_of(answer) == status
    assert b"X-Content-Type-Options: nosniff" in answer


def test_the_interim_answer_comes_before_the_body_is_sent(port: int) -> None:
    """RFC 9110, 10.1.1."""
    for lines in (["Content-Length: 5"], [CHUNKED]):
        with connected(port) as peer:
            peer.sendall(post("Expect: 100-Continue", "Connection: close", *lines))
            assert peer.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
            peer.sendall(b"hello" if lines != [CHUNKED] else b"5\r\nhello\r\n0\r\n\r\n")
            answer = everything(peer)
        assert (status_of(answer), answer[-5:]) == (200, b"hello")


@pytest.mark.parametrize("lines", [["Content-Length: 104857601"], ["Content-Length: 5", CHUNKED]])
def test_a_body_that_is_not_wanted_is_not_asked_for(port: int, lines: list[str]) -> None:
    with connected(port) as peer:
        peer.sendall(post("Expect: 100-continue", *lines))
        answer = everything(peer)
    assert status_of(answer) in (400, 413)
    assert b"100 Continue" not in answer


def test_who_expects_nothing_or_speaks_http_1_0_gets_no_interim_answer(port: int) -> None:
    old = b"POST /api/x HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello"
    for request in (old, post("Expect: 100-continue", "Connection: close", "Content-Length: 0")):
        assert b"100 Continue" not in said(port, request)


def test_http_1_0_is_closed_unless_it_asks_to_be_kept(port: int) -> None:
    request = b"POST /api/x HTTP/1.0\r\nContent-Length: 2\r\n"
    assert said(port, request + b"\r\nab" + request + b"\r\ncd").count(b"200 OK") == 1
    keep = request + b"Connection: keep-alive\r\n\r\nab"
    assert said(port, keep + keep).count(b"200 OK") == 2
    in_chunks = said(port, b"POST /api/x HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
    assert status_of(in_chunks) == 400


def test_requests_that_are_sent_ahead_are_answered_in_order(port: int) -> None:
    requests = [post("Content-Length: 1", body=str(number).encode()) for number in range(9)]
    answer = said(port, b"".join(requests) + post("Connection: close", "Content-Length: 1", body=b"9"))
    assert [part[:1] for part in answer.split(b"|none|")[1:]] == [str(number).encode() for number in range(10)]


@pytest.mark.parametrize(
    "pieces",
    [
        [post("Content-Length: 10", body=b"half")],
        [post(CHUNKED, body=b"a\r\nhalf")],
        [post(CHUNKED, body=b"4\r\nhalf\r\n")],
        [post(CHUNKED, body=b"4\r\nhalf\r\n0\r\nA: b\r\n")],
        [b"POST /api/x HT"],
    ],
    ids=["length", "chunk", "chunks", "trailers", "first line"],
)
def test_half_a_request_calls_no_function(port: int, pieces: list[bytes]) -> None:
    CALLED.clear()
    answer = said(port, *pieces)
    assert answer == b"" or status_of(answer) == 400
    assert CALLED == []


def test_head_has_the_length_and_not_the_body(port: int) -> None:
    head, get = (said(port, f"{method} /api/x HTTP/1.0\r\n\r\n".encode()) for method in ("HEAD", "GET"))
    length = f"Content-Length: {len(body_of(get))}".encode()
    assert length in head
    assert length in get
    assert head.endswith(b"\r\n\r\n")


def test_a_slow_caller_holds_up_nobody_and_is_given_up(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_connection._Connection, "timeout", 0.5)
    with connected(port) as slow, connected(port) as idle:
        slow.sendall(post("Content-Length: 10", body=b"slow"))
        idle.sendall(b"POST /api/")
        began = time.monotonic()
        assert status_of(said(port, post("Connection: close", "Content-Length: 2", body=b"me"))) == 200
        assert status_of(everything(slow)) == 408
        assert everything(idle) == b""
        assert time.monotonic() - began < 9


def test_a_path_is_decoded_but_for_the_slash_and_values_of_one_name_are_joined(port: int) -> None:
    """As Kestrel and the Functions host do it."""
    answer = said(port, b"GET /api/a%20b%2Fc%2fd?a=1&a=2&b=3 HTTP/1.0\r\n\r\n")
    assert answer.endswith(b"[a b%2Fc%2fd|1,2|none|")


def test_a_body_as_large_as_the_limit_is_taken(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_request, "MAX_BODY_BYTES", 10)
    assert status_of(said(port, post("Connection: close", "Content-Length: 10", body=b"0123456789"))) == 200
    assert status_of(said(port, post("Connection: close", "Content-Length: 11", body=b"0123456789a"))) == 413
    assert status_of(said(port, post(CHUNKED, "Connection: close", body=b"9\r\n012345678\r\n2\r\n9a\r\n"))) == 413
