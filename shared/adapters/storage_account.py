"""The storage account: one client per service and process, every request counted."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Any

from shared.adapters.azure_identity import azure_credential
from shared.adapters.settings import StorageSettings

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential
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


@dataclass(frozen=True)
class Patience:
    """How often a request is sent again, and how long each try may take (seconds).

    All of it ends long before the time of a function does (host.json), also where storage takes each request and never
    answers: whoever waits must still be able to put the work off.
    """

    retries: int = 4
    unanswered_retries: int = 1
    """Of the retries, so many after a request that was sent and not answered."""
    connect: float = 10
    read: float = 30


@dataclass(frozen=True)
class StorageAddresses:
    """Where the services of an account are, and who we are there (INC-32); `credential` is asked for once."""

    blobs: str
    queues: str
    tables: str
    credential: "Callable[[], TokenCredential]"


class StorageAccount:
    """A storage account, by its connection string or its addresses.

    SDKs load, and connections open, when a service is first used.
    """

    def __init__(
        self, place: str | StorageAddresses, *, ca_bundle: str | None = None, patience: Patience | None = None
    ) -> None:
        """Keep the place; nothing is read from it yet. `ca_bundle` is a file of own CAs."""
        self._place = place
        self._patience = patience or Patience()
        self._ca_bundle = ca_bundle
        self.transactions = TransactionCount()

    @cached_property
    def tables(self) -> "TableServiceClient":
        """The table service. Throttling and passing failures are retried after 0, 1.6, 3.2 and 6.4 seconds."""
        from azure.data.tables import TableServiceClient

        options = self._options("tables") | {"retry_status": self._patience.retries, "retry_backoff_max": 10}
        if isinstance(self._place, str):
            return TableServiceClient.from_connection_string(self._place, **options)
        return TableServiceClient(self._place.tables, credential=self._credential, **options)

    @cached_property
    def blobs(self) -> "BlobServiceClient":
        """The blob service."""
        from azure.storage.blob import BlobServiceClient

        options = self._options("blobs") | {"initial_backoff": 1, "increment_base": 2}
        if isinstance(self._place, str):
            return BlobServiceClient.from_connection_string(self._place, **options)
        return BlobServiceClient(self._place.blobs, credential=self._credential, **options)

    @cached_property
    def queues(self) -> "QueueServiceClient":
        """The queue service."""
        from azure.storage.queue import QueueServiceClient

        options = self._options("queues") | {"initial_backoff": 1, "increment_base": 2}
        if isinstance(self._place, str):
            return QueueServiceClient.from_connection_string(self._place, **options)
        return QueueServiceClient(self._place.queues, credential=self._credential, **options)

    @cached_property
    def _credential(self) -> "TokenCredential":
        """One for all services, for it keeps the tokens."""
        assert not isinstance(self._place, str), "a connection string is credential enough"
        return self._place.credential()

    def _options(self, service: str) -> dict[str, Any]:
        from shared.adapters.storage_transport import CountingTransport

        patience = self._patience
        return {
            "transport": CountingTransport(
                service,
                self.transactions.add,
                connect=patience.connect,
                read=patience.read,
                ca_bundle=self._ca_bundle,
            ),
            "retry_total": patience.retries,
            "retry_read": patience.unanswered_retries,
        }


def storage_account(settings: StorageSettings) -> StorageAccount:
    """Return the account of the settings."""
    if settings.connection_string:
        return StorageAccount(settings.connection_string.get_secret_value())
    blobs, queues, tables = settings.blob_uri or "", settings.queue_uri or "", settings.table_uri or ""
    return StorageAccount(StorageAddresses(blobs, queues, tables, lambda: azure_credential(settings.client_id)))
