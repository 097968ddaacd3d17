"""The sandbox's HTTP side: one server for all partners, on 127.0.0.1."""

import json
from base64 import b64decode
from collections import Counter, deque
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler
from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from local.loopback_http import LoopbackHttp
from local.sandbox.erp import MAX_PAGE_SIZE, Erp
from local.sandbox.faults import PRESETS, Fault, Faults
from local.sandbox.generator import Shape, employees_of
from local.sandbox.graph import Graph
from local.sandbox.hr import Hr
from local.sandbox.identity import Identity, TokenRefused
from local.sandbox.mailbox import Mailbox
from local.sandbox.order_intake import OrderDesk
from local.sandbox.partner_routes import PARTNER_ROUTES
from local.sandbox.payroll import Payroll
from local.sandbox.routing import Request, as_json, refused_token, with_fault
from local.sandbox.sftp_server import SftpServer
from local.sandbox.wire import WIRE_FAULTS, Answer, send, send_broken


class Sandbox:
    """All partners at one address. A context manager: the server runs inside."""

    def __init__(
        self,
        shape: Shape | None = None,
        port: int = 0,
        *,
        token_lifetime: float = 3600,
        sftp_port: int | None = None,
        mail_port: int | None = None,
    ) -> None:
        """Take the ports (0: any free one; None: no SFTP server, no mailbox). OSError when one is taken."""
        self.shape = shape or Shape()
        self.faults = Faults()
        self.erp = Erp(self.shape)
        self.hr: Hr = Hr(self.shape)
        self.payroll: Payroll = Payroll()
        self.order_desk: OrderDesk = OrderDesk()
        self.graph: Graph = Graph(self.shape)
        self.requests: Counter[str] = Counter()
        self.notifications: list[Any] = []
        self.traces: deque[dict[str, str]] = deque(maxlen=10_000)
        self._http = LoopbackHttp(_handler(self), port)
        self.sftp = None if sftp_port is None else SftpServer(sftp_port)
        self.mailbox = None if mail_port is None else Mailbox(mail_port)
        self.url = self._http.url
        self.identity = Identity(f"{self.url}/identity/v2.0", token_lifetime)

    def __enter__(self) -> "Sandbox":
        """Serve."""
        self._http.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop serving."""
        self._http.__exit__(kind, error, trace)
        self.close()

    def close(self) -> None:
        """Stop what has a server of its own."""
        if self.sftp:
            self.sftp.close()
        if self.mailbox:
            self.mailbox.close()

    def serve(self) -> None:
        """Serve until interrupted."""
        self._http.serve()

    def ledger(self, day: date) -> dict[str, Any]:
        """Return what the ERP truly holds for a day, and what happened so far."""
        return self.erp.totals(day) | {
            "requests": dict(sorted(self.requests.items())),
            "tokensIssued": self.identity.issued,
            "faultsFired": self.faults.fired,
        }


def _sales(sandbox: Sandbox, request: Request) -> Answer:
    token = request.headers.get("Authorization", "").removeprefix("Bearer ")
    page_text = request.query.get("page", "1")
    fault = sandbox.faults.next("erp.sales", int(page_text) if page_text.isdecimal() else None)
    if fault and fault.kind == "expired-token":
        sandbox.identity.revoke_all()
    if not sandbox.identity.accepts(token, "erp"):
        return refused_token()
    try:
        day = date.fromisoformat(request.query["date"])
        page, size = int(page_text), int(request.query.get("pageSize", "1000"))
        if page < 1 or not 1 <= size <= MAX_PAGE_SIZE:
            raise ValueError(f"page {page} or pageSize {size} is out of range")  # noqa: TRY301 - answered below
    except (KeyError, ValueError) as error:
        return as_json({"error": str(error)}, 400)
    store = request.query.get("storeId", "")
    answer = Answer(sandbox.erp.page(day, store, page, size).encode())
    if fault is None or fault.kind == "expired-token":
        return answer
    if fault.kind.startswith("repeated-page"):
        text = sandbox.erp.page(day, store, max(1, page - 1), size)
        if fault.kind.endswith("renumbered"):
            text = text.replace(f'"pagination":{{"page":{page - 1}', f'"pagination":{{"page":{page}')
        return Answer(text.encode())
    if fault.kind == "wrong-total":
        total = len(sandbox.erp.day(day).lines)
        return Answer(answer.body.replace(b'"totalRecords":%d' % total, b'"totalRecords":%d' % (total + 1)))
    if fault.kind == "huge-page":
        return Answer(sandbox.erp.page(day, store, page, size * 2).encode())
    return with_fault(request, answer, fault)


def _token(sandbox: Sandbox, request: Request) -> Answer:
    fault = sandbox.faults.next("identity.token", None)
    if fault:
        return with_fault(request, as_json({}), fault)
    form = dict(parse_qsl(request.body.decode(errors="replace")))
    client_id, secret = form.get("client_id", ""), form.get("client_secret", "")
    authorization = request.headers.get("Authorization", "")
    if authorization.startswith("Basic "):
        client_id, _, secret = b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
    try:
        return as_json(sandbox.identity.grant(form.get("grant_type", ""), client_id, secret))
    except TokenRefused as error:
        return as_json({"error": error.code}, error.status)


def _health(sandbox: Sandbox, request: Request) -> Answer:
    fault = sandbox.faults.next("erp.health", None)
    healthy = as_json({"status": "healthy"})
    return with_fault(request, healthy, fault) if fault else healthy


def _ledger(sandbox: Sandbox, request: Request) -> Answer:
    return as_json(sandbox.ledger(date.fromisoformat(request.query["date"])))


def _ledger_records(sandbox: Sandbox, request: Request) -> Answer:
    lines = sandbox.erp.day(date.fromisoformat(request.query["date"])).lines
    page = int(request.query.get("page", "1"))
    shown = [
        {"record": {k: str(v) if k == "salesAmount" else v for k, v in line.record.items()}, "verdict": line.verdict}
        for line in lines[(page - 1) * 1000 : page * 1000]
    ]
    return as_json({"records": shown, "total": len(lines)})


def _set_faults(sandbox: Sandbox, request: Request) -> Answer:
    given = json.loads(request.body or b"[]")
    try:
        script = list(PRESETS[given["preset"]]) if isinstance(given, dict) else [Fault(**one) for one in given]
    except (TypeError, ValueError, KeyError) as error:
        return as_json({"error": str(error)}, 400)
    sandbox.faults.add(script)
    return as_json({"faults": sandbox.faults.left()})


def _clear_faults(sandbox: Sandbox, _request: Request) -> Answer:
    sandbox.faults.clear()
    return as_json({"faults": []})


def _notified(sandbox: Sandbox, request: Request) -> Answer:
    fault = sandbox.faults.next("notifications", None)
    if fault:
        return with_fault(request, as_json({}), fault)
    sandbox.notifications.append(json.loads(request.body))
    return as_json({}, 202)


def _period_ledger(sandbox: Sandbox, request: Request) -> Answer:
    first, last = (date.fromisoformat(request.query[name]) for name in ("from", "to"))
    days = [sandbox.erp.totals(first + timedelta(days=number)) for number in range((last - first).days + 1)]
    counts = {name: sum(day[name] for day in days) for name in ("records", "valid", "imported", "held")}
    names = ("validAmount", "importedAmount", "heldAmount")
    amounts = {name: f"{sum(Decimal(day[name]) for day in days):.2f}" for name in names}
    return as_json({**counts, **amounts, "faultsFired": sandbox.faults.fired, "requests": dict(sandbox.requests)})


ROUTES: dict[tuple[str, str], tuple[str, Callable[[Sandbox, Request], Answer]]] = {
    ("GET", "/"): ("about", lambda _sandbox, _request: as_json({"routes": [" ".join(key) for key in ROUTES]})),
    ("POST", "/identity/oauth2/v2.0/token"): ("identity.token", _token),
    ("GET", "/identity/v2.0/.well-known/openid-configuration"): (
        "identity.configuration",
        lambda box, _request: as_json(box.identity.configuration()),
    ),
    ("GET", "/identity/discovery/v2.0/keys"): ("identity.keys", lambda box, _request: as_json(box.identity.keys())),
    ("GET", "/identity/tokens"): ("identity.tokens", lambda box, _request: as_json(box.identity.tokens)),
    ("POST", "/identity/rotate"): ("identity.rotate", lambda box, _request: as_json({"kid": box.identity.rotate()})),
    ("GET", "/erp/api/health"): ("erp.health", _health),
    ("GET", "/erp/api/v1/sales"): ("erp.sales", _sales),
    ("GET", "/erp/employees"): ("erp.employees", lambda box, _request: as_json(employees_of(box.shape))),
    ("POST", "/erp/corrections"): (
        "erp.corrections",
        lambda box, request: as_json({"corrected": box.erp.correct(json.loads(request.body))}),
    ),
    ("GET", "/ledger"): ("ledger", _ledger),
    ("GET", "/ledger/period"): ("ledger.period", _period_ledger),
    ("GET", "/ledger/records"): ("ledger.records", _ledger_records),
    ("GET", "/faults"): ("faults", lambda box, _: as_json({"left": box.faults.left(), "fired": box.faults.fired})),
    ("POST", "/faults"): ("faults.set", _set_faults),
    ("DELETE", "/faults"): ("faults.clear", _clear_faults),
    ("GET", "/traces"): ("traces", lambda box, _request: as_json(list(box.traces))),
    ("POST", "/notifications"): ("notifications", _notified),
    ("GET", "/notifications"): ("notifications.list", lambda box, _request: as_json(box.notifications)),
    **PARTNER_ROUTES,
}


def _handler(sandbox: Sandbox) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def _serve(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            request = Request(dict(parse_qsl(parts.query)), dict(self.headers.items()), body, self.path)
            name, route = ROUTES.get((self.command, parts.path), ("unknown", _unknown))
            try:
                answer = route(sandbox, request)
            except (KeyError, ValueError) as error:
                answer = as_json({"error": f"{type(error).__name__}: {error}"}, 400)
            sandbox.requests[f"{name} {answer.status}"] += 1
            if traceparent := request.headers.get("traceparent"):
                correlation_id = request.headers.get("X-Correlation-ID", "")
                sandbox.traces.append({"route": name, "traceparent": traceparent, "correlationId": correlation_id})
            try:
                if request.broken and request.broken.kind in WIRE_FAULTS:
                    send_broken(self, answer, request.broken)
                else:
                    send(self, answer)
            except OSError:
                self.close_connection = True  # the caller hung up, as callers with a timeout do

        do_GET = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815 - names of the base class

    return Handler


def _unknown(_sandbox: Sandbox, _request: Request) -> Answer:
    return as_json({"error": "no such route; GET / lists them"}, 404)
