"""Opaque page tokens, signed: a caller can neither make one up nor use one for another query."""

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from hashlib import sha256

from shared.kernel.errors import FieldProblem, InvalidRequest

_SIGNATURE_BYTES = 16


class PageTokens:
    """Signs positions in listings; each token holds for one query of one tenant."""

    def __init__(self, secrets: Callable[[], tuple[str, ...]], tenant: str) -> None:
        """Ask for the secrets each time: the first one signs, all of them are accepted."""
        self._secrets = secrets
        self._tenant = tenant

    def write(self, query: str, position: str | None) -> str | None:
        """Return the token for the position after a page; None at the end. `query` is all that makes up the listing."""
        if position is None:
            return None
        content = json.dumps([position]).encode()
        return urlsafe_b64encode(self._sign(self._secrets()[0], query, content) + content).decode().rstrip("=")

    def read(self, query: str, token: str | None) -> str | None:
        """Return the position of a token, None without one.

        InvalidRequest, naming `pageToken`, when it is not ours or was given for another query. Constant time.
        """
        if not token:
            return None
        try:
            raw = urlsafe_b64decode(token.encode("ascii") + b"=" * (-len(token) % 4))
        except ValueError:
            raise _refused() from None
        signature, content = raw[:_SIGNATURE_BYTES], raw[_SIGNATURE_BYTES:]
        signatures = [self._sign(secret, query, content) for secret in self._secrets()]
        if not any([hmac.compare_digest(signature, one) for one in signatures]):  # noqa: C419 - all, in constant time
            raise _refused()
        return str(json.loads(content)[0])

    def _sign(self, secret: str, query: str, content: bytes) -> bytes:
        # The length keeps query and content apart, whatever they hold.
        given = query.encode()
        signed = len(given).to_bytes(8, "big") + given + content
        return hmac.new(f"{self._tenant}\n{secret}".encode(), signed, sha256).digest()[:_SIGNATURE_BYTES]


def _refused() -> InvalidRequest:
    problem = FieldProblem("pageToken", "is not a token of this query: take it from the page before")
    return InvalidRequest("pageToken is not valid", (problem,))
