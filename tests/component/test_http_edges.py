"""INC-33, INC-34: the edges of HTTP, over HTTP: unknown paths, wrong methods, HEAD, bodies, queries, odd text."""

import json
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPConnection
from types import MappingProxyType, SimpleNamespace
from typing import Any
from urllib.parse import quote

import azure.functions as func
import pytest

from functions.answering import MAX_BODY_BYTES, SECURITY_HEADERS
from functions.http_routes import _handler
from functions.partner_contract import SCIM_ERROR
from local.host.host import FunctionsHost
from local.sandbox.generator import Shape
from local.sandbox.server import Sandbox
from shared.access.routes import ROUTES, Contract, Route
from shared.hub import Hub, replaced_hub
from shared.kernel.webhook_signature import sign
from tests.component.import_hub import environment
from tests.fakes.blobs import MemoryBlobs
from tests.fakes.invocation import context
from tests.fakes.queues import MemoryQueues
from tests.fakes.tables import MemoryTables
from tests.unit.functions.indexed import indexed_functions

HOST_JSON = {"extensions": {"http": {"routePrefix": "api", "customHeaders": dict(SECURITY_HEADERS)}}}


@dataclass(frozen=True)
class Answer:
    """What came back; header names in any case."""

    method: str
    status_code: int
    headers: Message
    content: bytes

    def json(self) -> Any:
        return json.loads(self.content)


class Caller:
    """An administrator who calls the app in the stand-in host, with paths and queries as they are written."""

    def __init__(self, port: int, token: str) -> None:
        self.port = port
        self._connection = HTTPConnection("127.0.0.1", port, timeout=30)
        self.token = token

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def __call__(
        self, method: str, path: str, data: bytes = b"", headers: Mapping[str, str] = MappingProxyType({})
    ) -> Answer:
        connection = self._connection
        connection.putrequest(method, f"/api/{path}", skip_accept_encoding=True)
        everything = {"Authorization": f"Bearer {self.token}", "Content-Length": str(len(data)), **headers}
        for name, value in everything.items():
            connection.putheader(name, value.encode("latin-1"))
        connection.endheaders(data)
        answer = connection.getresponse()
        return Answer(method, answer.status, answer.headers, answer.read())


@pytest.fixture(scope="module")
def call() -> Iterator[Caller]:
    with Sandbox(Shape(records=1)) as sandbox:
        graph = {
            "GRAPH_TOKEN_URL": f"{sandbox.url}/token",
            "GRAPH_CLIENT_ID": "hub",
            "GRAPH_CLIENT_SECRET": "graph-secret",
        }
        settings = environment(sandbox, **graph)
        hub = Hub(settings, tables=MemoryTables(), blobs=(blobs := MemoryBlobs()), sleep=lambda _: None)
        hub.__dict__["queues"] = MemoryQueues(hub.clock, blobs)
        app = SimpleNamespace(get_functions=indexed_functions)
        with replaced_hub(hub), FunctionsHost(app, HOST_JSON, environment=settings, listen=False) as host:
            port = int(host.url.rpartition(":")[2])
            caller = Caller(port, sandbox.identity.token("admin"))
            yield caller
            caller.close()


def contract_at(path: str) -> Contract | None:
    if path.lower().startswith("v1/scim/v2"):
        return Contract.SCIM
    return Contract.HR_WEBHOOK if path.lower().startswith("v1/webhooks/hr") else None


def assert_sound(answer: Answer, path: str) -> None:
    """Whatever was asked: an answer in the shape of its contract, with the security headers, and no failure of ours."""
    assert answer.status_code not in (500, 501) or answer.json()["status"] == "501", path
    assert SECURITY_HEADERS.items() <= dict(answer.headers).items(), path
    if answer.status_code in (400, 414) and not answer.content and "X-Request-ID" not in answer.headers:
        return  # The host refuses it: half a byte, a NUL in a path, an address of more than 8 KiB.
    assert answer.headers["X-Request-ID"], path
    if answer.method == "HEAD" or answer.status_code in (204, 304):
        assert answer.content == b""
        return
    content = answer.json()
    match contract_at(path):
        case Contract.SCIM:
            assert answer.headers["Content-Type"].startswith("application/scim+json")
            assert "schemas" in content
        case Contract.HR_WEBHOOK:
            assert "error" in content or content["received"]
        case _:
            assert {"requestId", "timestamp", "status", "metadata"} <= content.keys(), path
            if answer.status_code >= 400 and "error" in content:
                assert content["error"]["code"]
                assert content["error"]["message"]


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize(
    "path",
    ["", "v1", "v1/", "v2/health", "v1/admin", "v1/health/x", "admin/host/status", "v1/webhooks/hr/x", "v1/scim/v2/x"],
)
def test_what_is_nothing_is_404_in_the_shape_of_its_contract(call: Caller, method: str, path: str) -> None:
    answer = call(method, path)
    assert answer.status_code == 404
    assert_sound(answer, path)


ADDRESSES = sorted({route.path for route in ROUTES if not route.takes_every_path})
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


@pytest.mark.parametrize("path", ADDRESSES)
def test_another_method_than_an_address_has_is_405_and_says_which_it_has(call: Caller, path: str) -> None:
    address = "/".join("2025-01" if part.startswith("{") else part for part in path.split("/"))
    options = call("OPTIONS", address)
    assert (options.status_code, options.content) == (204, b"")
    assert_sound(options, path)
    offered: set[str] = set()
    for method in METHODS:
        answer = call(method, address)
        assert_sound(answer, path)
        if answer.status_code != 405:
            offered.add(method)
            continue
        allowed = answer.headers["Allow"].split(", ")
        assert method not in allowed
        assert set(options.headers["Allow"].split(", ")) <= set(allowed)
    assert offered
    assert ("GET" in offered) == ("HEAD" in offered)


def test_a_405_says_its_reason_in_each_contract(call: Caller) -> None:
    ours, webhook, scim = (call("DELETE", path) for path in ("v1/health", "v1/webhooks/hr", "v1/scim/v2/Users"))
    assert ours.json()["error"]["code"] == "MethodNotAllowed"
    assert ours.headers["Allow"] == "GET, HEAD, OPTIONS"
    assert webhook.json() == {"error": "DELETE is not supported here: POST, OPTIONS are", "details": []}
    assert webhook.headers["Allow"] == "POST, OPTIONS"
    assert (scim.json()["schemas"], scim.json()["status"]) == ([SCIM_ERROR], "405")
    assert scim.headers["Allow"] == "POST, GET, HEAD, OPTIONS"


def test_an_address_is_what_its_percent_encoding_says(call: Caller) -> None:
    assert call("GET", "v1/%68ealth/liveness").status_code == 200
    assert call("DELETE", "v1/%68ealth/liveness").status_code == 405
    assert call("GET", "v1/scim/v2/%55sers").status_code == 200
    assert call("GET", "v1/%73cim/v2/Users").status_code == 200


def test_head_is_answered_as_get_is_without_the_body(call: Caller) -> None:
    for path in ("v1/health/liveness", "v1/admin/imports", "v1/scim/v2/Users", "v1/admin/imports/unknown"):
        head, get = call("HEAD", path), call("GET", path)
        assert (head.status_code, head.content) == (get.status_code, b"")
        assert head.headers["Content-Type"] == get.headers["Content-Type"]
        assert_sound(head, path)


WITH_BODY = [route for route in ROUTES if route.method in ("POST", "PUT", "PATCH")]


@pytest.mark.parametrize("route", WITH_BODY, ids=lambda route: route.function)
def test_a_body_over_the_limit_is_413_in_the_shape_of_its_contract(call: Caller, route: Route) -> None:
    path = "/".join("2025-01" if part.startswith("{") else part for part in route.path.split("/"))
    answer = call(route.method, path, b"x" * (MAX_BODY_BYTES + 1))
    assert answer.status_code == 413
    assert_sound(answer, path)


LISTINGS = [route for route in ROUTES if route.query]


@pytest.mark.parametrize("route", LISTINGS, ids=lambda route: route.function)
def test_a_listing_refuses_what_it_would_not_understand_by_name(call: Caller, route: Route) -> None:
    path = route.path.replace("{id}", "unknown")

    def refused(query: str) -> dict[str, str]:
        answer = call("GET", f"{path}?{query}")
        assert answer.status_code == 400, query
        assert_sound(answer, path)
        return {one["field"]: one["message"] for one in answer.json()["error"]["details"]}

    asked = "period=2025-01" if "period" in route.query else "pageSize=5"
    assert refused(f"{asked}&colour=red") == {"colour": f"is not a parameter here: there are {', '.join(route.query)}"}
    assert refused("PageSize=5").keys() >= {"PageSize"}
    assert refused("pageSize=1&pageSize=2") == {"pageSize": "must be given once"}
    for name in set(route.query) - {"pageToken"}:
        assert refused(f"{name}=") == {name: "is empty: leave it out, or give a value"}
        assert refused(f"{name}=%zz") == {name: "is not percent-encoded UTF-8"}
        assert refused(f"{name}=%ff") == {name: "is not percent-encoded UTF-8"}
        assert refused(f"{name}=%00") == {name: "must hold no control characters"}
        assert refused(f"{name}={'x' * 1000}") == {name: "must have at most 200 characters"}
    for size in ("0", "1001", "9" * 5000, "-1", "%2B5", "+5", "1_0", "%EF%BC%95", "1e3", "5.0"):
        assert refused(f"{asked}&pageSize={size}".removeprefix("pageSize=5&")).keys() == {"pageSize"}, size


@pytest.mark.parametrize(
    ("path", "query", "field", "message"),
    [
        ("v1/admin/imports", "status=Open", "status", "must be one of Queued, "),
        ("v1/admin/imports", "date=20250131", "date", "must be a date such as 2025-01-31"),
        ("v1/admin/imports", "date=2025-02-30", "date", "must be a date such as 2025-01-31"),
        ("v1/calculations", "period=2025-01&status=draft", "status", "must be one of Draft, "),
        ("v1/calculations", "period=2025-13", "period", "must be a pay period such as 2025-01 or 2025-W03"),
        ("v1/calculations", f"period=2025-01&employeeId={'x' * 129}", "employeeId", "must have at most 128 characters"),
        ("v1/admin/dead-letters", "queue=nothing", "queue", "must be one of import-slices, "),
        ("v1/admin/dead-letters", "status=open", "status", "must be one of Open, "),
        ("v1/admin/dead-letters", "kind=Broken", "kind", "must be one of Parked, Broker"),
        ("v1/admin/dead-letters", "from=2025-01-01", "from", "must be ISO 8601 with an offset"),
        ("v1/admin/dead-letters", "from=2025-02-01T00:00Z&to=2025-01-01T00:00Z", "to", "must not lie before from"),
    ],
)
def test_a_filter_with_an_unknown_value_is_told_what_is_allowed(
    call: Caller, path: str, query: str, field: str, message: str
) -> None:
    answer = call("GET", f"{path}?{query}")
    assert answer.status_code == 400
    (told,) = answer.json()["error"]["details"]
    assert (told["field"], told["message"][: len(message)]) == (field, message)


def test_a_page_token_of_another_listing_is_refused_by_name(call: Caller) -> None:
    from shared.hub import current_hub

    token = current_hub().page_tokens.write("employees", "E-1")
    for path in ("v1/admin/imports", "v1/admin/exports", "v1/admin/dead-letters", "v1/calculations?period=2025-01"):
        answer = call("GET", f"{path}{'&' if '?' in path else '?'}pageToken={token}")
        assert answer.status_code == 400
        assert [one["field"] for one in answer.json()["error"]["details"]] == ["pageToken"]


# Odd text, everywhere ------------------------------------------------------------------------------------------------

ODD_PATHS = (
    "%2F",
    "%2e%2e%2f%2e%2e%2fetc",
    "%00",
    "%0d%0aX-Evil:%201",
    "%zz",
    "%ff%fe",
    quote("ä\u202e😀'\"<>;"),
    "'%20or%201%20eq%201",
    "x" * 10_000,
    "2025-99",
    "2025-W99",
    "%EF%BC%92%EF%BC%90%EF%BC%92%EF%BC%95-01",
    "-1",
    "*",
)
ODD_QUERIES = (
    "=",
    "&&&",
    "?",
    "%",
    "a=%00",
    "pageSize=1&pageSize=2",
    "pageToken=" + "A" * 5000,
    "pageToken=%F0%9F%98%80",
    "status='%20or%20true",
    "filter=" + "(" * 5000,
    "count=" + "9" * 5000,
    "startIndex=-" + "9" * 5000,
    "from=9999-12-31T23:59:59-14:00&to=0001-01-01T00:00:00%2B14:00",
)
ODD_BODIES = (
    b"",
    b"null",
    b"[]",
    b'""',
    b"{",
    b"\xff\xfe",
    b"\xef\xbb\xbf{}",
    b"[" * 100_000,
    b'{"a":' * 20_000,
    b'{"a": 1, "a": 2}',
    b'{"a": NaN, "b": 1e999}',
    b'{"date": ' + b"9" * 5000 + b"}",
    b'{"period": "\\ud800", "ids": ["\\u0000"], "reason": "\\ud800", "filter": {"queue": "\\ud800"}}',
    b'{"userName": "\\ud800", "displayName": "\\ud800"}',
    b'{"Operations": [{"op": "add", "path": "' + b"(" * 5000 + b'", "value": null}]}',
    b'{"ids": ["' + b"x" * 64 + b'"], "reason": "r", "correctedNet": "1e99999999"}',
)


def filled(path: str, text: str) -> str:
    return "/".join(text if part.startswith("{") else part for part in path.split("/"))


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.function)
def test_no_odd_text_is_a_failure_of_ours(call: Caller, route: Route) -> None:
    """No path, query or body of anybody's is answered with 500, and each answer is sound."""
    texts = ODD_PATHS if "{" in route.path else ()
    for text in texts:
        path = filled(route.path, text)
        assert_sound(call(route.method, path), path)
    plain = filled(route.path, "2025-01")
    for query in ODD_QUERIES:
        assert_sound(call(route.method, f"{plain}?{query}"), plain)
    if route.method != "GET":
        for body in ODD_BODIES:
            answer = call(route.method, plain, body)
            assert_sound(answer, f"{plain} {body[:60]!r}" if contract_at(plain) is None else plain)


ODD_TEXTS = ("\x00", "\ud800", "../..", "a/b", "'", "x" * 10_000, "\r\nX: y", "%", "{id}", "1" * 5000, "\u202e", " ")


@pytest.mark.parametrize(
    "route",
    [route for route in ROUTES if "{" in route.path and not route.takes_every_path],
    ids=lambda one: one.function,
)
def test_no_odd_text_in_a_path_is_a_failure_of_ours_whatever_a_host_lets_through(call: Caller, route: Route) -> None:
    names = [part.strip("{}") for part in route.path.split("/") if part.startswith("{")]
    for text in ODD_TEXTS:
        given = dict.fromkeys(names, text)
        request = func.HttpRequest(
            route.method,
            f"http://127.0.0.1/api/{filled(route.path, quote(text, errors='replace'))}",
            headers={"Authorization": f"Bearer {call.token}"},
            route_params=given,
            body=b'{"reason": "r", "correctedNet": "1.00", "userName": "u", "displayName": "d", "Operations": []}',
        )
        answer = _handler(route)(request, context())
        assert 400 <= answer.status_code < 500, (answer.status_code, text[:10])
        assert SECURITY_HEADERS.items() <= dict(answer.headers).items()
        assert json.loads(answer.get_body())


@pytest.mark.parametrize(
    "headers",
    [
        {"traceparent": "00-zz-zz-01"},
        {"X-Request-ID": "x" * 5000},
        {"If-Match": '"' * 5000},
        {"If-None-Match": ", " * 5000},
        {"Idempotency-Key": "k" * 5000},
        {"Authorization": "Bearer " + "ä" * 100},
        {"Content-Type": "text/\xff"},
        {"Accept": "application/pdf"},
        {"Content-Encoding": "gzip"},
    ],
    ids=lambda headers: next(iter(headers)),
)
def test_no_odd_header_is_a_failure_of_ours(call: Caller, headers: dict[str, str]) -> None:
    for method, path in (
        ("GET", "v1/admin/imports"),
        ("POST", "v1/admin/imports"),
        ("GET", "v1/scim/v2/Users/x"),
        ("PUT", "v1/scim/v2/Users/x"),
        ("POST", "v1/webhooks/hr"),
        ("GET", "v1/nothing"),
    ):
        body = json.dumps({"date": "2025-01-15", "userName": "ada"}).encode() if method in ("POST", "PUT") else b""
        assert_sound(call(method, path, body, headers), path)


EVENT = json.dumps(
    {
        "eventId": "edge-1",
        "eventType": "employee.created",
        "timestamp": "2025-01-10T12:00:00Z",
        "data": {"employeeId": "H-1", "firstName": "Ada", "lastName": "Abel"},
    }
).encode()


@pytest.mark.parametrize("way", ["in chunks", "awaiting the interim answer"])
def test_a_signed_event_is_taken_in_however_its_body_comes(call: Caller, way: str) -> None:
    """INC-20: proxies and clients of other languages send no Content-Length, or wait before they send a body."""
    secret = "a secret of the HR system"
    head = [
        "POST /api/v1/webhooks/hr HTTP/1.1",
        "Host: 127.0.0.1",
        "Connection: close",
        f"Authorization: Bearer {secret}",
        f"X-Webhook-Signature: {sign(secret, EVENT)}",
        f"X-Delivery-Id: {way.replace(' ', '-')}",
        "X-Event-Type: employee.created",
        *(["Transfer-Encoding: chunked"] if way == "in chunks" else ["Expect: 100-continue"]),
        *([] if way == "in chunks" else [f"Content-Length: {len(EVENT)}"]),
    ]
    chunks = b"".join(b"%x;part\r\n%b\r\n" % (len(one), one) for one in (EVENT[:9], EVENT[9:])) + b"0\r\nA: b\r\n\r\n"
    with socket.create_connection(("127.0.0.1", call.port), timeout=10) as peer:
        peer.sendall("".join(f"{line}\r\n" for line in (*head, "")).encode())
        if way != "in chunks":
            assert peer.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        peer.sendall(chunks if way == "in chunks" else EVENT)
        answer = b"".join(iter(lambda: peer.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["received"] is True
