"""Access tokens of one issuer for one audience (INC-30): RS256, by keys of the issuer's published set, and whole."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

from shared.kernel.clock import Clock
from shared.kernel.errors import HubError, NetworkFailure, Unauthenticated

ALGORITHM = "RS256"
LEEWAY = timedelta(seconds=30)
_REQUIRED = ["exp", "iat", "iss", "aud", "sub"]

KEYS_LIFE = timedelta(hours=6)
"""After which the key set is fetched again, so that a key that was withdrawn is not trusted for ever."""
COOL_DOWN = timedelta(seconds=30)
"""Between two fetches, whoever asks: made-up key IDs cannot be turned against the identity provider."""
FETCH_TIMEOUT = 5.0
"""Seconds."""


class KeySet:
    """The published keys of an issuer (JWKS), cached. Thread-safe.

    While the identity provider does not answer, keys that are known go on being used.
    """

    def __init__(self, url: str, clock: Clock) -> None:
        """Keep where the keys are published; nothing is fetched yet."""
        self._url, self._clock = url, clock
        self._keys: Mapping[str, Any] = {}
        self._fetched_at: datetime | None = None
        self._tried_at: datetime | None = None
        self._one_fetch = Lock()

    def key(self, key_id: str) -> Any:  # noqa: ANN401 - a key of the cryptography package
        """Return a public key, None when the issuer has no such key.

        NetworkFailure when that cannot be told, because the keys could not be fetched.
        """
        known = self._keys.get(key_id)
        if known is not None:
            if self._old() and self._one_fetch.acquire(blocking=False):
                # One caller fetches; the others need not wait for what they know.
                try:
                    self._fetch_unless_cooling()
                finally:
                    self._one_fetch.release()
                return self._keys.get(key_id)
            return known
        with self._one_fetch:
            if key_id not in self._keys:
                self._fetch_unless_cooling()
        if key_id not in self._keys and self._tried_at != self._fetched_at:
            raise NetworkFailure("identity", "the key set cannot be fetched", retry_after=COOL_DOWN.total_seconds())
        return self._keys.get(key_id)

    def _old(self) -> bool:
        return self._fetched_at is None or self._clock() - self._fetched_at >= KEYS_LIFE

    def _fetch_unless_cooling(self) -> None:
        now = self._clock()
        if self._tried_at is not None and now - self._tried_at < COOL_DOWN:
            return
        self._tried_at = now
        found = _fetch(self._url)
        if found is not None:
            self._keys, self._fetched_at = found, now


def _fetch(url: str) -> dict[str, Any] | None:
    """Return the RSA signing keys by ID, None when the set cannot be had."""
    from jwt import PyJWKClient, PyJWKSet

    try:
        content = PyJWKClient(url, cache_jwk_set=False, timeout=FETCH_TIMEOUT).fetch_data()
        keys = PyJWKSet.from_dict(content).keys
    except Exception:  # noqa: BLE001 - whatever the library trips over: what was published is no set of keys
        return None
    return {
        key.key_id: key.key
        for key in keys
        if key.key_id and key.key_type == "RSA" and key.public_key_use in (None, "sig")
    }


class JsonWebTokens:
    """Implements `TokenVerifier`."""

    def __init__(self, issuer: str, audience: str, keys: KeySet) -> None:
        """Keep whose tokens are accepted, and where the keys are."""
        self._issuer, self._audience, self._keys = issuer, audience, keys

    def claims(self, token: str) -> Mapping[str, Any]:
        """Return the claims of a valid token. Unauthenticated names the check that failed, and nothing about keys.

        NetworkFailure when a key is needed that cannot be fetched.
        """
        import jwt

        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                self._key_of(jwt.get_unverified_header(token)),
                algorithms=[ALGORITHM],
                issuer=self._issuer,
                audience=self._audience,
                leeway=LEEWAY,
                options={"require": _REQUIRED},
            )
        except jwt.InvalidTokenError as error:
            raise Unauthenticated(_REASONS.get(type(error).__name__, "the access token is not valid")) from None
        except HubError:
            raise
        except Exception:  # noqa: BLE001 - a header or a claim that is JSON in name only, or a key that does not fit
            raise Unauthenticated(_REASONS["DecodeError"]) from None
        return claims

    def _key_of(self, header: Mapping[str, Any]) -> Any:  # noqa: ANN401 - a key of the cryptography package
        key = self._keys.key(self._key_id(header))
        if key is None:
            raise Unauthenticated("the access token is signed with an unknown key")
        return key

    def _key_id(self, header: Mapping[str, Any]) -> str:
        if header.get("alg") != ALGORITHM:
            raise Unauthenticated(f"the access token is not signed with {ALGORITHM}")
        key_id = header.get("kid")
        if not isinstance(key_id, str) or not key_id:
            raise Unauthenticated("the access token names no key")
        return key_id


_REASONS = {
    "ExpiredSignatureError": "the access token has expired",
    "ImmatureSignatureError": "the access token is not valid yet",
    "InvalidAudienceError": "the access token is for another audience",
    "InvalidIssuerError": "the access token is from another issuer",
    "InvalidSignatureError": "the access token's signature is wrong",
    "MissingRequiredClaimError": "the access token lacks a required claim",
    "DecodeError": "the access token does not parse",
}
"""By the name of the library's error: its own messages say more than a stranger should learn."""
