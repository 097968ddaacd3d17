"""A vault on a real socket over TLS, with the answers of Key Vault's REST interface, its challenge included.

It shows a certificate for `hub-test.vault.azure.net`; `transport()` goes there as if the name led to this machine.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from http.server import BaseHTTPRequestHandler
from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from azure.core.pipeline.transport import RequestsTransport
from requests import PreparedRequest, Response, Session
from requests.adapters import HTTPAdapter

from local.loopback_http import LoopbackHttp
from tests.certificates import Certificate
from tests.fakes.azure_credential import TOKEN

HOST = "hub-test.vault.azure.net"
URL = f"https://{HOST}"
TENANT = "00000000-1111-2222-3333-444444444444"


@dataclass
class StoredVersion:
    """A version as the vault keeps it; times in Unix seconds."""

    value: str
    number: str
    created: int
    enabled: bool = True
    not_before: int | None = None
    expires: int | None = None

    def attributes(self) -> dict[str, Any]:
        times = {"nbf": self.not_before, "exp": self.expires}
        given = {name: value for name, value in times.items() if value is not None}
        fixed = {"enabled": self.enabled, "created": self.created, "updated": self.created}
        return fixed | given | {"recoveryLevel": "Recoverable+Purgeable"}


@dataclass
class Forced:
    """An answer that is given instead of the right one."""

    status: int
    code: str = "Forced"
    headers: Mapping[str, str] = field(default_factory=dict)


class KeyVaultStandIn:
    """Holds secrets with versions; page size 2, so that every listing of more has pages."""

    def __init__(self, certificate: Certificate) -> None:
        self.secrets: dict[str, list[StoredVersion]] = {}
        self.requests: list[str] = []
        self.forced: list[Forced] = []
        self.deleted_when_read: set[str] = set()
        self.missing_lists_nothing = True
        self._certificate = certificate
        self._http = LoopbackHttp(_handler(self), tls=certificate.of_server())

    def __enter__(self) -> "KeyVaultStandIn":
        self._http.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.__exit__(kind, error, trace)

    def put(self, name: str, value: str, created: datetime, **more: Any) -> StoredVersion:
        """Add a version."""
        versions = self.secrets.setdefault(name, [])
        # Numbers are random, and a listing is in their order, not in that of time.
        number = sha256(f"{name} {len(versions)}".encode()).hexdigest()[:32]
        version = StoredVersion(value, number, int(created.timestamp()), **more)
        versions.append(version)
        versions.sort(key=lambda one: one.number)
        return version

    def transport(self) -> RequestsTransport:
        """Return a transport of the SDK that comes here and trusts nobody else."""
        session = Session()
        session.trust_env = False
        session.mount("https://", _ToLoopback(self._http.port))
        return RequestsTransport(session=session, connection_verify=str(self._certificate.file))

    def answer(self, path: str, query: Mapping[str, str], token: str) -> tuple[int, dict[str, Any], Mapping[str, str]]:
        """Return status, body and headers."""
        self.requests.append(path if token else f"{path} (no token)")
        if token != f"Bearer {TOKEN}":
            reason = 'error="invalid_token", ' if token else ""
            login = f"https://login.microsoftonline.com/{TENANT}"
            challenge = f'Bearer {reason}authorization="{login}", resource="https://vault.azure.net"'
            body = _error("Unauthorized", "AKV10000: Request is missing a Bearer or PoP token.")
            return 401, body, {"WWW-Authenticate": challenge}
        if self.forced:
            forced = self.forced.pop(0)
            return forced.status, _error(forced.code, "forced"), forced.headers
        if not query.get("api-version"):
            return 400, _error("BadParameter", "api-version must be specified"), {}
        _, collection, name, *rest = path.split("/")
        versions = self.secrets.get(name, [])
        if collection != "secrets" or not rest:
            return 404, _error("NotFound", "there is nothing here"), {}
        if rest == ["versions"]:
            return self._listed(name, versions, int(query.get("$skiptoken", "0")))
        return self._read(name, next((one for one in versions if one.number == rest[0]), None))

    def _listed(self, name: str, versions: list[StoredVersion], at: int) -> tuple[int, dict[str, Any], dict[str, str]]:
        if not versions and not self.missing_lists_nothing:
            return _not_found(name)
        items = [{"id": f"{URL}/secrets/{name}/{one.number}", "attributes": one.attributes()} for one in versions]
        more = f"{URL}/secrets/{name}/versions?api-version=7.6&$skiptoken={at + 2}" if at + 2 < len(items) else None
        return 200, {"value": items[at : at + 2], "nextLink": more}, {}

    def _read(self, name: str, version: StoredVersion | None) -> tuple[int, dict[str, Any], dict[str, str]]:
        if version is None or name in self.deleted_when_read:
            return _not_found(name)
        if not version.enabled:
            body = _error("Forbidden", "Operation get is not allowed on a disabled secret.", inner="SecretDisabled")
            return 403, body, {}
        place = f"{URL}/secrets/{name}/{version.number}"
        return 200, {"value": version.value, "id": place, "attributes": version.attributes()}, {}


def _error(code: str, message: str, inner: str = "") -> dict[str, Any]:
    return {"error": {"code": code, "message": message} | ({"innererror": {"code": inner}} if inner else {})}


def _not_found(name: str) -> tuple[int, dict[str, Any], dict[str, str]]:
    return 404, _error("SecretNotFound", f"A secret with (name/id) {name} was not found in this key vault."), {}


class _ToLoopback(HTTPAdapter):
    """Connects to this machine, and wants the certificate of whom it was sent to."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self._port = port

    def send(self, request: PreparedRequest, *args: Any, **options: Any) -> Response:
        request.headers["Host"] = str(urlsplit(request.url).hostname)
        return super().send(request, *args, **options)

    def build_connection_pool_key_attributes(self, request: PreparedRequest, verify: Any, cert: Any = None) -> Any:
        host, tls = super().build_connection_pool_key_attributes(request, verify, cert)
        name = {"server_hostname": host["host"], "assert_hostname": host["host"]}
        return dict(host) | {"host": "127.0.0.1", "port": self._port}, dict(tls) | name


def _handler(vault: KeyVaultStandIn) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            token = self.headers.get("Authorization", "")
            status, body, headers = vault.answer(parts.path, dict(parse_qsl(parts.query)), token)
            content = json.dumps(body).encode()
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    return Handler
