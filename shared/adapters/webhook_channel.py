"""Notifications to an incoming webhook (of a chat or incident tool). Its URL is a secret: whoever has it can post."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from shared.adapters.http import Call, PartnerClient
from shared.kernel.errors import CredentialsRefused, FieldProblem, PartnerRefused
from shared.kernel.secret import Secret

_ABOUT_THE_URL = frozenset({401, 403, 404, 410})


class WebhookChannel:
    """Posts each notification as JSON, under its ID as idempotency key."""

    def __init__(self, url: Secret, client_of: Callable[[str], PartnerClient]) -> None:
        """Read nothing yet. `client_of` makes the client of an origin, such as `https://chat.example.com`."""
        self._url = url
        self._client_of = client_of
        self._clients: dict[str, PartnerClient] = {}

    def post(self, notification: dict[str, Any], *, idempotency_key: str) -> bool:
        """Deliver a notification, whatever a 2xx answer says; False where there is no URL.

        A URL that is refused is read anew. CredentialsRefused; errors of the client, which show nothing of it.
        """
        import json

        if self._url.find() is None:
            return False
        body = json.dumps(notification).encode()
        self._url.use(lambda url: self._post(url, body, idempotency_key))
        return True

    def _post(self, url: str, body: bytes, idempotency_key: str) -> None:
        try:
            origin, call = _call(url, body, idempotency_key)
            client = self._clients.get(origin) or self._client_of(origin)
        except ValueError:
            raise CredentialsRefused((FieldProblem(self._url.setting, "is no URL that can be called"),)) from None
        self._clients[origin] = client
        try:
            client.request(call)
        except PartnerRefused as error:
            if error.status not in _ABOUT_THE_URL:
                raise
            problem = f"the webhook answered {error.status}: it is not there any more, or lets nobody in"
            raise CredentialsRefused((FieldProblem(self._url.setting, problem),)) from None


def _call(url: str, body: bytes, idempotency_key: str) -> tuple[str, Call]:
    """Return the origin of a URL, and the call of the rest. ValueError when it is none."""
    parts = urlsplit(url)
    headers = {"Content-Type": "application/json"}
    call = Call("POST", parts.path or "/", parts.query, headers, body, idempotency_key, name="POST to the webhook")
    return f"{parts.scheme}://{parts.netloc}", call
