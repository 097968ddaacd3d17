"""Opaque page tokens, signed: a caller can neither read more than his query allows nor make one up."""

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256

from shared.kernel.errors import FieldProblem, InvalidRequest


class PageTokens:
    """Signs positions in listings; each token holds for one query of one tenant."""

    def __init__(self, secret: str, tenant: str) -> None:
        """Keep the key."""
        self._key = f"{tenant}\n{secret}".encode()

    def write(self, query: str, position: str | None) -> str | None:
        """Return the token for the position after a page; None at the end."""
        if position is None:
            return None
        content = json.dumps([position]).encode()
        return urlsafe_b64encode(self._sign(query, content) + content).decode().rstrip("=")

    def read(self, query: str, token: str | None) -> str | None:
        """Return the position of a token. InvalidRequest when it is not ours, or was given for another query."""
        if not token:
            return None
        try:
            raw = urlsafe_b64decode(token + "=" * (-len(token) % 4))
        except ValueError:
            raise _refused() from None
        signature, content = raw[:16], raw[16:]
        if not hmac.compare_digest(signature, self._sign(query, content)):
            raise _refused()
        return str(json.loads(content)[0])

    def _sign(self, query: str, content: bytes) -> bytes:
        return hmac.new(self._key, query.encode() + b"\n" + content, sha256).digest()[:16]


def _refused() -> InvalidRequest:
    problem = FieldProblem("pageToken", "is not a token of this query: take it from the page before")
    return InvalidRequest("pageToken is not valid", (problem,))
