"""How requests to storage travel: one pool of connections per service, every attempt counted.

Imports azure-core: import it late.
"""

import re
from collections.abc import Callable
from http.client import RemoteDisconnected
from typing import Any
from urllib.parse import urlsplit

from azure.core.exceptions import ServiceResponseError
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

    def __init__(
        self,
        service: str,
        count: Callable[[str, str], None],
        *,
        connect: float,
        read: float,
        ca_bundle: str | None = None,
    ) -> None:
        """Open no connection yet. `connect` and `read` are timeouts in seconds: clients give none to a given transport.

        Proxies of the environment are not used: storage is a neighbour.
        """
        session = Session()
        session.trust_env = False
        for scheme in ("http://", "https://"):
            session.mount(scheme, HTTPAdapter(pool_connections=4, pool_maxsize=POOL_SIZE))
        super().__init__(
            session=session,
            session_owner=False,
            connection_timeout=connect,
            read_timeout=read,
            connection_verify=ca_bundle or True,
        )
        self._service = service
        self._count = count
        self._kinds = [(re.compile(pattern), kind) for pattern, kind in _KINDS[service]]

    def send(self, request: Any, **options: Any) -> Any:  # noqa: ANN401 - the SDK's own types, which are overloaded
        """Send the request, once more when its connection was closed while it lay idle in the pool.

        The SDK does not repeat a POST. Here it may be repeated: a message that is sent twice is handled once, and a
        table transaction that took place already is refused by its ETags, upon which its caller reads again.
        """
        try:
            return self._send_once(request, options)
        except ServiceResponseError as error:
            if not isinstance(root_of(error), ConnectionResetError | RemoteDisconnected | BrokenPipeError):
                raise
        return self._send_once(request, options)

    def _send_once(self, request: Any, options: dict[str, Any]) -> Any:  # noqa: ANN401 - as above
        """Count the request and send it."""
        parts = urlsplit(request.url)
        line = f"{request.method} {parts.path}?{parts.query}"
        self._count(self._service, next((kind for pattern, kind in self._kinds if pattern.match(line)), "other"))
        return super().send(request, **options)


def root_of(error: BaseException) -> BaseException:
    """Return the error of the socket beneath the layers that wrap it: the SDK's, those of requests and urllib3."""
    beneath = (error.__cause__, error.__context__, getattr(error, "inner_exception", None), *error.args)
    inner = next((one for one in beneath if isinstance(one, BaseException)), None)
    return root_of(inner) if inner is not None else error
