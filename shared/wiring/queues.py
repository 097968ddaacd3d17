"""The queues, on the transport that is set."""

from typing import TYPE_CHECKING

from shared.kernel.message import Queues
from shared.kernel.transport import Transport

if TYPE_CHECKING:
    from shared.hub import Hub


def build(hub: "Hub") -> Queues:
    """Return the queues. ConfigurationError names what is set wrongly. The SDK loads with the first message."""
    given = hub.settings.queues
    if given.transport is Transport.SERVICE_BUS:
        from shared.adapters.service_bus import ServiceBusQueues
        from shared.adapters.service_bus_namespace import ServiceBusNamespace

        namespace = ServiceBusNamespace(
            given.connection_string.get_secret_value(), given.namespace, client_id=given.client_id
        )
        return ServiceBusQueues(namespace, hub.blobs)
    from shared.adapters.queues import StorageQueues

    return StorageQueues(hub.storage_account, hub.blobs)
