"""Access tokens for partners that trust Entra ID: client credentials through MSAL (INC-32)."""

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from shared.adapters.http_errors import error_of
from shared.adapters.http_json import read_answer
from shared.adapters.http_wire import Wire, WireAnswer, WireRequest
from shared.adapters.oauth import MAX_TOKEN_BODY, ClientSettings, Granted, granted, refusal_of
from shared.kernel.clock import Clock
from shared.kernel.errors import ConfigurationError, FieldProblem, HubError, MalformedResponse, PartnerRefused
from shared.kernel.strict_json import read_json

if TYPE_CHECKING:
    from msal import ConfidentialClientApplication


class EntraGrant:
    """Fetches a token through MSAL, which finds the tenant's endpoints; over our wire, in our errors."""

    def __init__(self, partner: str, settings: ClientSettings, wire: Wire, clock: Clock) -> None:
        """Fetch nothing yet; MSAL loads with the first token."""
        self._partner = partner
        self._settings = settings
        self._http = _MsalHttp(partner, wire, clock)

    def __call__(self, secret: str) -> Granted:
        """Return a token; errors as of `ClientCredentials.token`."""
        try:
            answer = self._answer(secret)
        except HubError:
            raise
        except Exception as error:  # noqa: BLE001 - MSAL raises whatever an answer that it did not expect leads to
            problem = f"the identity provider's answer cannot be read ({type(error).__name__})"
        else:
            return self._granted(answer)
        # Outside the handler, so that the library's error, which may quote the answer, is not chained to ours.
        raise MalformedResponse(self._partner, problem)

    def _answer(self, secret: str) -> dict[str, Any]:
        # A new application each time: it would keep the secret, the token, and for a minute the provider's refusal.
        return self._application(secret).acquire_token_for_client(self._settings.scope.split()) or {}

    def _granted(self, answer: Mapping[str, Any]) -> Granted:
        if "error" not in answer:
            return granted(self._partner, answer)
        reason = str(answer["error"])
        if error := self._settings.refused(reason):
            raise error
        raise PartnerRefused(self._partner, "the identity provider gives no token", status=400)

    def _application(self, secret: str) -> "ConfidentialClientApplication":
        from msal import ConfidentialClientApplication

        settings = self._settings
        try:
            return ConfidentialClientApplication(
                settings.client_id,
                authority=settings.url,
                client_credential=secret,
                # It would ask Microsoft whether the authority is one of theirs. The operator says that it is.
                instance_discovery=False,
                http_client=self._http,
            )
        except ValueError:
            problem = FieldProblem(settings.setting_names[0], "is no authority with such a tenant")
        raise ConfigurationError((problem,))


class _Response:
    """An answer as MSAL reads it."""

    def __init__(self, answer: WireAnswer) -> None:
        self.status_code = answer.status
        self.text = answer.body.decode(errors="replace")
        self.headers = dict(answer.headers)

    def raise_for_status(self) -> None:
        """Do nothing: what is no answer for MSAL has been raised already."""


class _MsalHttp:
    """MSAL's HTTP client on our wire: bounded, without proxies. What is no answer of OAuth's is raised as our error."""

    def __init__(self, partner: str, wire: Wire, clock: Clock) -> None:
        self._partner, self._wire, self._clock = partner, wire, clock

    def get(
        self, url: str, params: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None, **_: object
    ) -> _Response:
        """Send a GET (the tenant's endpoints)."""
        return self._send(WireRequest("GET", url.strip(), params or {}, _text(headers)), tenant_unknown)

    def post(
        self,
        url: str,
        params: Mapping[str, str] | None = None,
        data: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        **_: object,
    ) -> _Response:
        """Send a form."""
        form = {"Content-Type": "application/x-www-form-urlencoded"} | _text(headers)
        request = WireRequest("POST", url, params or {}, form, urlencode(data or {}).encode())
        response = self._send(request, refusal_of)
        if response.status_code < 300:  # whatever else the answer says, MSAL would trip over
            token = granted(self._partner, read_json(response.text))
            response.text = json.dumps(
                {"access_token": token.token, "token_type": "Bearer", "expires_in": int(token.life)}
            )
        return response

    def close(self) -> None:
        """Close the connections."""
        self._wire.close()

    def _send(self, request: WireRequest, is_answer: Callable[[WireAnswer], Any]) -> _Response:
        answer = self._wire.send(request, max_body=MAX_TOKEN_BODY)
        if not is_answer(answer):
            if error := error_of(self._partner, request.label, answer, self._clock):
                raise error
            read_answer(self._partner, request.label, answer)
        return _Response(answer)


def tenant_unknown(answer: WireAnswer) -> bool:
    """Tell whether the tenant's endpoints are asked for in vain: Entra ID answers 400, others 404."""
    return answer.status in (400, 404)


def _text(headers: Mapping[str, str] | None) -> dict[str, str]:
    return {name: str(value) for name, value in (headers or {}).items() if value is not None}
