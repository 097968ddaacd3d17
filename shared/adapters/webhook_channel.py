"""Notifications to an incoming webhook (of a chat or incident tool)."""

from typing import Any
from urllib.parse import urlsplit

from shared.adapters.http import Call, PartnerClient


class WebhookChannel:
    """Posts each notification as JSON, under its ID as idempotency key."""

    def __init__(self, client: PartnerClient, url: str) -> None:
        """Post to the path of a URL whose origin the client calls."""
        self._client = client
        self._path = urlsplit(url).path or "/"

    def post(self, notification: dict[str, Any], *, idempotency_key: str) -> None:
        """Deliver a notification; whatever a 2xx answer says is fine."""
        import json

        body = json.dumps(notification).encode()
        headers = {"Content-Type": "application/json"}
        self._client.request(Call("POST", self._path, headers=headers, body=body, idempotency_key=idempotency_key))
