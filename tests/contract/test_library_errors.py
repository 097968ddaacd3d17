"""What libraries raise does not leave the adapters: every exception that they define becomes an error of the kernel.

The exceptions are found in the libraries' own modules, so that one that comes with an upgrade is tried too.
"""

import http.client
import importlib
import inspect
import json
import smtplib
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any

import pytest
from azure.core.credentials import AccessToken

from shared.adapters.blobs import AzureBlobs
from shared.adapters.entra import EntraGrant
from shared.adapters.http_wire import Wire, WireAnswer, WireRequest
from shared.adapters.json_web_tokens import JsonWebTokens, KeySet
from shared.adapters.key_vault import VAULT_RETRY, KeyVaultSecrets
from shared.adapters.mail_communication_services import CommunicationServicesMail
from shared.adapters.mail_smtp import SmtpMail, SmtpServer
from shared.adapters.oauth import ClientSettings, Granted
from shared.adapters.partners import Partners
from shared.adapters.queues import StorageQueues
from shared.adapters.resilience.policies import RetryPolicy
from shared.adapters.resilience.retry import Retry
from shared.adapters.resilience.retry_budget import RetryBudget
from shared.adapters.service_bus_errors import in_our_words
from shared.adapters.storage_account import StorageAccount
from shared.adapters.tables import AzureTables
from shared.adapters.webhook_channel import WebhookChannel
from shared.kernel.blob import BlobChanged, BlobMissing
from shared.kernel.errors import (
    ConfigurationError,
    ContractBroken,
    CredentialsRefused,
    HubError,
    MalformedResponse,
    NetworkFailure,
    PartnerTimeout,
    StorageRefused,
    StorageUnavailable,
    Unauthenticated,
)
from shared.kernel.mail import Mail
from tests.contract.http_client import make
from tests.fakes.blobs import MemoryBlobs
from tests.fakes.secrets import fixed
from tests.fakes.tables import MemoryTables
from tests.unit.adapters.manual_time import ManualTime

NOWHERE = (
    "DefaultEndpointsProtocol=http;AccountName=nobody;AccountKey=bm9ib2R5;"
    "BlobEndpoint=http://127.0.0.1:1/nobody;QueueEndpoint=http://127.0.0.1:1/nobody;TableEndpoint=http://127.0.0.1:1/nobody;"
)
PYTHONS_OWN = (ValueError("x"), UnicodeEncodeError("ascii", "\u00e4", 0, 1, "x"), OSError("x"), EOFError("x"))


def defined_in(module: str) -> Iterator[type[BaseException]]:
    """Yield the exceptions that a library's module defines or offers, warnings aside."""
    for _, found in inspect.getmembers(importlib.import_module(module), inspect.isclass):
        if issubclass(found, Exception) and not issubclass(found, Warning) and found.__module__ != "builtins":
            yield found


def instance_of(kind: type[BaseException]) -> BaseException:
    """Return an exception of this type, whatever it is made of."""
    made = kind.__new__(kind, "x")
    Exception.__init__(made, "x")
    for name in ("smtp_code", "status_code", "recipients", "reason", "response", "continuation_token"):
        if not hasattr(made, name):
            value: object = {"a@b.example": (550, b"no")} if name == "recipients" else None
            setattr(made, name, 550 if name == "smtp_code" else value)
    return made


def all_of(*modules: str) -> list[BaseException]:
    """Return one of each exception of these modules."""
    kinds = {kind for module in modules for kind in defined_in(module)}
    return [instance_of(kind) for kind in sorted(kinds, key=lambda kind: f"{kind.__module__}.{kind.__qualname__}")]


def named(error: BaseException) -> str:
    return f"{type(error).__module__}.{type(error).__qualname__}"


def raising(error: BaseException) -> Callable[..., Any]:
    def fail(*_: object, **__: object) -> Any:
        raise error

    return fail


HTTP = [*all_of("requests.exceptions", "urllib3.exceptions", "http.client"), *PYTHONS_OWN, zlib.error("x")]


@pytest.mark.parametrize("error", HTTP, ids=named)
@pytest.mark.parametrize("in_body", [False, True], ids=["before the answer", "in the body"])
def test_http(monkeypatch: pytest.MonkeyPatch, error: BaseException, *, in_body: bool) -> None:
    wire = Wire("erp")
    if in_body:
        from requests import Response

        response = Response()
        response.status_code, response.raw = 200, BytesIO()
        monkeypatch.setattr(wire, "_open", lambda _: response)
        monkeypatch.setattr(wire, "_body", raising(error))
    else:
        monkeypatch.setattr(wire, "_open", raising(error))
    with pytest.raises(HubError) as caught:
        wire.send(WireRequest("GET", "http://127.0.0.1:1/x", {"key": "s3cr3t"}))
    assert isinstance(caught.value, NetworkFailure | PartnerTimeout | MalformedResponse | ContractBroken)
    assert caught.value.__context__ is None


AZURE = all_of("azure.core.exceptions", "azure.storage.blob", "azure.data.tables")
STORAGE_ERRORS = [error for error in AZURE if not isinstance(error, ValueError)]
"""The others come of models of the SDK's, which these adapters do not use."""


@pytest.mark.parametrize("error", STORAGE_ERRORS, ids=named)
@pytest.mark.parametrize("status", [None, 400, 403, 503])
def test_storage(monkeypatch: pytest.MonkeyPatch, error: Any, status: int | None) -> None:
    from azure.core.pipeline import Pipeline

    monkeypatch.setattr(error, "status_code", status, raising=False)
    monkeypatch.setattr(Pipeline, "run", raising(error))
    account = StorageAccount(NOWHERE)
    container, table = AzureBlobs(account).container("things"), AzureTables(account).table("Things")
    queues = StorageQueues(account, MemoryBlobs())
    for use in (
        lambda: container.read("b"),
        lambda: container.write("b", b""),
        lambda: list(container.list()),
        lambda: table.get("p", "k"),
        lambda: table.put("p", "k", {}),
        lambda: queues.depth("things"),
    ):
        # A status with a meaning of its own for the port is no failure: nothing there, changed meanwhile.
        with suppress(StorageUnavailable, StorageRefused, BlobMissing, BlobChanged):
            use()


@pytest.mark.parametrize(
    "error", [*all_of("azure.servicebus.exceptions", "azure.core.exceptions"), *PYTHONS_OWN], ids=named
)
def test_service_bus(error: BaseException) -> None:
    with pytest.raises(HubError, match="work-items"), in_our_words("work-items"):
        raise error


@pytest.mark.parametrize(
    "error", [*all_of("azure.core.exceptions", "azure.identity"), *PYTHONS_OWN, KeyError("x")], ids=named
)
def test_key_vault(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    from azure.keyvault.secrets import SecretClient

    hands = ManualTime()
    retry = Retry(VAULT_RETRY, RetryBudget(hands.clock), sleep=hands.sleep)
    monkeypatch.setattr(SecretClient, "list_properties_of_secret_versions", raising(error))
    vault = KeyVaultSecrets("https://vault.example", NoCredential, overlap=timedelta(0), retry=retry, clock=hands.clock)
    from azure.core.exceptions import ResourceNotFoundError

    if isinstance(error, ResourceNotFoundError):
        assert vault.versions("a") == ()
        return
    with pytest.raises(HubError):
        vault.versions("a")


class NoCredential:
    def get_token(self, *_: str, **__: object) -> AccessToken:
        raise AssertionError("nobody asks")


def smtp(username: str = "", password: str = "") -> SmtpMail:
    hands = ManualTime()
    partners = Partners(MemoryTables(), "t", hands.clock, hands.sleep)
    retry = Retry(RetryPolicy(0, 0, 0), RetryBudget(hands.clock), sleep=hands.sleep)
    server = SmtpServer("mail.example", 25, starttls=False, username=username, password=fixed(password))
    return SmtpMail(server, hands.clock, retry=retry, breaker=partners.breaker("e-mail"))


MAIL = Mail("a@b.example", "c@d.example", "Hello", "text", "<p>", "<00000000-0000-0000-0000-000000000000@b.example>")


@pytest.mark.parametrize("error", [*all_of("smtplib"), *PYTHONS_OWN, UnicodeError("label too long")], ids=named)
def test_smtp(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    monkeypatch.setattr(smtplib, "SMTP", raising(error))
    with pytest.raises(HubError):
        smtp().send(MAIL)


def test_an_access_key_that_is_no_base64_is_for_the_operator() -> None:
    gateway = CommunicationServicesMail(
        make("http://127.0.0.1:1"), "http://127.0.0.1:1", fixed("no base64"), lambda: datetime(2025, 1, 15, tzinfo=UTC)
    )
    with pytest.raises(CredentialsRefused, match="MAIL_ACS_ACCESS_KEY"):
        gateway.send(MAIL)


@pytest.mark.parametrize("url", ["http://[bad/x", "https://chat.example/a b", "https://chat.example/a/../b"])
def test_a_webhook_that_is_no_url_is_for_the_operator(url: str) -> None:
    with pytest.raises(CredentialsRefused, match="no URL that can be called"):
        WebhookChannel(fixed(url), make).post({"id": "1"}, idempotency_key="1")


def answered(content: object, status: int = 200) -> WireAnswer:
    return WireAnswer(status, {"content-type": "application/json"}, json.dumps(content).encode(), 0.0)


ENDPOINTS = {
    "authorization_endpoint": "https://login.example/a",
    "token_endpoint": "https://login.example/t",
    "issuer": "https://login.example/tenant",
}


def granted_by_entra(monkeypatch: pytest.MonkeyPatch, endpoints: object, token: object) -> Granted:
    """Return what the grant makes of what the tenant's endpoints and the token endpoint answer."""
    settings = ClientSettings("https://login.example/tenant", "hub", fixed("s"), "x/.default", ("A", "B"))
    wire, answers = Wire("identity"), {"GET": answered(endpoints), "POST": answered(token)}
    monkeypatch.setattr(wire, "send", lambda request, **_: answers[request.method])
    return EntraGrant("identity", settings, wire, ManualTime().clock)("s")


ODD: tuple[object, ...] = ([], 7, "x", None, {}, {"token_endpoint": 7}, {"error": None}, {"access_token": [1]})


@pytest.mark.parametrize("content", ODD, ids=repr)
def test_an_identity_provider_that_answers_something_else(monkeypatch: pytest.MonkeyPatch, content: object) -> None:
    """MSAL, for the tenant's endpoints and for the token itself."""
    for first in (content, ENDPOINTS):
        with pytest.raises(HubError):
            granted_by_entra(monkeypatch, first, content)


@pytest.mark.parametrize("life", [{}, {"expires_in": None}, {"expires_in": ""}, {"expires_in": -1}], ids=repr)
def test_a_token_of_entra_need_not_say_how_long_it_lives(monkeypatch: pytest.MonkeyPatch, life: dict[str, Any]) -> None:
    """RFC 6749, 5.1. What else the answer holds is not looked at."""
    token = {"access_token": "abc", "token_type": "Bearer", "id_token": "odd", "client_info": 7, "scope": None}
    assert granted_by_entra(monkeypatch, ENDPOINTS, token | life) == Granted("abc", 300)


@pytest.mark.parametrize("error", [*all_of("jwt.exceptions"), *PYTHONS_OWN, OverflowError(), TypeError()], ids=named)
def test_access_tokens(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    import jwt

    hands = ManualTime()
    tokens = JsonWebTokens("i", "a", KeySet("http://127.0.0.1:1", hands.clock))
    monkeypatch.setattr(jwt, "get_unverified_header", raising(error))
    with pytest.raises(Unauthenticated):
        tokens.claims("a.b.c")


@pytest.mark.parametrize("keys", [[], 7, {"keys": 7}, {"keys": [7]}, {"keys": [{"kty": "RSA", "n": 1}]}], ids=repr)
def test_keys_that_are_none(monkeypatch: pytest.MonkeyPatch, keys: object) -> None:
    from jwt import PyJWKClient

    monkeypatch.setattr(PyJWKClient, "fetch_data", lambda _: keys)
    with pytest.raises(NetworkFailure):
        KeySet("http://127.0.0.1:1", ManualTime().clock).key("k")


def test_a_login_that_smtp_cannot_send_is_for_the_operator(monkeypatch: pytest.MonkeyPatch) -> None:
    class Server:
        def __init__(self, *_: object) -> None:
            pass

        def login(self, _: str, password: str) -> None:
            password.encode("ascii")

        def __getattr__(self, _: str) -> Callable[[], None]:
            return lambda: None

    monkeypatch.setattr(smtplib, "SMTP", Server)
    with pytest.raises(ConfigurationError, match="MAIL_SMTP_PASSWORD"):
        smtp("hub", "gr\u00fcn").send(MAIL)


def test_the_libraries_have_what_is_walked() -> None:
    assert {http.client.HTTPException, http.client.LineTooLong} <= set(defined_in("http.client"))
    assert len(HTTP) > 60
