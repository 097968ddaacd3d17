"""What the e-mail gateways with an HTTP API have in common: whose fault a refusal is."""

from shared.adapters.http import Call, PartnerClient
from shared.kernel.errors import ConfigurationError, FieldProblem, PartnerRefused

_ABOUT_US = frozenset({401, 403, 404, 405})
"""Statuses that no other e-mail would escape: credentials, an unverified sender, a wrong address of the gateway."""


def post_mail(client: PartnerClient, call: Call, settings: tuple[str, ...]) -> None:
    """Send a call that hands over one e-mail; retried in place, so it needs an idempotency key.

    As `PartnerClient.request`, but ConfigurationError naming `settings` where the refusal is not about this e-mail.
    """
    try:
        client.request(call)
    except PartnerRefused as error:
        if error.status not in _ABOUT_US:
            raise
        problem = f"the gateway answered {error.status}: it refuses the credentials, the sender, or is not there"
        raise ConfigurationError(tuple(FieldProblem(name, problem) for name in settings)) from None
