"""Access tokens for partners: OAuth 2.0 client credentials (RFC 6749, 4.4; INC-02), one fetch for all threads."""

import math
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock
from typing import Any, Protocol
from urllib.parse import quote_plus, urlencode

from shared.adapters.http_errors import error_of
from shared.adapters.http_json import read_answer
from shared.adapters.http_wire import Wire, WireAnswer, WireRequest
from shared.kernel.clock import Clock, utc_now
from shared.kernel.errors import (
    ConfigurationError,
    ContractBroken,
    CredentialsRefused,
    FieldProblem,
    HubError,
    MalformedResponse,
    PartnerRefused,
)
from shared.kernel.secret import Secret
from shared.kernel.strict_json import NotJson, read_json

_DEFAULT_LIFE = 300.0
_LONGEST_LIFE = 24 * 3600.0
MAX_TOKEN_BODY = 256 * 1024
SKEW = 60.0
"""Seconds by which clocks may differ, and a call may take."""
_REFUSALS: Mapping[str, type[ConfigurationError]] = {
    "invalid_client": CredentialsRefused,
    "unauthorized_client": ConfigurationError,
    "invalid_scope": ConfigurationError,
    "invalid_resource": ConfigurationError,
    "unsupported_grant_type": ConfigurationError,
}
_UNAUTHORIZED = 401
_CREDENTIALS_UNSEEN = frozenset({"invalid_client", "invalid_request"})
"""With the second some say that a parameter is missing where they look for none but those in the header."""


class TokenSource(Protocol):
    """Where a client gets its bearer token."""

    def token(self) -> str:
        """Return a token that is valid now. PartnerUnavailable, PartnerRefused, ConfigurationError."""
        ...

    def invalidate(self, token: str) -> None:
        """Forget this token (the partner said 401); another one that came meanwhile stays."""
        ...


@dataclass(frozen=True)
class ClientSettings:
    """Client credentials, and the names of the settings that hold them (for the operator who must mend them).

    `url` is the token endpoint, or for Entra ID the authority. The secret is read for each fetch.
    """

    url: str
    client_id: str
    secret: Secret
    scope: str
    setting_names: tuple[str, ...]

    def refused(self, reason: str) -> ConfigurationError | None:
        """Return what an operator must mend when a provider refuses in these words (RFC 6749, 5.2); None: nothing."""
        kind = _REFUSALS.get(reason)
        text = f"the identity provider answers {reason}"
        return kind(tuple(FieldProblem(name, text) for name in self.setting_names)) if kind else None


@dataclass(frozen=True)
class Granted:
    """A token as it was given: for how many seconds."""

    token: str = field(repr=False)
    life: float


@dataclass(frozen=True)
class _Held:
    token: str = field(repr=False)
    use_until: datetime


class HeldToken:
    """Keeps a token until `SKEW` seconds before its end; one thread fetches, the others wait for what it gets."""

    def __init__(self, fetch: Callable[[], Granted], clock: Clock) -> None:
        """Fetch nothing yet."""
        self._fetch = fetch
        self._clock = clock
        self._held: _Held | None = None
        self._fetches = 0
        self._failure: HubError | None = None
        self._lock = Lock()

    def get(self) -> str:
        """Return a valid token, fetched now if need be."""
        if token := self._valid():
            return token
        seen = self._fetches
        with self._lock:
            if token := self._valid():
                return token
            # Whoever waited for a fetch that failed shares its failure: a dead provider is asked once, not per thread.
            if self._fetches != seen and self._failure:
                raise self._failure
            return self._refresh()

    def forget(self, token: str) -> None:
        """Forget this token, if it is still the one that is held."""
        with self._lock:
            if self._held and self._held.token == token:
                self._held = None

    def _valid(self) -> str | None:
        held = self._held
        return held.token if held and self._clock() < held.use_until else None

    def _refresh(self) -> str:
        self._failure = None
        try:
            granted = self._fetch()
        except HubError as error:
            self._failure = error
            raise
        finally:
            self._fetches += 1
        # A token that lives shorter than twice the skew is used for half of its life.
        seconds = max(granted.life - SKEW, granted.life / 2)
        self._held = _Held(granted.token, self._clock() + timedelta(seconds=seconds))
        return granted.token


class FormGrant:
    """Fetches a token of any provider of RFC 6749.

    A provider may know the credentials in the form alone, or in HTTP Basic alone (2.3.1). Which of the two it is, is
    found out with the first token, and holds for the process.
    """

    def __init__(self, partner: str, settings: ClientSettings, wire: Wire, clock: Clock) -> None:
        """Fetch nothing yet."""
        self._partner, self._settings, self._wire, self._clock = partner, settings, wire, clock
        self._basic: bool | None = None

    def __call__(self, secret: str) -> Granted:
        """Send the form; errors as of `ClientCredentials.token`."""
        basic = bool(self._basic)
        answer = self._ask(secret, basic=basic)
        if self._basic is None and _client_unknown(answer):
            first, basic = self._refusal(answer), True
            answer = self._ask(secret, basic=True)
            if first and (
                _client_unknown(answer) or isinstance(self._refusal(answer), PartnerRefused | ContractBroken)
            ):
                raise first  # it knows the credentials in neither way
        if refusal := self._refusal(answer):
            raise refusal
        self._basic = basic
        return granted(self._partner, read_answer(self._partner, self._label, answer))

    def _ask(self, secret: str, *, basic: bool) -> WireAnswer:
        """Send the credentials in one way: both at once are forbidden."""
        settings = self._settings
        form = {"grant_type": "client_credentials"}
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        if basic:
            pair = f"{quote_plus(settings.client_id)}:{quote_plus(secret)}"
            headers["Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
        else:
            form |= {"client_id": settings.client_id, "client_secret": secret}
        if settings.scope:
            form["scope"] = settings.scope
        request = WireRequest("POST", settings.url, headers=headers, body=urlencode(form).encode())
        return self._wire.send(request, max_body=MAX_TOKEN_BODY)

    def _refusal(self, answer: WireAnswer) -> HubError | None:
        reason = refusal_of(answer) or ("invalid_client" if answer.status == _UNAUTHORIZED else "")
        return self._settings.refused(reason) or error_of(self._partner, self._label, answer, self._clock)

    @property
    def _label(self) -> str:
        return WireRequest("POST", self._settings.url).label


def _client_unknown(answer: WireAnswer) -> bool:
    """Tell whether the provider has not seen, or does not know, the client's credentials (RFC 6749, 5.2)."""
    reason = refusal_of(answer)
    asks_for_basic = answer.headers.get("www-authenticate", "").strip().lower().startswith("basic")
    unexplained = not reason and (answer.status == _UNAUTHORIZED or (400 <= answer.status <= 499 and asks_for_basic))
    return reason in _CREDENTIALS_UNSEEN or unexplained


Grant = Callable[[str, ClientSettings, Wire, Clock], Callable[[str], Granted]]
"""Partner, settings, wire, clock -> what fetches a token with a secret."""


class ClientCredentials:
    """Implements `TokenSource`."""

    def __init__(
        self,
        partner: str,
        settings: ClientSettings,
        *,
        grant: Grant = FormGrant,
        wire: Wire | None = None,
        clock: Clock = utc_now,
    ) -> None:
        """Fetch nothing yet. Errors name `partner`, the adapter ID of the identity provider."""
        self._fetch = grant(partner, settings, wire or Wire(partner), clock)
        self._held = HeldToken(lambda: settings.secret.use(self._fetch), clock)

    def token(self) -> str:
        """Return a valid token, fetched now if need be.

        ServerFailure, NetworkFailure, PartnerTimeout and RateLimited are passing; ConfigurationError names the
        settings when the provider does not know this client, also with its secret read anew; PartnerRefused and
        ContractBroken are lasting.
        """
        return self._held.get()

    def invalidate(self, token: str) -> None:
        """Forget this token, if it is still the one that is held."""
        self._held.forget(token)


def granted(partner: str, answer: Any) -> Granted:  # noqa: ANN401 - JSON
    """Return the token of a provider's answer. MalformedResponse, ContractBroken."""
    token = answer.get("access_token") if isinstance(answer, dict) else None
    if not isinstance(token, str) or not token.isascii() or not token.isprintable() or not token:
        raise MalformedResponse(partner, "the token answer has no access_token")
    if str(answer.get("token_type") or "bearer").strip().lower() != "bearer":
        raise ContractBroken(partner, "the token is not a bearer token")
    return Granted(token, _life(partner, answer.get("expires_in")))


def _life(partner: str, expires_in: object) -> float:
    """Return for how many seconds a token is good. It need not be said (RFC 6749, 5.1): null, "" and -1 say nothing."""
    if expires_in is None or expires_in == "":
        return _DEFAULT_LIFE
    try:
        life = min(float(str(expires_in)), _LONGEST_LIFE)
    except ValueError:
        life = math.nan
    if math.isnan(life) or isinstance(expires_in, bool):
        raise MalformedResponse(partner, "expires_in of the token answer is no time in seconds")
    return life if life >= 0 else _DEFAULT_LIFE


def refusal_of(answer: WireAnswer) -> str:
    """Return the provider's own word for why it refuses (RFC 6749, 5.2), "" when it gives none."""
    if answer.status not in (400, 401, 403):
        return ""
    try:
        content = read_json(answer.body)
    except NotJson:
        return ""
    return str(content.get("error", "")) if isinstance(content, dict) else ""
