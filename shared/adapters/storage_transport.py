"""How requests to storage travel: one pool of connections per service, every attempt counted.

Imports azure-core: import it late.
"""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from azure.core.pipeline.transport import RequestsTransport
from requests import Session
from requests.adapters import HTTPAdapter

POOL_SIZE = 32
"""Connections kept for reuse: more than the threads of one instance."""

_KINDS = {
    "tables": (
        (r"POST .*/\$batch", "transact"),
        (r"POST .*/Tables", "create"),
        (r"POST ", "insert"),
        (r"PUT ", "write"),
        (r"DELETE ", "delete"),
        (r"GET .*\(\)", "query"),
        (r"GET ", "get"),
    ),
    "blobs": (
        (r"PUT .*[?&]restype=container", "create"),
        (r"PUT ", "write"),
        (r"GET .*[?&]comp=list", "list"),
        (r"GET ", "read"),
        (r"HEAD ", "info"),
        (r"DELETE ", "delete"),
    ),
    "queues": (
        (r"POST ", "send"),
        (r"PUT ", "create"),
        (r"GET .*[?&]comp=metadata", "depth"),
    ),
}


class CountingTransport(RequestsTransport):  # type: ignore[misc]  # the SDK exports it untyped
    """Sends over a pool of connections and reports each request, also the retried ones, by service and kind."""

    def __init__(self, service: str, count: Callable[[str, str], None]) -> None:
        """Open no connection yet. Proxies of the environment are not used: storage is a neighbour."""
        session = Session()
        session.trust_env = False
        for scheme in ("http://", "https://"):
            session.mount(scheme, HTTPAdapter(pool_connections=4, pool_maxsize=POOL_SIZE))
        super().__init__(session=session, session_owner=False)
        self._service = service
        self._count = count
        self._kinds = [(re.compile(pattern), kind) for pattern, kind in _KINDS[service]]

    def send(self, request: Any, **options: Any) -> Any:  # noqa: ANN401 - the SDK's own types, which are overloaded
        """Count the request and send it."""
        parts = urlsplit(request.url)
        line = f"{request.method} {parts.path}?{parts.query}"
        self._count(self._service, next((kind for pattern, kind in self._kinds if pattern.match(line)), "other"))
        return super().send(request, **options)
