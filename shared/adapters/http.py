"""The one HTTP client for all partners: bounded, authenticated, retried by type, behind breaker and rate limit.

Order: retry( token, breaker( rate limit( send))). A partner module only says what is particular to the partner.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from shared.adapters.http_errors import error_of
from shared.adapters.http_json import read_answer
from shared.adapters.http_redirects import FOLLOWED, MAX_REDIRECTS, origin_of, redirected
from shared.adapters.http_wire import MAX_BODY, Wire, WireAnswer, WireRequest
from shared.adapters.logs import current_correlation_id
from shared.adapters.oauth import TokenSource
from shared.adapters.resilience.retry import Retry
from shared.adapters.resilience.retry_after import retry_after_seconds
from shared.adapters.telemetry.current import current_traceparent
from shared.adapters.telemetry.partner_calls import PartnerCall, PartnerCalls
from shared.adapters.telemetry.telemetry import Telemetry
from shared.kernel.clock import Clock, utc_now
from shared.kernel.errors import Busy, ContractBroken, MalformedResponse, PartnerRefused
from shared.kernel.fitting import MAX_HEADER_VALUE, fitting

Result = TypeVar("Result")
Wish = TypeVar("Wish", float, None)

USER_AGENT = "integration-hub/1"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_UNAUTHORIZED = 401
_CONFLICT = 409
_HEADER_VALUE = re.compile(r"[\x21-\x7e]([\x20-\x7e]{0,254}[\x21-\x7e])?")
_PATH = re.compile(r"/[^?#\\\s]*")


class Breaker(Protocol):
    """Lets calls through or raises CircuitOpen (RES-03)."""

    def call(self, call: Callable[[], Result]) -> Result:
        """Return the call's result and learn from it."""
        ...


class RateLimit(Protocol):
    """Holds calls back (RES-07)."""

    def take(self) -> None:
        """Return when one call may go; RateLimited when that takes too long."""
        ...


@dataclass(frozen=True)
class CallContext:
    """What travels with a call (RES-08): correlation ID and W3C traceparent; empty ones are not sent."""

    correlation_id: str = ""
    traceparent: str = ""


def present_context() -> CallContext:
    """Return the context of the work that this thread does."""
    return CallContext(current_correlation_id(), current_traceparent())


@dataclass(frozen=True)
class Call:
    """One request to a partner.

    `idempotency_key` comes from business identity and makes a write retryable; one that is no header value is sent as
    `kernel.fitting` makes it. `accept` are statuses beyond 2xx that are answers, not errors, unless `check` finds them
    malformed. `check` looks at the answer inside retry and breaker: a MalformedResponse that it raises counts and is
    retried as any other; a Busy, with the partner's Retry-After, goes to the caller. `params` as text is a query that
    is sent as it is, such as that of a link of the partner's. `name` stands for method and path in errors and
    telemetry, where the path is a secret. `once`: it is not retried, whatever it is.
    """

    method: str
    path: str = field(repr=False)
    params: Mapping[str, str] | str = field(default_factory=dict, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)
    idempotency_key: str = ""
    accept: frozenset[int] = frozenset()
    max_body: int = MAX_BODY
    check: Callable[[WireAnswer], object] | None = None
    name: str = ""
    once: bool = False

    @property
    def label(self) -> str:
        """What the call is called in errors and telemetry."""
        return self.name or f"{self.method} {self.path}"

    def __post_init__(self) -> None:
        """Refuse a path that could lead elsewhere. ValueError."""
        if not _PATH.fullmatch(self.path) or ".." in self.path.split("/"):
            raise ValueError("the path must begin with / and hold no query, fragment, space or ..")


@dataclass(frozen=True)
class Answer:
    """What the partner answered: `seconds` the last exchange took, after `attempts` attempts; `json` where asked."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    seconds: float
    attempts: int
    json: Any = field(default=None, repr=False)


class PartnerClient:
    """Calls one partner. Thread-safe; every error is a kernel error that names the adapter ID."""

    def __init__(
        self,
        adapter_id: str,
        base_url: str,
        *,
        wire: Wire,
        retry: Retry,
        breaker: Breaker | None = None,
        rate_limit: RateLimit | None = None,
        tokens: TokenSource | None = None,
        context: Callable[[], CallContext] = present_context,
        allowed: Callable[[str], bool] | None = None,
        clock: Clock = utc_now,
        calls: PartnerCalls | None = None,
    ) -> None:
        """Connect to nothing yet.

        `context` is asked at each call; `allowed` for each address before it is called (default: the origin of
        `base_url` and no other); `calls` observes each call (default: in silence).
        """
        self._adapter_id = adapter_id
        self._base_url = base_url.rstrip("/")
        self._wire = wire
        self._retry = retry
        self._breaker = breaker
        self._rate_limit = rate_limit
        self._tokens = tokens
        self._context = context
        origin = origin_of(self._base_url)
        self._allowed = allowed or (lambda url: origin_of(url) == origin)
        self._clock = clock
        self._calls = calls or PartnerCalls(Telemetry(), adapter_id)

    def get_json(
        self,
        path: str,
        params: Mapping[str, str] | str | None = None,
        *,
        check: Callable[[Any], object] | None = None,
        max_body: int = MAX_BODY,
    ) -> Any:  # noqa: ANN401 - JSON
        """Return the parsed answer of a GET, numbers with decimals as Decimal. `check` sees it inside the retry.

        An item of a list at the top level that has no one meaning (a name twice, NaN) is an Unreadable.
        """
        return self.request_json(Call("GET", path, params or {}, max_body=max_body), check=check, items=True).json

    def post_json(self, path: str, content: object, *, idempotency_key: str, max_body: int = MAX_BODY) -> Any:  # noqa: ANN401 - JSON
        """Send JSON under an idempotency key, return the parsed answer."""
        body = json.dumps(content, separators=(",", ":")).encode()
        headers = {"Content-Type": "application/json"}
        call = Call("POST", path, headers=headers, body=body, idempotency_key=idempotency_key, max_body=max_body)
        return self.request_json(call).json

    def post_body(
        self,
        path: str,
        body: bytes,
        *,
        idempotency_key: str,
        check: Callable[[Any], object] | None = None,
        accept: frozenset[int] = frozenset(),
    ) -> Any:  # noqa: ANN401 - JSON
        """Send JSON that is written already under an idempotency key, return the parsed answer."""
        headers = {"Content-Type": "application/json"}
        call = Call("POST", path, headers=headers, body=body, idempotency_key=idempotency_key, accept=accept)
        return self.request_json(call, check=check).json

    def request_json(self, call: Call, *, check: Callable[[Any], object] | None = None, items: bool = False) -> Answer:
        """Send a call whose answer must be JSON; it stands in the answer's `json`. `items` as in `get_json`."""
        parsed: list[Any] = []

        def read(answer: WireAnswer) -> None:
            parsed[:] = [read_answer(self._adapter_id, call.label, answer, items=items)]
            if check:
                check(parsed[0])
            if call.check:
                call.check(answer)

        accepting = Call(
            **(vars(call) | {"headers": {"Accept": "application/json"} | dict(call.headers), "check": read})
        )
        answer = self.request(accepting)
        return Answer(**(vars(answer) | {"json": parsed[0]}))

    def request(self, call: Call) -> Answer:
        """Send a call; a 2xx or accepted status is returned, everything else raises.

        PartnerUnavailable (already retried where the call is safe or has an idempotency key), CircuitOpen,
        PartnerRefused, ContractBroken, ConfigurationError (credentials).
        """
        with self._calls.call(call.label) as observed:
            answer = self._persistently(call, observed)
            observed.answered(answer.status, answer.headers.get("traceresponse", ""))
        return Answer(answer.status, answer.headers, answer.body, answer.seconds, observed.attempts)

    def _persistently(self, call: Call, observed: PartnerCall) -> WireAnswer:
        def attempt() -> WireAnswer:
            with observed.attempt():
                return self._attempt(call)

        repeatable = not call.once and (call.method in SAFE_METHODS or bool(call.idempotency_key))
        return self._retry.call(attempt) if repeatable else attempt()

    def _attempt(self, call: Call) -> WireAnswer:
        if self._tokens is None:
            return self._guarded(call, None)
        token = self._tokens.token()
        try:
            return self._guarded(call, token)
        except PartnerRefused as error:
            if error.status != _UNAUTHORIZED:
                raise
        self._tokens.invalidate(token)
        return self._guarded(call, self._tokens.token())

    def _guarded(self, call: Call, token: str | None) -> WireAnswer:
        def limited() -> WireAnswer:
            if self._rate_limit:
                self._rate_limit.take()
            return self._exchange(call, token)

        return self._breaker.call(limited) if self._breaker else limited()

    def _exchange(self, call: Call, token: str | None) -> WireAnswer:
        request = WireRequest(
            call.method, self._base_url + call.path, call.params, self._headers(call, token), call.body, call.name
        )
        for _ in range(MAX_REDIRECTS + 1):
            if not self._allowed(request.url):
                raise ContractBroken(self._adapter_id, f"{request.label}: the address is not allowed")
            answer = self._wire.send(request, max_body=call.max_body, accept=call.accept)
            if answer.status not in FOLLOWED or answer.status in call.accept:
                return self._judged(call, request.label, answer)
            request = redirected(self._adapter_id, request, answer)
        raise ContractBroken(self._adapter_id, f"{call.label} redirects more than {MAX_REDIRECTS} times")

    def _judged(self, call: Call, label: str, answer: WireAnswer) -> WireAnswer:
        error = error_of(self._adapter_id, label, answer, self._clock)
        if error and answer.status not in call.accept:
            raise error
        try:
            if call.check:
                call.check(answer)
        except Busy as busy:
            busy.retry_after = self._wish(answer, busy.retry_after)
            raise
        except MalformedResponse:
            if not error:
                raise
            # The status was accepted for what its body might have said. A conflict that passes by itself says when.
            wish = self._wish(answer, None) if answer.status == _CONFLICT else None
            if wish is not None:
                raise Busy(error.message, retry_after=wish) from None
            raise error from None
        return answer

    def _wish(self, answer: WireAnswer, otherwise: Wish) -> float | Wish:
        """Return the seconds that the partner asks to wait."""
        wish = retry_after_seconds(answer.headers.get("retry-after"), self._clock())
        return otherwise if wish is None else wish

    def _headers(self, call: Call, token: str | None) -> dict[str, str]:
        context = self._context()
        headers = {"User-Agent": USER_AGENT, "Accept-Encoding": "gzip, deflate"} | dict(call.headers)
        for name, value in (
            ("X-Correlation-ID", context.correlation_id),
            ("traceparent", context.traceparent),
            ("X-Idempotency-Key", call.idempotency_key and fitting(call.idempotency_key, MAX_HEADER_VALUE)),
            ("Authorization", f"Bearer {token}" if token else ""),
        ):
            # A correlation ID from outside that is no header value must not fail the call: it is left out.
            if _HEADER_VALUE.fullmatch(value) or (name == "Authorization" and value):
                headers[name] = value
        return headers
