"""The storage account: one client per service and process, every request counted."""

from collections import Counter
from collections.abc import Callable
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from azure.data.tables import TableServiceClient
    from azure.storage.blob import BlobServiceClient
    from azure.storage.queue import QueueServiceClient

_POOL_SIZE = 32
"""Connections kept per service: more than the threads that work at once."""


class TransactionCount:
    """Counts storage transactions by service; each request sent is one, a batch of 100 rows too."""

    def __init__(self) -> None:
        """Begin at zero."""
        self._counts: Counter[str] = Counter()
        self._lock = Lock()

    def add(self, service: str) -> None:
        """Count one transaction."""
        with self._lock:
            self._counts[service] += 1

    @property
    def total(self) -> int:
        """All transactions so far."""
        with self._lock:
            return self._counts.total()

    def snapshot(self) -> dict[str, int]:
        """Return the transactions so far by service."""
        with self._lock:
            return dict(self._counts)


class StorageAccount:
    """A storage account by its connection string. SDKs load when a service is first used."""

    def __init__(self, connection_string: str) -> None:
        """Keep the connection string; nothing is connected yet."""
        self._connection_string = connection_string
        self.transactions = TransactionCount()

    @cached_property
    def tables(self) -> "TableServiceClient":
        """The table service."""
        from azure.data.tables import TableServiceClient

        return TableServiceClient.from_connection_string(self._connection_string, **self._options("table"))

    @cached_property
    def blobs(self) -> "BlobServiceClient":
        """The blob service."""
        from azure.storage.blob import BlobServiceClient

        return BlobServiceClient.from_connection_string(self._connection_string, **self._options("blob"))

    @cached_property
    def queues(self) -> "QueueServiceClient":
        """The queue service."""
        from azure.storage.queue import QueueServiceClient

        return QueueServiceClient.from_connection_string(self._connection_string, **self._options("queue"))

    def _options(self, service: str) -> dict[str, Any]:
        from azure.core.pipeline.transport import RequestsTransport
        from requests import Session
        from requests.adapters import HTTPAdapter

        session = Session()
        session.trust_env = False
        for scheme in ("http://", "https://"):
            session.mount(scheme, HTTPAdapter(pool_connections=4, pool_maxsize=_POOL_SIZE))
        return {
            "transport": RequestsTransport(session=session, session_owner=False),
            "per_retry_policies": [_counting_policy(lambda: self.transactions.add(service))],
            "retry_total": 4,
            "connection_timeout": 10,
            "read_timeout": 60,
        }


def _counting_policy(count: Callable[[], None]) -> Any:  # noqa: ANN401 - an SDK class that is loaded late
    from azure.core.pipeline import PipelineRequest
    from azure.core.pipeline.policies import SansIOHTTPPolicy

    class CountingPolicy(SansIOHTTPPolicy[Any, Any]):
        def on_request(self, request: PipelineRequest[Any]) -> None:  # noqa: ARG002 - the SDK's signature
            count()

    return CountingPolicy()
