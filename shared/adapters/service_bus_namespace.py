"""The Service Bus namespace: one client per process. SDKs load, and connections open, when it is first used."""

from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from importlib import import_module
from threading import Lock
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from azure.servicebus import ServiceBusClient, ServiceBusReceiver, ServiceBusSender
    from azure.servicebus.management import ServiceBusAdministrationClient

Link = TypeVar("Link", bound="ServiceBusSender | ServiceBusReceiver")
Result = TypeVar("Result")

_LOADING = Lock()


def load_sdk() -> None:
    """Load the SDK, one thread at a time.

    Its modules import each other: of two threads that load them at once, Python shows one a module that is half loaded.
    """
    with _LOADING:
        import_module("azure.servicebus")
        import_module("azure.servicebus.exceptions")


class SharedLink(Generic[Link]):
    """A sender or receiver of the SDK, which is for one thread, for all threads: they take turns.

    It is opened when first used and kept. After an error it is thrown away: what state it is in, nobody knows.
    """

    def __init__(self, open_link: Callable[[], Link]) -> None:
        """Keep how to open one."""
        self._open = open_link
        self._link: Link | None = None
        self._turn = Lock()

    def use(self, work: Callable[[Link], Result]) -> Result:
        """Return what the work returns; it has the link for itself meanwhile.

        A link that was kept may have been cut meanwhile, which the SDK does not always recognise as passing: work
        that fails so is done once more, on a new link. It must be repeatable.
        """
        with self._turn:
            kept = self._link is not None
            try:
                return self._try(work)
            except Exception as error:
                if not (kept and _is_unexplained(error)):
                    raise
            return self._try(work)

    def _try(self, work: Callable[[Link], Result]) -> Result:
        if self._link is None:
            self._link = self._open()
        try:
            return work(self._link)
        except BaseException:
            self._throw_away()
            raise

    def close(self) -> None:
        """Close what is open."""
        with self._turn:
            self._throw_away()

    def _throw_away(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            with suppress(Exception):  # it may well be closed already
                link.close()


def _is_unexplained(error: Exception) -> bool:
    """Tell whether the SDK itself does not know what an error is: its most general one, or one of Python's own.

    What it knows to pass, it has tried again already.
    """
    from azure.core.exceptions import AzureError
    from azure.servicebus.exceptions import ServiceBusError

    return type(error) is ServiceBusError or not isinstance(error, AzureError)


class ServiceBusNamespace:
    """A namespace, by the connection string of a broker on this machine, or by its host name with our identity."""

    def __init__(self, connection_string: str = "", host_name: str = "", *, client_id: str = "") -> None:
        """Keep either; `client_id` names a user-assigned identity. Nothing is read from them yet."""
        self._connection_string, self._host_name, self._client_id = connection_string, host_name, client_id
        self._client: ServiceBusClient | None = None
        self._lock = Lock()

    @property
    def is_emulated(self) -> bool:
        """Whether this is a broker on this machine: those have no administration."""
        return "usedevelopmentemulator=true" in self._connection_string.lower().replace(" ", "")

    @property
    def client(self) -> "ServiceBusClient":
        """The one client. What passes is tried four times within about six seconds."""
        with self._lock:
            if self._client is None:
                self._client = self._new_client()
            return self._client

    @cached_property
    def administration(self) -> "ServiceBusAdministrationClient":
        """Tells how many messages queues hold. Not of an emulated namespace."""
        load_sdk()
        with _LOADING:
            from azure.servicebus.management import ServiceBusAdministrationClient

        from shared.adapters.azure_identity import azure_credential

        if self._connection_string:
            return ServiceBusAdministrationClient.from_connection_string(self._connection_string)
        return ServiceBusAdministrationClient(self._host_name, azure_credential(self._client_id))

    def _new_client(self) -> "ServiceBusClient":
        load_sdk()
        from azure.servicebus import ServiceBusClient

        from shared.adapters.azure_identity import azure_credential

        options: dict[str, Any] = {"retry_total": 3, "retry_backoff_factor": 0.8, "retry_backoff_max": 8}
        if self._connection_string:
            return ServiceBusClient.from_connection_string(self._connection_string, **options)
        return ServiceBusClient(self._host_name, azure_credential(self._client_id), **options)

    def sender(self, queue: str) -> "SharedLink[ServiceBusSender]":
        """Return a sender to a queue."""
        return SharedLink(lambda: self.client.get_queue_sender(queue))

    def receiver(self, queue: str) -> "SharedLink[ServiceBusReceiver]":
        """Return a receiver from a queue."""
        return SharedLink(lambda: self.client.get_queue_receiver(queue))
