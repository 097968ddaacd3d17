"""What the HTTP client promises whatever a partner does on the wire, held against real sockets."""

import gzip
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from decimal import Decimal
from typing import TypeVar

import pytest

from shared.adapters.http import Call, CallContext
from shared.adapters.http_errors import STATUS_RULES
from shared.adapters.http_wire import Timeouts, Wire, WireRequest
from shared.adapters.partners import Partners
from shared.adapters.resilience.policies import RetryPolicy
from shared.adapters.resilience.retry import Retry
from shared.adapters.resilience.retry_budget import RetryBudget
from shared.kernel.errors import (
    Busy,
    ContractBroken,
    HubError,
    MalformedResponse,
    NetworkFailure,
    PartnerRefused,
    PartnerTimeout,
    PartnerUnavailable,
    RateLimited,
    ServerFailure,
)
from shared.kernel.strict_json import Unreadable
from tests.contract.http_client import IMPATIENT, OK, PATIENT, Tokens, make
from tests.fakes.tables import MemoryTables
from tests.unit.adapters.loopback import Behaviour, Loopback, answer, reset
from tests.unit.adapters.manual_time import ManualTime

Result = TypeVar("Result")

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
SECRET = "s3cr3t"


def drip(connection: socket.socket) -> None:
    connection.sendall(HEAD + b"Content-Length: 1000\r\n\r\n")
    with suppress(OSError):  # until the client goes away
        for _ in range(1000):
            connection.sendall(b" ")
            time.sleep(0.05)


def silence(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.recv(1)


def stall(connection: socket.socket) -> None:
    connection.sendall(HEAD + b"Content-Length: 1000\r\n\r\n{")
    silence(connection)


def body_reset(connection: socket.socket) -> None:
    connection.sendall(HEAD + b"Content-Length: 1000\r\n\r\n{")
    time.sleep(0.02)
    reset(connection)


def packed(body: bytes) -> bytes:
    return HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body) + body


def chunked(body: bytes) -> bytes:
    return HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + body


def stall_in_an_open_connection(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{")
    silence(connection)


def slow_to_answer(connection: socket.socket) -> None:
    with suppress(TimeoutError):
        silence(connection)


WIRE: dict[str, tuple[Behaviour, type[HubError]]] = {
    "reset before the answer": (reset, NetworkFailure),
    "closed before the answer": (b"", NetworkFailure),
    "no HTTP": (b"SSH-2.0-OpenSSH_9\r\n\r\n", NetworkFailure),
    "silence": (silence, PartnerTimeout),
    "a stalled body": (stall, PartnerTimeout),
    "a body that drips": (drip, PartnerTimeout),
    "a torn body": (HEAD + b'Content-Length: 100\r\n\r\n{"a": 1}', MalformedResponse),
    "a torn chunk": (chunked(b'ff\r\n{"a": 1}'), MalformedResponse),
    "a chunk without a size": (chunked(b'zz\r\n{"a": 1}\r\n0\r\n\r\n'), MalformedResponse),
    "chunks without an end": (chunked(b'8\r\n{"a": 1}\r\n'), MalformedResponse),
    "torn gzip": (packed(gzip.compress(b'{"a": 1}')[:-12]), MalformedResponse),
    "no gzip": (packed(b'{"a": 1}'), MalformedResponse),
    "a body that breaks off with a reset": (body_reset, PartnerUnavailable),
    "HTML": (answer(200, b"<html>", content_type="text/html"), MalformedResponse),
    "no content type": (answer(200, b"{}", content_type=""), MalformedResponse),
    "no body": (answer(200), MalformedResponse),
    "204": (answer(204), MalformedResponse),
    "half a JSON": (answer(200, b'{"a": '), MalformedResponse),
    "NaN": (answer(200, b'{"a": NaN}'), MalformedResponse),
    "a number without end": (answer(200, b"1" * 5000), MalformedResponse),
    "an exponent without end": (answer(200, b"1e99999999999999999999"), MalformedResponse),
    "a nest without end": (answer(200, b"[" * 100_000), MalformedResponse),
    "no UTF-8": (answer(200, b'{"a": "\xff"}'), MalformedResponse),
    "too large": (answer(200, b'"' + b"x" * 300_000 + b'"'), ContractBroken),
    "too large, unannounced": (chunked(b"493e0\r\n" + b"x" * 300_000 + b"\r\n0\r\n\r\n"), ContractBroken),
    "a gzip bomb": (packed(gzip.compress(b"0" * 50_000_000)), ContractBroken),
}


@pytest.mark.parametrize(
    "behaviour", [slow_to_answer, stall_in_an_open_connection, stall], ids=lambda one: one.__name__
)
def test_a_call_takes_no_longer_than_its_total_time(behaviour: Behaviour) -> None:
    """RES-03: the waits for the connection, the answer's beginning and each piece are one time, not one each."""
    with Loopback(behaviour) as partner:
        wire = Wire("erp", Timeouts(connect=60, read=60, total=0.3))
        # Longer than that, and the partner hangs up: another error.
        with pytest.raises(PartnerTimeout):
            wire.send(WireRequest("GET", f"{partner.url}/api/v1/sales"))


def test_a_partner_s_call_timeout_is_for_the_whole_call() -> None:
    """RES-03: no piece is late, and yet the answer as a whole is."""

    def slow(connection: socket.socket) -> None:
        connection.sendall(HEAD + b"Content-Length: 3\r\n\r\n")
        with suppress(OSError):
            for piece in (b"{", b"}", b" "):
                time.sleep(0.25)
                connection.sendall(piece)

    hands = ManualTime()
    partners = Partners(MemoryTables(), "t", hands.clock, hands.sleep)
    retry = Retry(RetryPolicy(0, 0, 0), RetryBudget(hands.clock), sleep=hands.sleep)
    with Loopback(slow) as partner:
        client = partners.client("erp", partner.url, 0.5, retry, partners.breaker("erp"), None)
        with pytest.raises(PartnerTimeout):
            client.get_json("/api/v1/sales")


@pytest.mark.parametrize(("behaviour", "error"), WIRE.values(), ids=WIRE.keys())
def test_whatever_comes_over_the_wire_has_its_error(behaviour: Behaviour, error: type[HubError]) -> None:
    timeouts = IMPATIENT if error is PartnerTimeout else PATIENT
    with Loopback(behaviour) as partner, pytest.raises(error) as caught:
        make(partner.url, timeouts=timeouts).get_json("/api/v1/sales", {"key": SECRET}, max_body=200_000)
    assert str(caught.value).startswith("erp: GET /api/v1/sales")
    assert SECRET not in f"{caught.value}{caught.value!r}{caught.value.__cause__!r}"
    assert caught.value.__context__ is None or SECRET not in repr(caught.value.__context__)


def test_a_size_limit_is_named() -> None:
    with Loopback(WIRE["a gzip bomb"][0]) as partner, pytest.raises(ContractBroken, match="limit of 1000 bytes"):
        make(partner.url).get_json("/x", max_body=1000)


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(NetworkFailure):
        make(f"http://127.0.0.1:{port}").get_json("/x")


STATUSES = {
    300: ContractBroken,
    304: ContractBroken,
    400: PartnerRefused,
    401: PartnerRefused,
    403: PartnerRefused,
    404: PartnerRefused,
    408: PartnerTimeout,
    409: PartnerRefused,
    422: PartnerRefused,
    429: RateLimited,
    500: ServerFailure,
    501: ServerFailure,
    502: ServerFailure,
    503: ServerFailure,
    504: ServerFailure,
    599: ServerFailure,
    999: ContractBroken,
}


@pytest.mark.parametrize(("status", "error"), STATUSES.items())
def test_each_status_has_its_error(status: int, error: type[HubError]) -> None:
    refusal = answer(status, b"why: " + SECRET.encode(), content_type="text/plain")
    with Loopback(refusal) as partner, pytest.raises(error) as caught:
        make(partner.url).get_json("/x", {"key": SECRET})
    assert type(caught.value) is error
    assert SECRET not in str(caught.value)
    assert str(status) in str(caught.value)


def test_the_table_of_statuses_has_no_hole() -> None:
    assert all(any(rule.first <= status <= rule.last for rule in STATUS_RULES) for status in range(300, 600))


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(("header", "seconds"), [("7", 7), ("Wed, 15 Jan 2025 01:00:09 GMT", 9)])
def test_retry_after_is_waited_for(status: int, header: str, seconds: float) -> None:
    time = ManualTime()
    with Loopback(answer(status, headers={"Retry-After": header}), OK) as partner:
        make(partner.url, retries=1, time=time).get_json("/x")
    assert time.slept == [seconds]


def test_money_stays_exact() -> None:
    with Loopback(OK) as partner:
        found = make(partner.url).get_json("/x")
    assert found == {"amount": Decimal("0.1"), "units": 3}
    assert isinstance(found["amount"], Decimal)


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "application/problem+json", "Application/JSON"])
def test_kinds_of_json(kind: str) -> None:
    with Loopback(answer(200, b"[]", content_type=kind)) as partner:
        assert make(partner.url).get_json("/x") == []


NO_ONE_MEANING: dict[str, bytes] = {
    "a name twice": b'{"amount": 100.00, "amount": 1.00}',
    "a name twice, inside": b'{"totals": {"amount": 1, "amount": 2}}',
    "5,000 digits": b'{"amount": ' + b"9" * 5000 + b"}",
    "NaN": b'{"amount": NaN}',
    "an exponent": b'{"amount": 1e99999999}',
    "deep": b"[" * 100_000,
    "latin-1": b'{"id": "\xe4"}',
    "utf-16": '{"id": "1"}'.encode("utf-16"),
}


@pytest.mark.parametrize("body", NO_ONE_MEANING.values(), ids=NO_ONE_MEANING.keys())
def test_an_answer_that_has_no_one_meaning_is_malformed(body: bytes) -> None:
    with Loopback(answer(200, body)) as partner, pytest.raises(MalformedResponse, match="no JSON with one meaning"):
        make(partner.url).get_json("/x")


def test_a_bad_item_of_a_page_costs_itself_alone_and_a_bad_answer_to_a_write_everything() -> None:
    page = answer(200, b'{"data": [{"id": "1", "id": "2"}, {"id": "3"}]}')
    with Loopback(page, page) as partner:
        bad, good = make(partner.url).get_json("/x")["data"]
        assert isinstance(bad, Unreadable)
        assert good == {"id": "3"}
        with pytest.raises(MalformedResponse, match="gives 'id' more than once"):
            make(partner.url).post_json("/x", 1, idempotency_key="k")


@pytest.mark.parametrize("key", ["Pr\u00e4mien", "x" * 1000, "a\r\nX-Evil: 1", " lead", "\U0001f600", "\ud800"])
def test_an_idempotency_key_of_any_text_is_sent_and_is_the_same_each_time(key: str) -> None:
    with Loopback(OK, OK, OK) as partner:
        for one in (key, key, f"{key}."):
            make(partner.url).post_json("/x", 1, idempotency_key=one)
    sent = [partner.header(number, "X-Idempotency-Key") for number in range(3)]
    assert sent[0]
    assert sent[0] == sent[1] != sent[2]
    assert all(b"\r\nX-Evil" not in request for request in partner.requests)


def test_gzip_and_chunks_are_read() -> None:
    body = gzip.compress(b'{"a": 1}')
    mixed = HEAD + b"Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"
    mixed += b"5\r\n" + body[:5] + b"\r\n%x\r\n" % (len(body) - 5) + body[5:] + b"\r\n0\r\n\r\n"
    with Loopback(mixed) as partner:
        assert make(partner.url).get_json("/x") == {"a": 1}


def test_what_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    context = CallContext("corr-1", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
    with Loopback(OK) as partner:
        client = make(partner.url + "/base", tokens=Tokens(), context=lambda: context)
        client.post_json("/orders", {"a": 1}, idempotency_key="order|1")
    expected = {
        "Authorization": "Bearer token-1",
        "X-Correlation-ID": "corr-1",
        "traceparent": context.traceparent,
        "X-Idempotency-Key": "order|1",
        "User-Agent": "integration-hub/1",
        "Content-Type": "application/json",
        "Accept": "application/json",
        "Cookie": None,
    }
    assert {name: partner.header(0, name) for name in expected} == expected
    assert partner.requests[0].startswith(b"POST /base/orders HTTP/1.1")
    assert partner.requests[0].endswith(b'{"a":1}')


def test_a_query_that_is_text_is_sent_as_it_is() -> None:
    query = "$skiptoken=oEcOy%2BSpF_hW==-mTIU%20ZB&x=$y(z)'/?"
    with Loopback(OK, OK) as partner:
        client = make(partner.url)
        client.get_json("/users/delta", query)
        client.get_json("/users/delta", {"$select": "id,a b"})
    assert partner.requests[0].startswith(f"GET /users/delta?{query} HTTP/1.1\r\n".encode())
    assert partner.requests[1].startswith(b"GET /users/delta?%24select=id%2Ca+b HTTP/1.1\r\n")


@pytest.mark.parametrize("bad", ["a\r\nX-Evil: 1", "\u00e9", " lead", "x" * 300])
def test_a_context_that_is_no_header_is_left_out(bad: str) -> None:
    with Loopback(OK) as partner:
        make(partner.url, context=lambda: CallContext(bad)).get_json("/x")
    assert partner.header(0, "X-Correlation-ID") is None
    assert b"Evil" not in partner.requests[0]


def test_cookies_are_not_kept() -> None:
    with Loopback(answer(200, b"{}", headers={"Set-Cookie": "session=1; Path=/"})) as partner:
        client = make(partner.url)
        client.get_json("/x")
        client.get_json("/x")
    assert partner.header(1, "Cookie") is None


def test_a_refused_token_is_replaced_once() -> None:
    tokens = Tokens()
    with Loopback(answer(401), OK) as partner:
        make(partner.url, tokens=tokens).get_json("/x")
    assert (tokens.invalidated, partner.header(1, "Authorization")) == (["token-1"], "Bearer token-2")


def test_a_token_that_is_refused_again_is_an_error() -> None:
    tokens = Tokens()
    with Loopback(answer(401)) as partner, pytest.raises(PartnerRefused) as caught:
        make(partner.url, retries=3, tokens=tokens).get_json("/x")
    assert (caught.value.status, len(partner.requests)) == (401, 2)


@pytest.mark.parametrize(
    ("call", "requests"),
    [
        (Call("GET", "/x"), 3),
        (Call("HEAD", "/x"), 3),
        (Call("POST", "/x", body=b"1", idempotency_key="k"), 3),
        (Call("POST", "/x", body=b"1"), 1),
        (Call("PUT", "/x", body=b"1"), 1),
        (Call("DELETE", "/x"), 1),
    ],
    ids=lambda value: f"{value.method} {value.idempotency_key}" if isinstance(value, Call) else "",
)
def test_only_what_may_be_repeated_is_retried(call: Call, requests: int) -> None:
    with Loopback(answer(503)) as partner, pytest.raises(ServerFailure):
        make(partner.url, retries=2).request(call)
    assert len(partner.requests) == requests


def test_a_repeated_write_carries_the_same_key() -> None:
    with Loopback(reset, OK) as partner:
        make(partner.url, retries=1).post_json("/x", 1, idempotency_key="k")
    assert [partner.header(number, "X-Idempotency-Key") for number in (0, 1)] == ["k", "k"]


def test_a_check_is_retried_like_any_malformed_answer() -> None:
    seen: list[object] = []

    def check(found: object) -> None:
        seen.append(found)
        if len(seen) == 1:
            raise MalformedResponse("erp", "the totals differ")

    with Loopback(OK) as partner:
        make(partner.url, retries=1).get_json("/x", check=check)
    assert len(seen) == 2


def test_an_accepted_status_is_an_answer() -> None:
    with Loopback(answer(409, b'{"there": true}')) as partner:
        found = make(partner.url).request_json(Call("GET", "/x", accept=frozenset({409})))
    assert (found.status, found.json, found.attempts) == (409, {"there": True}, 1)
    assert found.seconds > 0


def test_an_accepted_status_whose_body_is_no_answer_is_an_error() -> None:
    """A partner that knows an idempotency key may answer 409 with the first answer; any other 409 is a refusal."""

    def check(content: object) -> None:
        if content != {"batchId": "B1"}:
            raise MalformedResponse("erp", "is no answer to the batch")

    def post(url: str) -> object:
        return make(url, retries=2).post_body("/x", b"{}", idempotency_key="B1", check=check, accept=frozenset({409}))

    with Loopback(answer(409, b'{"batchId": "B1"}')) as partner:
        assert post(partner.url) == {"batchId": "B1"}
    for body, kind in ((b'{"error": "in progress"}', "application/json"), (b"<p>no</p>", "text/html")):
        with Loopback(answer(409, body, content_type=kind)) as partner:
            with pytest.raises(PartnerRefused) as refusal:
                post(partner.url)
            assert (refusal.value.status, len(partner.requests)) == (409, 1)
    with Loopback(answer(200, b'{"error": "x"}')) as partner, pytest.raises(MalformedResponse):
        post(partner.url)


def test_a_conflict_that_passes_by_itself_is_for_later_and_is_not_retried_at_once() -> None:
    """What `check` calls Busy, and a 409 that is no answer but says when to come back (RFC 9110, 10.2.3)."""

    def busy(_content: object) -> None:
        raise Busy("still at it", retry_after=60)

    def malformed(_content: object) -> None:
        raise MalformedResponse("erp", "is no answer")

    cases: list[tuple[Callable[[object], None], int, dict[str, str], float]] = [
        (busy, 409, {}, 60),
        (busy, 200, {"Retry-After": "7"}, 7),
        (busy, 409, {"Retry-After": "soon"}, 60),
        (malformed, 409, {"Retry-After": "0"}, 0),
    ]
    for check, status, headers, seconds in cases:
        with Loopback(answer(status, b"{}", headers=headers)) as partner:
            client = make(partner.url, retries=2)
            with pytest.raises(Busy) as waiting:
                client.post_body("/x", b"{}", idempotency_key="B1", check=check, accept=frozenset({409}))
            assert (waiting.value.retry_after, len(partner.requests)) == (seconds, 1)


class Guard:
    """Notes the order in which the guards are passed."""

    def __init__(self) -> None:
        self.order: list[str] = []

    def call(self, call: Callable[[], Result]) -> Result:
        self.order.append("breaker")
        return call()

    def take(self) -> None:
        self.order.append("limit")


def test_each_attempt_passes_the_breaker_and_then_the_rate_limit() -> None:
    guard = Guard()
    with Loopback(answer(503), OK) as partner:
        make(partner.url, retries=1, breaker=guard, rate_limit=guard).get_json("/x")
    assert guard.order == ["breaker", "limit"] * 2


def test_each_thread_has_connections_of_its_own() -> None:
    wire = Wire("erp")
    with ThreadPoolExecutor(2) as threads:
        both = threading.Barrier(2)

        def session() -> int:
            both.wait(2)
            return id(wire._session())

        sessions = [threads.submit(session) for _ in range(2)]
        assert sessions[0].result() != sessions[1].result()
    assert wire._session() is wire._session()


def test_connections_are_kept_open() -> None:
    def twice(connection: socket.socket) -> None:
        reply = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
        connection.sendall(reply)
        connection.recv(65536)
        connection.sendall(reply)

    with Loopback(twice) as partner:
        client = make(partner.url)
        client.get_json("/x")
        client.get_json("/x")
    assert len(partner.requests) == 1
