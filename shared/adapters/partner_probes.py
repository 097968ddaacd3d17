"""Asking a partner whether it is there, beside its circuit: nothing is retried, counted, or sent on its behalf."""

from contextlib import closing

from shared.adapters.http_errors import error_of
from shared.adapters.http_wire import Timeouts, Wire, WireRequest
from shared.adapters.oauth import TokenSource
from shared.kernel.clock import Clock
from shared.kernel.errors import ServerFailure

_TIMEOUTS = Timeouts(connect=5.0, read=10.0, total=10.0)
_LARGEST_ANSWER = 1024 * 1024


class PartnerProbe:
    """Knocks at a partner's address, after a token was fetched anew where it wants one."""

    def __init__(self, partner: str, url: str, clock: Clock, tokens: TokenSource | None = None) -> None:
        """Connect to nothing yet. `tokens` must hold none: only one that is fetched proves the credentials."""
        self._partner, self._url, self._clock, self._tokens = partner, url, clock, tokens

    def ask(self) -> None:
        """Return when identity provider and partner have answered.

        Any answer of the partner below 500 proves that it is there: what its address itself holds is its own matter.
        ConfigurationError when the identity provider does not know us; NetworkFailure, PartnerTimeout, ServerFailure.
        """
        if self._tokens:
            self._tokens.token()
        request = WireRequest("GET", self._url)
        with closing(Wire(self._partner, _TIMEOUTS)) as wire:
            answer = wire.send(request, max_body=_LARGEST_ANSWER)
        error = error_of(self._partner, request.label, answer, self._clock)
        if isinstance(error, ServerFailure):
            raise error
