"""What the e-mail gateways with an HTTP API have in common: whose fault a refusal is."""

from collections.abc import Callable

from shared.adapters.http import Call, PartnerClient
from shared.kernel.errors import ConfigurationError, CredentialsRefused, FieldProblem, PartnerRefused
from shared.kernel.secret import Secret

_UNAUTHORIZED = 401
_ABOUT_US = frozenset({401, 403, 404, 405})
"""Statuses that no other e-mail would escape: credentials, an unverified sender, a wrong address of the gateway."""


def call_gateway(
    client: PartnerClient, secret: Secret, call_with: Callable[[str], Call], settings: tuple[str, ...]
) -> None:
    """Send a call; one that hands over an e-mail is retried in place, so it needs an idempotency key.

    On 401 the secret is read anew, and used if it has changed. As `PartnerClient.request`, but ConfigurationError
    naming `settings` where the refusal is not about this e-mail.
    """

    def attempt(value: str) -> None:
        try:
            client.request(call_with(value))
        except PartnerRefused as error:
            if error.status not in _ABOUT_US:
                raise
            problem = f"the gateway answered {error.status}: it refuses the credentials, the sender, or is not there"
            kind = CredentialsRefused if error.status == _UNAUTHORIZED else ConfigurationError
            raise kind(tuple(FieldProblem(name, problem) for name in settings)) from None

    secret.use(attempt)
