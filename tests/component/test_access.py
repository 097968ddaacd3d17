"""INC-30, INC-31, INC-34: every route against every kind of token, with real keys over HTTP."""

import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import azure.functions as func
import jwt
import pytest
from cryptography.hazmat.primitives import serialization

from functions.answering import SECURITY_HEADERS, respond
from functions.http_routes import ENDPOINTS
from functions.partner_contract import respond_to_partner
from local.sandbox.generator import Shape
from local.sandbox.server import Sandbox
from shared.access.principal import ADMIN
from shared.access.routes import ROUTES, Route
from shared.adapters.json_web_tokens import COOL_DOWN
from shared.hub import Hub, replaced_hub
from shared.kernel.errors import NetworkFailure, Unauthenticated
from tests.component.import_hub import environment
from tests.fakes.blobs import MemoryBlobs
from tests.fakes.queues import MemoryQueues
from tests.fakes.tables import MemoryTables

USERS = ("admin", "approver", "admin-app", "approver-app", "reader", "stranger")
"""An Admin and an Approver themselves; an app that acts for an Admin and was granted to read employees; one that acts
for an Approver and was granted to read calculations and to approve; one with the scopes to read; one with nothing."""

ADMINS = {"admin", "admin-app"}
EMPLOYEE_READERS = {*ADMINS, "reader"}
CALCULATION_READERS = {*ADMINS, "approver", "approver-app", "reader"}
DECIDERS = {"admin", "approver", "approver-app"}
MAY = {route.function: ADMINS if route.method == "GET" else {"admin"} for route in ROUTES} | {
    "ListEmployees": EMPLOYEE_READERS,
    "GetEmployee": EMPLOYEE_READERS,
    "ListCalculations": CALCULATION_READERS,
    "GetCalculation": CALCULATION_READERS,
    "Trace": CALCULATION_READERS,
    "ApproveCalculation": DECIDERS,
    "ApproveCalculations": DECIDERS,
    "RejectCalculation": DECIDERS,
    "RejectCalculations": DECIDERS,
}
"""Function -> who may call it: what INC-31 demands, written down apart from the table that enforces it."""

CLOSED = [route for route in ROUTES if not route.requirement.anonymous]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(Shape(records=10)) as running:
        yield running


@pytest.fixture
def hub(sandbox: Sandbox) -> Iterator[Hub]:
    hub = Hub(environment(sandbox), sleep=lambda _: None)
    hub.__dict__["tables"] = MemoryTables()
    hub.__dict__["blobs"] = blobs = MemoryBlobs()
    hub.__dict__["queues"] = MemoryQueues(hub.clock, blobs)
    with replaced_hub(hub):
        yield hub


def call(route: Route, token: str | None, *, method: str | None = None, body: bytes = b"{}", **more: Any) -> Any:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    request = func.HttpRequest(
        method=method or route.method,
        url=f"http://127.0.0.1/api/{route.path}",
        headers=headers | more.pop("headers", {}),
        params=more.pop("params", {}),
        route_params={"id": "unknown", "adapterId": "unknown", "employeeId": "unknown", "period": "2025-01"},
        body=body,
    )
    module, name = ENDPOINTS[route.function].split(".")
    endpoint = getattr(__import__(f"functions.endpoints.{module}", fromlist=[name]), name)
    answer = respond_to_partner if route.contract else respond
    return answer(route, more.pop("endpoint", endpoint), request)


def handmade(header: dict[str, Any], claims: dict[str, Any], secret: bytes) -> str:
    """Return a token as an attacker makes one, without a library that refuses to."""

    def part(content: bytes) -> str:
        return urlsafe_b64encode(content).decode().rstrip("=")

    signed = f"{part(json.dumps(header).encode())}.{part(json.dumps(claims).encode())}"
    return f"{signed}.{part(hmac.digest(secret, signed.encode(), 'sha256')) if secret else ''}"


def forged(sandbox: Sandbox, kind: str) -> str:
    """Return a token that is wrong in one way."""
    identity, now = sandbox.identity, datetime.now(UTC)
    later = now + timedelta(hours=1)
    if kind in OVERRIDES:
        return identity.token("admin", **OVERRIDES[kind](now))
    key_id, key = next(reversed(identity._keys.items()))
    claims: dict[str, Any] = {"sub": "admin", "aud": "api://dsif-api", "iss": identity.issuer, "roles": [ADMIN]}
    claims |= {"iat": int(now.timestamp()), "exp": int(later.timestamp())}
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    made: dict[str, Callable[[], str]] = {
        "alg none": lambda: handmade({"alg": "none", "kid": key_id}, claims, b""),
        "HS256 with the public key": lambda: handmade({"alg": "HS256", "kid": key_id}, claims, public),
        "unknown key": lambda: jwt.encode(claims, key, algorithm="RS256", headers={"kid": "made-up"}),
        "no key ID": lambda: jwt.encode(claims, key, algorithm="RS256"),
        "signature of another token": lambda: identity.token("admin")[:-20] + identity.token("reader")[-20:],
        "garbage": lambda: "not.a.token",
        "oversize": lambda: "x" * 20_000,
    }
    return made[kind]()


OVERRIDES: dict[str, Callable[[datetime], dict[str, Any]]] = {
    "expired": lambda now: {"exp": now - timedelta(minutes=5)},
    "not yet valid": lambda now: {"nbf": now + timedelta(minutes=5)},
    "other audience": lambda _now: {"aud": "api://another"},
    "other issuer": lambda _now: {"iss": "https://evil.example/v2.0"},
    "no expiry": lambda _now: {"exp": None},
    "no subject": lambda _now: {"sub": None},
}
BAD = [
    *OVERRIDES,
    "alg none",
    "HS256 with the public key",
    "unknown key",
    "no key ID",
    "signature of another token",
    "garbage",
    "oversize",
]


@pytest.mark.parametrize("kind", BAD)
@pytest.mark.parametrize("route", CLOSED, ids=lambda route: route.function)
def test_a_bad_token_is_refused_everywhere(hub: Hub, sandbox: Sandbox, route: Route, kind: str) -> None:
    answer = call(route, forged(sandbox, kind))
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert SECURITY_HEADERS.items() <= dict(answer.headers).items()


@pytest.mark.parametrize("route", CLOSED, ids=lambda route: route.function)
def test_no_token_and_a_token_without_the_role_are_refused_everywhere(hub: Hub, sandbox: Sandbox, route: Route) -> None:
    assert call(route, None).status_code == 401
    for user in USERS:
        status = call(route, sandbox.identity.token(user)).status_code
        assert (status == 403) is (user not in MAY[route.function]), user


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.function)
def test_options_needs_no_token_and_every_answer_has_the_security_headers(
    hub: Hub, sandbox: Sandbox, route: Route
) -> None:
    answer = call(route, None, method="OPTIONS")
    assert answer.status_code == 204
    for one in (answer, call(route, sandbox.identity.token("admin"))):
        assert SECURITY_HEADERS.items() <= dict(one.headers).items()
        assert one.status_code != 500


@pytest.mark.parametrize(
    "header", ["", "Basic YTpi", "Bearer", "Bearer  ", "token", "Bearer a, Bearer b"], ids=lambda text: text or "none"
)
def test_anything_but_one_bearer_token_is_refused(hub: Hub, header: str) -> None:
    with pytest.raises(Unauthenticated):
        hub.access_tokens.principal(header)


def test_made_up_key_ids_do_not_hammer_the_identity_provider(sandbox: Sandbox) -> None:
    now = datetime.now(UTC)
    hub = Hub(environment(sandbox), clock=lambda: now)
    hub.access_tokens.principal(f"Bearer {sandbox.identity.token('admin')}")
    before = sandbox.requests["identity.keys 200"]
    for _ in range(50):
        with pytest.raises(Unauthenticated, match="unknown key"):
            hub.access_tokens.principal(f"Bearer {forged(sandbox, 'unknown key')}")
    assert sandbox.requests["identity.keys 200"] == before


def test_a_rotated_key_is_taken_up_after_the_cool_down(sandbox: Sandbox) -> None:
    now = datetime.now(UTC)
    hub = Hub(environment(sandbox), clock=lambda: now)
    hub.access_tokens.principal(f"Bearer {sandbox.identity.token('admin')}")
    sandbox.identity.rotate()
    now += COOL_DOWN
    assert hub.access_tokens.principal(f"Bearer {sandbox.identity.token('admin')}").roles == {ADMIN}


def test_an_identity_provider_that_is_down_is_503_until_its_keys_are_known(hub: Hub, sandbox: Sandbox) -> None:
    token = sandbox.identity.token("admin")
    down = Hub(environment(sandbox) | {"AUTH_JWKS_URL": "http://127.0.0.1:9/keys"})
    with pytest.raises(NetworkFailure), replaced_hub(down):
        down.access_tokens.principal(f"Bearer {token}")


def test_what_went_wrong_inside_stays_inside(hub: Hub, sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    def fails(_hub: Hub, _request: Any) -> Any:
        raise RuntimeError("the password is hunter2")

    answer = call(ROUTES[0], sandbox.identity.token("admin"), endpoint=fails)
    assert answer.status_code == 500
    assert b"hunter2" not in answer.get_body()
    assert answer.headers["X-Request-ID"].encode() in answer.get_body()
    assert "hunter2" in caplog.text


@pytest.mark.parametrize(
    ("params", "field"),
    [({"pageSize": "0"}, "pageSize"), ({"pageSize": "many"}, "pageSize"), ({"pageToken": "forged"}, "pageToken")],
)
def test_bad_paging_is_refused_by_name(hub: Hub, sandbox: Sandbox, params: dict[str, str], field: str) -> None:
    route = next(one for one in ROUTES if one.function == "ListImports")
    answer = call(route, sandbox.identity.token("admin"), params=params)
    assert answer.status_code == 400
    assert f'"field": "{field}"'.encode() in answer.get_body()


def test_a_body_above_one_megabyte_is_refused(hub: Hub, sandbox: Sandbox) -> None:
    answer = call(ROUTES[0], sandbox.identity.token("admin"), body=b" " * (1024 * 1024 + 1))
    assert answer.status_code == 413
