"""One HTTP exchange, bounded in every direction: connect, read, total time, body size. Nothing is followed or retried.

What goes wrong on the wire becomes an error of the kernel's tree whose text holds no query, header or body.
"""

import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from threading import local
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from weakref import WeakSet

from shared.kernel.errors import ContractBroken, MalformedResponse, NetworkFailure, PartnerError, PartnerTimeout

if TYPE_CHECKING:
    from requests import PreparedRequest, Response, Session

MAX_BODY = 32 * 1024 * 1024
"""Bytes of a body after decompression, where a call names no other limit."""
MAX_REFUSAL_BODY = 64 * 1024
"""Bytes kept of the body of an answer that is no success."""
_PIECE = 64 * 1024


@dataclass(frozen=True)
class Timeouts:
    """Seconds: to connect, between two pieces of an answer, and for the whole exchange, whatever it consists of.

    A partner that ends the connection after its answer may exceed `total` by one wait for a piece.
    """

    connect: float = 10.0
    read: float = 30.0
    total: float = 30.0


@dataclass(frozen=True)
class WireRequest:
    """A request as it is sent. Its text shows neither address, headers nor body: they may hold secrets.

    `params` as text is a query that is sent as it is.
    """

    method: str
    url: str = field(repr=False)
    params: Mapping[str, str] | str = field(default_factory=dict, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)
    name: str = ""

    @property
    def label(self) -> str:
        """The name, else method and path, for messages and metrics."""
        return self.name or f"{self.method} {urlsplit(self.url).path}"


@dataclass(frozen=True)
class WireAnswer:
    """An answer: status, headers by lower-case name, body after decompression, and how long it took in seconds."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    seconds: float

    @property
    def content_type(self) -> str:
        """The media type in lower case without parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


class Wire:
    """The connections to one partner: a pooled session per thread, no proxies and no cookies from anywhere."""

    def __init__(
        self,
        partner: str,
        timeouts: Timeouts | None = None,
        *,
        ca_bundle: str | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Connect to nothing yet. `partner` is the adapter ID that errors name; `ca_bundle` a file of own CAs."""
        self._partner = partner
        self._timeouts = timeouts or Timeouts()
        self._ca_bundle = ca_bundle
        self._monotonic = monotonic
        self._mine = local()
        self._sessions: WeakSet[Session] = WeakSet()

    def send(
        self, request: WireRequest, *, max_body: int = MAX_BODY, accept: Collection[int] = frozenset()
    ) -> WireAnswer:
        """Return whatever the partner answers; the body of a status that is neither 2xx nor accepted is cut short.

        NetworkFailure, PartnerTimeout, MalformedResponse (torn or undecodable), ContractBroken (larger than max_body).
        """
        import zlib
        from http.client import HTTPException

        from requests import RequestException
        from urllib3.exceptions import HTTPError

        began = self._monotonic()
        in_body = False
        try:
            with self._open(request) as response:
                in_body = True
                body = self._body(request, response, began, max_body, accept)
                headers = {name.lower(): value for name, value in response.headers.items()}
                return WireAnswer(response.status_code, headers, body, self._monotonic() - began)
        except (RequestException, HTTPError, HTTPException, OSError, EOFError, ValueError, zlib.error) as error:
            failure = self._failure(request, error, in_body=in_body)
        # Outside the handler, so that the library's error with the full URL is not chained to ours.
        raise failure

    def close(self) -> None:
        """Close the connections of all threads; the next call opens new ones."""
        for session in list(self._sessions):
            session.close()

    def _open(self, request: WireRequest) -> "Response":
        from requests import Request
        from urllib3 import Timeout

        given = self._timeouts
        session = self._session()
        prepared: PreparedRequest = session.prepare_request(
            Request(request.method, request.url, params=request.params, headers=request.headers, data=request.body)
        )
        # Straight to the adapter: Session.send prepares the next request of a redirect even when it is not followed,
        # and reads the whole body for it, without our limits.
        return session.get_adapter(request.url).send(
            prepared,
            stream=True,
            timeout=Timeout(connect=given.connect, read=given.read, total=given.total),  # type: ignore[arg-type]
            verify=self._ca_bundle or True,
        )

    def _body(
        self, request: WireRequest, response: "Response", began: float, max_body: int, accept: Collection[int]
    ) -> bytes:
        from urllib3.exceptions import HTTPError

        if (response.ok and response.status_code < 300) or response.status_code in accept:
            return self._read(request, response, began, max_body)
        with suppress(HTTPError, OSError, PartnerError):  # the status says all that is needed
            return self._read(request, response, began, MAX_REFUSAL_BODY)
        return b""

    def _read(self, request: WireRequest, response: "Response", began: float, limit: int) -> bytes:
        length = response.headers.get("Content-Length", "")
        if length.isdigit() and int(length[:18]) > limit:
            raise ContractBroken(self._partner, f"{request.label} announces a body above the limit of {limit} bytes")
        pieces = bytearray()
        self._bound(request, response, began)
        # read1 returns after one read from the socket: a body that drips cannot outlive the total time.
        while piece := response.raw.read1(_PIECE, decode_content=True):
            pieces += piece
            if len(pieces) > limit:
                raise ContractBroken(self._partner, f"{request.label} sends a body above the limit of {limit} bytes")
            self._bound(request, response, began)
        return bytes(pieces)

    def _bound(self, request: WireRequest, response: "Response", began: float) -> None:
        """Give the next read what is left of the total time. PartnerTimeout when that is nothing."""
        total = self._timeouts.total
        left = total - (self._monotonic() - began)
        if left <= 0:
            raise PartnerTimeout(self._partner, f"{request.label}: the answer took longer than {total:g} s")
        sock = getattr(response.raw.connection, "sock", None)
        if sock:  # none where the connection ends with this answer
            sock.settimeout(min(left, self._timeouts.read))

    def _session(self) -> "Session":
        session: Session | None = getattr(self._mine, "session", None)
        if session is None:
            session = self._mine.session = _new_session()
            self._sessions.add(session)
        return session

    def _failure(self, request: WireRequest, error: Exception, *, in_body: bool) -> PartnerError:
        import requests
        from urllib3 import exceptions

        def caused_by(*types: type[BaseException]) -> bool:
            return isinstance(error, types) or any(isinstance(inner, types) for inner in _inside(error))

        kind = type(error).__name__
        text = f"{request.label}: {kind}"
        if caused_by(exceptions.NewConnectionError):  # refused or unresolved; the library files it under timeouts
            return NetworkFailure(self._partner, text)
        if caused_by(requests.Timeout, exceptions.TimeoutError, TimeoutError):
            return PartnerTimeout(self._partner, text)
        if in_body and not caused_by(ConnectionError):
            return MalformedResponse(self._partner, f"{request.label}: the body is torn or cannot be decoded")
        if isinstance(error, ValueError) or caused_by(
            requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema
        ):
            return ContractBroken(self._partner, f"{request.label}: address or headers are not usable ({kind})")
        return NetworkFailure(self._partner, text)


def _inside(error: BaseException) -> list[BaseException]:
    """The errors that a library packed into this one, outermost first."""
    found: list[BaseException] = []
    queue: list[object] = [*error.args, getattr(error, "reason", None), error.__cause__]
    while queue and len(found) < 10:
        item = queue.pop(0)
        if isinstance(item, BaseException) and item not in found:
            found.append(item)
            queue += [*item.args, getattr(item, "reason", None), item.__cause__]
    return found


def _new_session() -> "Session":
    from http.cookiejar import DefaultCookiePolicy

    from requests import Session
    from requests.adapters import HTTPAdapter

    session = Session()
    session.trust_env = False
    session.headers.clear()
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(pool_connections=2, pool_maxsize=2, max_retries=0))
    return session
