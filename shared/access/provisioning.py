"""Who may provision users and groups (INC-33).

Entra ID's provisioning service shows one token that does not expire by itself: for an application of one's own it gets
no access token of this API (docs/provisioning.md). So a secret stands for the service, on these routes alone.
"""

from collections.abc import Callable

from shared.access.bearer import BearerTokens, bearer_token
from shared.access.principal import ADMIN, Principal
from shared.kernel.secret import Secret
from shared.kernel.webhook_signature import is_one_of

PROVISIONING_SERVICE = Principal("provisioning-service", frozenset({ADMIN}))


class ProvisioningTokens:
    """Tells callers of the provisioning routes: the service by its secret, everybody else by an access token."""

    def __init__(self, access_tokens: BearerTokens, secret: Callable[[], Secret | None]) -> None:
        """Keep both; the secret is asked for when a token is none of an identity provider."""
        self._access_tokens = access_tokens
        self._secret = secret

    def principal(self, authorization: str | None) -> Principal:
        """Return who an Authorization header speaks for. Unauthenticated, PartnerUnavailable, ConfigurationError."""
        token = bearer_token(authorization)
        # No secret has a dot, every access token has two: that one looks does not depend on what is secret.
        if "." not in token and self._is_the_service(token):
            return PROVISIONING_SERVICE
        return self._access_tokens.principal(authorization)

    def _is_the_service(self, token: str) -> bool:
        """Compare with each value that holds; one that fits none may be newer than what was read last."""
        secret = self._secret()
        if secret is None:
            return False
        held = secret.held()
        if is_one_of(held, token):
            return True
        fresh = secret.held(fresh=True)
        return fresh != held and is_one_of(fresh, token)
