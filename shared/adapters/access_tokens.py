"""Entra ID access tokens (INC-30): validated whole, against the tenant's published keys.

Only RS256, only keys of the configured key set, only the configured issuer and audience. Keys are cached; an unknown
key ID has them fetched again, at most every 30 seconds, so that made-up key IDs cannot be turned against the
identity provider.
"""

import threading
from datetime import datetime, timedelta
from typing import Any

from shared.access.principal import Principal
from shared.adapters.settings import AuthSettings
from shared.kernel.clock import Clock
from shared.kernel.errors import NetworkFailure, Unauthenticated

MAX_TOKEN_CHARACTERS = 16 * 1024
LEEWAY = timedelta(seconds=30)
KEYS_LIFE = timedelta(hours=12)
COOL_DOWN = timedelta(seconds=30)
RETRY_PAUSE = timedelta(seconds=5)
"""After a fetch that failed: callers get an answer at once instead of waiting one after the other."""

_REQUIRED = ["exp", "iat", "iss", "aud", "sub"]


class AccessTokens:
    """Validates access tokens for one issuer and audience."""

    def __init__(self, settings: AuthSettings, clock: Clock) -> None:
        """Keep issuer, audience and key set URL; nothing is fetched yet."""
        self._settings, self._clock = settings, clock
        self._keys: dict[str, Any] = {}
        self._fetched_at: datetime | None = None
        self._may_fetch_at = clock()
        self._lock = threading.Lock()

    def principal(self, authorization: str | None) -> Principal:
        """Return who an Authorization header speaks for. Unauthenticated says which check failed.

        NetworkFailure when the keys are needed and the identity provider does not answer.
        """
        claims = self._claims(_bearer(authorization))
        roles = claims.get("roles", [])
        scopes = claims.get("scp", "")
        return Principal(
            str(claims["sub"]),
            frozenset(role for role in roles if isinstance(role, str)) if isinstance(roles, list) else frozenset(),
            frozenset(scopes.split()) if isinstance(scopes, str) else frozenset(),
        )

    def _claims(self, token: str) -> dict[str, Any]:
        import jwt

        try:
            header = jwt.get_unverified_header(token)
            if header.get("alg") != "RS256":
                raise Unauthenticated("the token is not signed with RS256")
            key = self._key(header.get("kid"))
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=["RS256"],
                issuer=self._settings.issuer,
                audience=self._settings.audience,
                leeway=LEEWAY,
                options={"require": _REQUIRED},
            )
        except jwt.InvalidTokenError as error:
            raise Unauthenticated(_REASONS.get(type(error).__name__, "the access token is not valid")) from None
        return claims

    def _key(self, key_id: object) -> Any:  # noqa: ANN401 - a key of the cryptography package
        if not isinstance(key_id, str):
            raise Unauthenticated("the token names no key")
        with self._lock:
            now = self._clock()
            too_old = self._fetched_at is None or now - self._fetched_at >= KEYS_LIFE
            if (too_old or key_id not in self._keys) and now >= self._may_fetch_at:
                self._fetch(now)
            if key_id in self._keys:
                return self._keys[key_id]
            if not self._keys:
                wait = (self._may_fetch_at - now).total_seconds()
                raise NetworkFailure("identity", "the key set cannot be fetched", retry_after=wait)
        raise Unauthenticated("the token is signed with an unknown key")

    def _fetch(self, now: datetime) -> None:
        """Fetch the key set; while the provider does not answer, keys that are known go on being used."""
        from jwt import PyJWKClient, PyJWTError

        try:
            found = PyJWKClient(self._settings.jwks_url, cache_keys=False, timeout=5).get_signing_keys()
        except (PyJWTError, ValueError):
            self._may_fetch_at = now + RETRY_PAUSE
            return
        self._keys = {key.key_id: key.key for key in found if key.key_id}
        self._fetched_at, self._may_fetch_at = now, now + COOL_DOWN


def _bearer(authorization: str | None) -> str:
    if not authorization:
        raise Unauthenticated("an access token is needed: Authorization: Bearer <token>")
    scheme, _, token = authorization.partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token or "," in token:
        raise Unauthenticated("the Authorization header is not one Bearer token")
    if len(token) > MAX_TOKEN_CHARACTERS:
        raise Unauthenticated("the access token is too long")
    return token


_REASONS = {
    "ExpiredSignatureError": "the access token has expired",
    "ImmatureSignatureError": "the access token is not valid yet",
    "InvalidAudienceError": "the access token is for another audience",
    "InvalidIssuerError": "the access token is from another issuer",
    "InvalidSignatureError": "the access token's signature is wrong",
    "MissingRequiredClaimError": "the access token lacks a required claim",
    "DecodeError": "the access token does not parse",
}
