"""From an Authorization header to a principal (INC-30, INC-31)."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol

from shared.access.principal import Principal
from shared.kernel.errors import Unauthenticated
from shared.kernel.identities import Identities, identities_of

MAX_TOKEN_CHARACTERS = 16 * 1024
_MAIL = ("email", "emails", "verified_primary_email", "verified_secondary_email")
_NUMBERS = ("employeeid", "employeenumber", "employee_id", "employee_number")
_NAMES = ("sub", "oid", "preferred_username", "upn", "unique_name")
"""Claims in lower case, by what they hold. Some are texts, some lists; an employee number may be a JSON number."""
_ADDRESSES = ("email", "preferred_username", "upn")
_TOKEN = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")


class TokenVerifier(Protocol):
    """The port to whatever validates access tokens. Implemented by `adapters.json_web_tokens`."""

    def claims(self, token: str) -> Mapping[str, Any]:
        """Return the claims of a valid token. Unauthenticated names the check that failed.

        PartnerUnavailable when the identity provider is needed and does not answer.
        """
        ...


class BearerTokens:
    """Tells callers by their access tokens."""

    def __init__(self, verifier: TokenVerifier) -> None:
        """Keep who validates the tokens."""
        self._verifier = verifier

    def principal(self, authorization: str | None) -> Principal:
        """Return who an Authorization header speaks for: `roles` is an array, `scp` text with spaces between.

        Unauthenticated, PartnerUnavailable as the verifier.
        """
        claims = self._verifier.claims(_access_token(bearer_token(authorization)))
        roles, scopes = claims.get("roles"), claims.get("scp")
        return Principal(
            str(claims["sub"]),
            frozenset(role for role in roles if isinstance(role, str)) if isinstance(roles, list) else frozenset(),
            frozenset(scopes.split()) if isinstance(scopes, str) else frozenset(),
            _identities(claims),
            next((text for name in _ADDRESSES if "@" in (text := _text(claims, name))), ""),
        )


def _identities(claims: Mapping[str, Any]) -> Identities:
    told: dict[str, list[object]] = defaultdict(list)
    for name, value in claims.items():
        told[name.lower()] += value if isinstance(value, list) else [value]

    def all_of(names: Iterable[str]) -> Iterator[object]:
        return (value for name in names for value in told[name])

    return identities_of(addresses=all_of(_MAIL), numbers=all_of(_NUMBERS), names=all_of(_NAMES))


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    return value if isinstance(value, str) else ""


def bearer_token(authorization: str | None) -> str:
    """Return what an Authorization header shows. Unauthenticated.

    Hosts join repeated headers with a comma: no comma is part of a token.
    """
    if not authorization:
        raise Unauthenticated("an access token is needed: Authorization: Bearer <token>")
    scheme, _, token = authorization.strip().partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token or "," in token:
        raise Unauthenticated("the Authorization header is not one Bearer token")
    if len(token) > MAX_TOKEN_CHARACTERS:
        raise Unauthenticated("the access token is too long")
    return token


def _access_token(token: str) -> str:
    if not _TOKEN.fullmatch(token):
        raise Unauthenticated("the access token does not parse")
    return token
