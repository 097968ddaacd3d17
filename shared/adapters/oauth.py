"""Access tokens for partners: OAuth 2.0 client credentials (RFC 6749, 4.4; INC-02), one fetch for all threads."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock
from typing import Any, Protocol
from urllib.parse import urlencode

from shared.adapters.http_errors import error_of
from shared.adapters.http_json import read_json
from shared.adapters.http_wire import Wire, WireAnswer, WireRequest
from shared.kernel.clock import Clock, utc_now
from shared.kernel.errors import ConfigurationError, ContractBroken, FieldProblem, HubError, MalformedResponse

_DEFAULT_LIFE = 300.0
_LONGEST_LIFE = 24 * 3600.0
_MAX_TOKEN_BODY = 256 * 1024


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
    """Client credentials, and the names of the settings that hold them (for the operator who must mend them)."""

    token_url: str
    client_id: str
    read_secret: Callable[[], str] = field(repr=False)
    """Reads the secret anew for each fetch, so that a rotated one is taken up."""
    scope: str = ""
    setting_names: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Held:
    token: str = field(repr=False)
    use_until: datetime


class ClientCredentials:
    """Implements `TokenSource`: a token is kept until `skew` seconds before its end and fetched by one thread."""

    def __init__(
        self,
        partner: str,
        settings: ClientSettings,
        *,
        wire: Wire | None = None,
        clock: Clock = utc_now,
        skew: float = 60,
    ) -> None:
        """Fetch nothing yet. Errors name `partner`, the adapter ID of the identity provider."""
        self._partner = partner
        self._settings = settings
        self._wire = wire or Wire(partner)
        self._clock = clock
        self._skew = skew
        self._held: _Held | None = None
        self._fetches = 0
        self._failure: HubError | None = None
        self._lock = Lock()

    def token(self) -> str:
        """Return a valid token, fetched now if need be.

        ServerFailure, NetworkFailure, PartnerTimeout and RateLimited are passing; ConfigurationError names the
        settings when the provider does not know this client; PartnerRefused and ContractBroken are lasting.
        """
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

    def invalidate(self, token: str) -> None:
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
            self._held = self._fetch()
        except HubError as error:
            self._failure = error
            raise
        finally:
            self._fetches += 1
        return self._held.token

    def _fetch(self) -> _Held:
        settings = self._settings
        form = {
            "grant_type": "client_credentials",
            "client_id": settings.client_id,
            "client_secret": settings.read_secret(),
        } | ({"scope": settings.scope} if settings.scope else {})
        request = WireRequest(
            "POST",
            settings.token_url,
            headers={"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"},
            body=urlencode(form).encode(),
        )
        answer = self._wire.send(request, max_body=_MAX_TOKEN_BODY)
        if error := self._refusal(answer) or error_of(self._partner, request.label, answer, self._clock):
            raise error
        return self._read(read_json(self._partner, request.label, answer))

    def _refusal(self, answer: WireAnswer) -> ConfigurationError | None:
        """The provider's own words (RFC 6749, 5.2) for what an operator must mend."""
        reason = _oauth_error(answer) if answer.status in (400, 401, 403) else ""
        if reason not in ("invalid_client", "unauthorized_client", "invalid_scope", "unsupported_grant_type"):
            return None
        names = self._settings.setting_names or (f"{self._partner} client credentials",)
        text = f"the identity provider answers {reason}"
        return ConfigurationError(tuple(FieldProblem(name, text) for name in names))

    def _read(self, answer: Any) -> _Held:  # noqa: ANN401 - JSON
        token = answer.get("access_token") if isinstance(answer, dict) else None
        if not isinstance(token, str) or not token.isascii() or not token.isprintable() or not token:
            raise MalformedResponse(self._partner, "the token answer has no access_token")
        if str(answer.get("token_type", "bearer")).lower() != "bearer":
            raise ContractBroken(self._partner, "the token is not a bearer token")
        try:
            life = min(float(answer.get("expires_in", _DEFAULT_LIFE)), _LONGEST_LIFE)
        except (TypeError, ValueError):
            life = -1.0
        if not life >= 0:
            raise MalformedResponse(self._partner, "expires_in of the token answer is no time in seconds")
        # A token that lives shorter than twice the skew is used for half of its life.
        return _Held(token, self._clock() + timedelta(seconds=max(life - self._skew, life / 2)))


def _oauth_error(answer: WireAnswer) -> str:
    try:
        content = json.loads(answer.body)
    except (ValueError, RecursionError):
        return ""
    return str(content.get("error", "")) if isinstance(content, dict) else ""
