"""The routes of HR, payroll, the sales system, Microsoft Graph, SFTP and the mailbox."""

from collections.abc import Callable
from typing import TYPE_CHECKING
from uuid import UUID

from local.sandbox.faults import Fault
from local.sandbox.graph import LinkUnknown
from local.sandbox.mail_gateways import receive_communication_services, receive_sendgrid, tell_operation, tell_scopes
from local.sandbox.order_intake import OrderRefused
from local.sandbox.payroll import BatchRefused
from local.sandbox.routing import Request, as_json, refused_token, with_fault
from local.sandbox.wire import Answer

if TYPE_CHECKING:
    from local.sandbox.server import Sandbox

Route = Callable[["Sandbox", Request], Answer]
SENDGRID_KEY = "local-sendgrid-key"
ACS_ACCESS_KEY = "bG9jYWwtYWNzLWFjY2Vzcy1rZXk="


def _employees(sandbox: "Sandbox", request: Request) -> Answer:
    page, size = int(request.query.get("page", "1")), int(request.query.get("pageSize", "1000"))
    fault = sandbox.faults.next("hr.employees", page)
    if fault and fault.kind == "expired-token":
        sandbox.identity.revoke_all()
    if not sandbox.identity.accepts(request.bearer(), "hr"):
        return refused_token()
    if page < 1 or not 1 <= size <= 5000:
        return as_json({"error": "page or pageSize is out of range"}, 400)
    if fault and fault.kind == "repeated-page":
        return as_json(sandbox.hr.page(max(1, page - 1), size))
    answer = as_json(sandbox.hr.page(page, size))
    return with_fault(request, answer, fault) if fault and fault.kind != "expired-token" else answer


def _batch(sandbox: "Sandbox", request: Request) -> Answer:
    fault = sandbox.faults.next("payroll.batch", None)
    if fault and fault.kind == "expired-token":
        sandbox.identity.revoke_all()
    if not sandbox.identity.accepts(request.bearer(), "payroll"):
        return refused_token()
    if fault and fault.kind in ("status", "redirect"):
        return with_fault(request, as_json({}), fault)
    try:
        answer = sandbox.payroll.receive(request.headers.get("X-Idempotency-Key", ""), request.body)
    except BatchRefused as error:
        return as_json({"error": str(error)}, error.status)
    if fault and fault.kind == "wrong-totals":
        totals = answer["controlTotals"]
        return as_json(answer | {"controlTotals": totals | {"recordCount": totals["recordCount"] - 1}})
    if fault and fault.kind == "known-key":
        return as_json(answer, 409)
    if fault and fault.kind == "key-in-use":
        return _key_in_use(fault)
    if fault and fault.kind == "answer-lost":
        fault.kind = "reset"
    return with_fault(request, as_json(answer), fault) if fault else as_json(answer)


def _take_order(sandbox: "Sandbox", request: Request) -> Answer:
    key = request.headers.get("X-Idempotency-Key", "")
    sandbox.order_desk.note(key, request.headers.get("X-Correlation-ID", ""))
    fault = sandbox.faults.next("sales.orders", None)
    if fault and fault.kind == "expired-token":
        sandbox.identity.revoke_all()
    if not sandbox.identity.accepts(request.bearer(), "sales"):
        return refused_token()
    if fault and fault.kind in ("status", "redirect"):
        return with_fault(request, as_json({}), fault)
    try:
        answer = sandbox.order_desk.receive(key, request.body)
    except OrderRefused as error:
        return as_json({"error": str(error)}, error.status)
    if fault and fault.kind == "known-key":
        return as_json(answer, 409)
    if fault and fault.kind == "key-in-use":
        return _key_in_use(fault)
    if fault and fault.kind == "answer-lost":
        fault.kind = "reset"
    return with_fault(request, as_json(answer, 201), fault) if fault else as_json(answer, 201)


def _key_in_use(fault: Fault) -> Answer:
    """Return what a system says that has not finished the first request of a key."""
    headers = {"Retry-After": fault.retry_after} if fault.retry_after else {}
    return as_json({"error": {"code": "idempotency_key_in_use", "message": "try again later"}}, 409, **headers)


def _users(sandbox: "Sandbox", request: Request) -> Answer:
    fault = sandbox.faults.next("graph.users", None)
    if fault and fault.kind == "expired-token":
        sandbox.identity.revoke_all()
    if not sandbox.identity.accepts(request.bearer(), "graph"):
        return refused_token()
    address = f"{sandbox.url}/graph/v1.0/users/delta"
    try:
        content = sandbox.graph.page(request.query, address)
    except LinkUnknown:
        return as_json({"error": {"code": "resyncRequired"}}, 410, Location=f"{address}?$deltatoken=")
    if fault and fault.kind == "foreign-link":
        content = {name: fault.location if name.startswith("@odata.") else value for name, value in content.items()}
    return with_fault(request, as_json(content), fault) if fault else as_json(content)


def _change_users(sandbox: "Sandbox", request: Request) -> Answer:
    return as_json({"changed": sandbox.graph.change(request.json())})


def _forget_links(sandbox: "Sandbox", _request: Request) -> Answer:
    sandbox.graph.forget_links()
    return as_json({})


def _reject(sandbox: "Sandbox", request: Request) -> Answer:
    given = request.json()
    sandbox.payroll.reject(given["employeeIds"], given.get("times", 1), given.get("reason", "no bank account"))
    return as_json({"rejecting": given["employeeIds"]})


def _sftp_files(sandbox: "Sandbox", _request: Request) -> Answer:
    files = sandbox.sftp.files() if sandbox.sftp else {}
    return as_json({path: content.decode(errors="replace") for path, content in files.items()})


def _sftp_faults(sandbox: "Sandbox", request: Request) -> Answer:
    for fault in request.json()["faults"] if sandbox.sftp else ():
        assert sandbox.sftp is not None
        sandbox.sftp.fail_next(fault)
    return as_json({"left": sandbox.sftp.faults if sandbox.sftp else []})


def _mails(sandbox: "Sandbox", _request: Request) -> Answer:
    return as_json(sandbox.mailbox.messages() if sandbox.mailbox else [])


def _fail_mails(sandbox: "Sandbox", request: Request) -> Answer:
    given = request.json()
    if sandbox.mailbox:
        sandbox.mailbox.fail(given["recipient"], given["code"], given.get("times", 1))
    return as_json({})


def _sendgrid(sandbox: "Sandbox", request: Request) -> Answer:
    if sandbox.mailbox is None:
        return as_json({"error": "there is no mailbox"}, 404)
    return receive_sendgrid(sandbox.mailbox, request.headers, request.body, key=SENDGRID_KEY)


def _communication_services(sandbox: "Sandbox", request: Request) -> Answer:
    if sandbox.mailbox is None:
        return as_json({"error": "there is no mailbox"}, 404)
    return receive_communication_services(
        sandbox.mailbox, request.target, request.headers, request.body, access_key=ACS_ACCESS_KEY
    )


def _scopes(_sandbox: "Sandbox", request: Request) -> Answer:
    return tell_scopes(request.headers, key=SENDGRID_KEY)


def _operation(_sandbox: "Sandbox", request: Request) -> Answer:
    return tell_operation(request.target, request.headers, access_key=ACS_ACCESS_KEY)


def _healthy(name: str) -> Route:
    def answer(sandbox: "Sandbox", request: Request) -> Answer:
        fault = sandbox.faults.next(f"{name}.health", None)
        healthy = as_json({"status": "healthy"})
        return with_fault(request, healthy, fault) if fault else healthy

    return answer


PARTNER_ROUTES: dict[tuple[str, str], tuple[str, Route]] = {
    ("GET", "/hr/api/health"): ("hr.health", _healthy("hr")),
    ("GET", "/hr/api/v1/employees"): ("hr.employees", _employees),
    ("POST", "/hr/employees"): ("hr.change", lambda box, request: as_json({"changed": box.hr.change(request.json())})),
    ("POST", "/hr/deliver"): ("hr.deliver", lambda box, request: as_json(box.hr.deliver(request.json()))),
    ("GET", "/hr/ledger"): (
        "hr.ledger",
        lambda box, _: as_json({"employees": box.hr.everybody(), "events": len(box.hr.events)}),
    ),
    ("GET", "/payroll/api/health"): ("payroll.health", _healthy("payroll")),
    ("POST", "/payroll/api/v1/incentives/batch"): ("payroll.batch", _batch),
    ("POST", "/payroll/reject"): ("payroll.reject", _reject),
    ("GET", "/payroll/ledger"): ("payroll.ledger", lambda box, _: as_json(box.payroll.ledger())),
    ("GET", "/sales/api/health"): ("sales.health", _healthy("sales")),
    ("POST", "/sales/api/v2/orders/intake"): ("sales.orders", _take_order),
    ("GET", "/sales/ledger"): ("sales.ledger", lambda box, _: as_json(box.order_desk.ledger())),
    ("GET", "/graph/v1.0/users/delta"): ("graph.users", _users),
    ("POST", "/graph/users"): ("graph.change", _change_users),
    ("POST", "/graph/forget-links"): ("graph.forget-links", _forget_links),
    ("GET", "/graph/ledger"): ("graph.ledger", lambda box, _: as_json({"users": box.graph.users()})),
    ("GET", "/sftp/files"): ("sftp.files", _sftp_files),
    ("POST", "/sftp/faults"): ("sftp.faults", _sftp_faults),
    ("GET", "/mailbox"): ("mailbox", _mails),
    ("POST", "/mailbox/failures"): ("mailbox.failures", _fail_mails),
    ("POST", "/sendgrid/v3/mail/send"): ("sendgrid.send", _sendgrid),
    ("GET", "/sendgrid/v3/scopes"): ("sendgrid.scopes", _scopes),
    ("GET", f"/communication-services/emails/operations/{UUID(int=0)}"): (
        "communication-services.operation",
        _operation,
    ),
    ("POST", "/communication-services/emails:send"): ("communication-services.send", _communication_services),
}
