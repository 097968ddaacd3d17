"""Every source of tokens keeps the same promise: client credentials by form, and through MSAL for Entra ID (INC-32)."""

import logging
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from local.free_ports import free_port
from local.sandbox.faults import Fault
from local.sandbox.server import Sandbox
from shared.adapters.entra import EntraGrant
from shared.adapters.http import PartnerClient
from shared.adapters.http_wire import MAX_BODY, Wire, WireAnswer, WireRequest
from shared.adapters.oauth import ClientCredentials, ClientSettings, FormGrant, TokenSource
from shared.adapters.partners import Partners
from shared.adapters.resilience.policies import RetryPolicy
from shared.adapters.resilience.retry import Retry
from shared.adapters.resilience.retry_budget import RetryBudget
from shared.adapters.settings import Settings
from shared.kernel.errors import (
    ConfigurationError,
    CredentialsRefused,
    MalformedResponse,
    NetworkFailure,
    RateLimited,
    ServerFailure,
)
from shared.kernel.secret import Secret
from tests.fakes.secrets import fixed, rotated
from tests.fakes.tables import MemoryTables
from tests.unit.adapters.manual_time import ManualTime

HOST = "https://login.example.com"
AUTHORITY = f"{HOST}/identity"
NAMES = ("ERP_CLIENT_ID", "ERP_CLIENT_SECRET")
GOOD, SCOPE = "erp-secret", "erp/.default"


class WireToSandbox(Wire):
    """Lets the sandbox play the authority: MSAL takes no address without TLS, neither given nor discovered."""

    def __init__(self, url: str) -> None:
        super().__init__("erp-identity")
        self._url = url

    def send(
        self, request: WireRequest, *, max_body: int = MAX_BODY, accept: Collection[int] = frozenset()
    ) -> WireAnswer:
        url = request.url.replace(HOST, self._url)
        answer = super().send(replace(request, url=url), max_body=max_body, accept=accept)
        return replace(answer, body=answer.body.replace(self._url.encode(), HOST.encode()))


@dataclass
class Case:
    """A source of tokens, and the sandbox that gives them."""

    sandbox: Sandbox
    time: ManualTime
    make: Callable[..., TokenSource]

    def fail(self, **fault: object) -> None:
        self.sandbox.faults.add([Fault(route="identity.token", **fault)])  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture(params=["form", "msal"])
def case(request: pytest.FixtureRequest, sandbox: Sandbox) -> Iterator[Case]:
    time, wire = ManualTime(), WireToSandbox(sandbox.url)

    def make(secret: Secret | None = None, client_id: str = "hub-erp") -> TokenSource:
        if request.param == "form":
            url = f"{sandbox.url}/identity/oauth2/v2.0/token"
            settings = ClientSettings(url, client_id, secret or fixed(GOOD), SCOPE, ("ERP_TOKEN_URL", *NAMES))
            return ClientCredentials("erp-identity", settings, wire=wire, clock=time.clock)
        settings = ClientSettings(AUTHORITY, client_id, secret or fixed(GOOD), SCOPE, ("ERP_AUTHORITY", *NAMES))
        return ClientCredentials("erp-identity", settings, grant=EntraGrant, wire=wire, clock=time.clock)

    yield Case(sandbox, time, make)
    sandbox.faults.clear()
    wire.close()


def test_the_partner_accepts_the_token(case: Case) -> None:
    assert case.sandbox.identity.accepts(case.make().token(), "erp")


def test_a_token_is_kept_until_a_minute_before_its_end(case: Case) -> None:
    source = case.make()
    first = source.token()
    case.time.advance(3539)
    assert source.token() == first
    case.time.advance(2)
    assert source.token() != first


def test_an_invalidated_token_is_fetched_anew_and_only_that_one(case: Case) -> None:
    source = case.make()
    first = source.token()
    source.invalidate(first)
    second = source.token()
    assert second != first
    source.invalidate(first)
    assert source.token() == second


def test_many_threads_fetch_once(case: Case) -> None:
    source, before = case.make(), case.sandbox.identity.issued
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(lambda _: source.token(), range(8)))) == 1
    assert case.sandbox.identity.issued == before + 1


def test_a_partner_that_says_401_gets_a_new_token(case: Case) -> None:
    retry = Retry(RetryPolicy(0, 1, 1), RetryBudget(case.time.clock), sleep=case.time.sleep)
    url, wire = f"{case.sandbox.url}/erp", Wire("erp")
    erp = PartnerClient("erp", url, wire=wire, retry=retry, tokens=case.make(), clock=case.time.clock)
    params = {"date": "2025-01-15", "page": "1", "pageSize": "1"}
    erp.get_json("/api/v1/sales", params)
    case.sandbox.identity.revoke_all()
    assert erp.get_json("/api/v1/sales", params)["data"]
    wire.close()


def test_a_rotated_secret_is_taken_up_at_once(case: Case) -> None:
    """RES-11: the provider knows the old one no more; the vault is asked, and the new one opens."""
    source = case.make(rotated("the old one", GOOD))
    assert case.sandbox.identity.accepts(source.token(), "erp")


def test_wrong_credentials_are_for_the_operator_and_may_be_mended_at_once(case: Case) -> None:
    with pytest.raises(CredentialsRefused, match="invalid_client") as caught:
        case.make(fixed("wr0ng")).token()
    assert {problem.field for problem in caught.value.problems} > set(NAMES)
    assert "wr0ng" not in str(caught.value)
    with pytest.raises(CredentialsRefused):
        case.make(client_id="nobody").token()
    assert case.make().token()


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"kind": "status", "status": 503}, ServerFailure),
        ({"kind": "status", "status": 429, "retry_after": "7"}, RateLimited),
        ({"kind": "not-json"}, MalformedResponse),
        ({"kind": "cut-json"}, MalformedResponse),
    ],
    ids=["503", "429", "HTML", "torn"],
)
def test_a_failure_is_told_and_the_next_try_is_a_real_one(
    case: Case, fault: dict[str, object], error: type[ServerFailure | RateLimited | MalformedResponse]
) -> None:
    source = case.make()
    case.fail(**fault)
    with pytest.raises(error) as caught:
        source.token()
    assert caught.value.partner == "erp-identity"
    assert caught.value.retry_after == (7 if "retry_after" in fault else None)
    assert source.token()


def test_nothing_secret_is_logged_or_shown(case: Case, caplog: pytest.LogCaptureFixture) -> None:
    """RES-12: whatever the libraries say at their most talkative."""
    caplog.set_level(logging.DEBUG)
    source = case.make()
    token = source.token()
    with pytest.raises(CredentialsRefused):
        case.make(fixed("wr0ng")).token()
    shown = f"{caplog.text}{source!r}{vars(source)!r}"
    assert token not in shown
    assert GOOD not in shown
    assert "wr0ng" not in shown


def test_a_tenant_that_is_not_there(sandbox: Sandbox) -> None:
    settings = ClientSettings(f"{AUTHORITY}/nowhere", "hub-erp", fixed(GOOD), SCOPE, ("ERP_AUTHORITY", *NAMES))
    with pytest.raises(ConfigurationError, match="ERP_AUTHORITY: is no authority with such a tenant"):
        ClientCredentials("erp-identity", settings, grant=EntraGrant, wire=WireToSandbox(sandbox.url)).token()


def test_an_authority_that_is_away() -> None:
    settings = ClientSettings(AUTHORITY, "hub-erp", fixed(GOOD), SCOPE, ("ERP_AUTHORITY", *NAMES))
    with pytest.raises(NetworkFailure):
        ClientCredentials(
            "erp-identity", settings, grant=EntraGrant, wire=WireToSandbox(f"http://127.0.0.1:{free_port()}")
        ).token()


@pytest.mark.parametrize(("setting", "kind"), [("ERP_TOKEN_URL", FormGrant), ("ERP_AUTHORITY", EntraGrant)])
def test_the_settings_choose_the_source(setting: str, kind: type[object]) -> None:
    time = ManualTime()
    given = {"ERP_BASE_URL": "https://erp.example.com", "ERP_CLIENT_ID": "hub", "ERP_CLIENT_SECRET": "secret"}
    given["ERP_SCOPE"] = SCOPE
    settings = Settings(given | {setting: "https://login.microsoftonline.com/tenant"})
    source = Partners(MemoryTables(), "acme", time.clock, time.sleep).tokens("erp", settings.erp)
    assert isinstance(source, ClientCredentials)
    assert type(source._fetch) is kind


def test_msal_is_loaded_with_the_first_token_and_no_earlier() -> None:
    script = "import sys, shared.adapters.partners, shared.hub; print('msal' in sys.modules)"
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
