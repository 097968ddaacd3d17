"""The storage account: one client per service and process, every request counted."""

from collections import Counter
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from azure.data.tables import TableServiceClient
    from azure.storage.blob import BlobServiceClient
    from azure.storage.queue import QueueServiceClient


class TransactionCount:
    """Counts storage transactions by service and kind; each request sent is one, a batch of 100 rows too."""

    def __init__(self) -> None:
        """Begin at zero."""
        self._counts: Counter[str] = Counter()
        self._lock = Lock()

    def add(self, service: str, kind: str) -> None:
        """Count one transaction."""
        with self._lock:
            self._counts[f"{service}.{kind}"] += 1

    @property
    def total(self) -> int:
        """All transactions so far."""
        with self._lock:
            return self._counts.total()

    def snapshot(self) -> dict[str, int]:
        """Return the transactions so far, such as `{"tables.transact": 3, "queues.send": 1}`."""
        with self._lock:
            return dict(self._counts)


class StorageAccount:
    """A storage account by its connection string. SDKs load, and connections open, when a service is first used."""

    def __init__(self, connection_string: str) -> None:
        """Keep the connection string; nothing is read from it yet."""
        self._connection_string = connection_string
        self.transactions = TransactionCount()

    @cached_property
    def tables(self) -> "TableServiceClient":
        """The table service. Throttling and passing failures are retried after 0, 1.6, 3.2 and 6.4 seconds."""
        from azure.data.tables import TableServiceClient

        options = self._options("tables") | {"retry_status": 4, "retry_backoff_max": 10}
        return TableServiceClient.from_connection_string(self._connection_string, **options)

    @cached_property
    def blobs(self) -> "BlobServiceClient":
        """The blob service."""
        from azure.storage.blob import BlobServiceClient

        options = self._options("blobs") | {"initial_backoff": 1, "increment_base": 2}
        return BlobServiceClient.from_connection_string(self._connection_string, **options)

    @cached_property
    def queues(self) -> "QueueServiceClient":
        """The queue service."""
        from azure.storage.queue import QueueServiceClient

        options = self._options("queues") | {"initial_backoff": 1, "increment_base": 2}
        return QueueServiceClient.from_connection_string(self._connection_string, **options)

    def _options(self, service: str) -> dict[str, Any]:
        from shared.adapters.storage_transport import CountingTransport

        return {
            "transport": CountingTransport(service, self.transactions.add),
            "retry_total": 4,
            "connection_timeout": 10,
            "read_timeout": 60,
        }
