"""The queue port on Azure Storage queues."""

from base64 import b64encode

from shared.adapters.blob_names import check_container_name
from shared.adapters.claim_check import ClaimCheck
from shared.adapters.queue_delays import check_delay
from shared.adapters.storage_account import StorageAccount
from shared.adapters.storage_errors import passing_named, refused
from shared.kernel.blob import Blobs
from shared.kernel.message import Message

SERVICE = "queues"

_FOREVER = -1
"""Time to live: a message that waits for an operator must not vanish after the default of seven days."""


class StorageQueues:
    """Queues of a storage account; messages are base64 text, as the Functions host expects them."""

    def __init__(self, account: StorageAccount, blobs: Blobs) -> None:
        """Keep the account, and where large payloads go."""
        self._account = account
        self._claims = ClaimCheck(blobs)

    def send(self, queue: str, message: Message, *, delay: float = 0) -> None:
        """Put a message on a queue, visible after `delay` seconds (at most seven days).

        StorageUnavailable, StorageRefused.
        """
        from azure.core.exceptions import AzureError, ResourceNotFoundError

        check_container_name(queue)
        wait = check_delay(delay)
        content = b64encode(self._claims.check_in(message).to_json().encode()).decode()
        client = self._account.queues.get_queue_client(queue)
        try:
            with passing_named(SERVICE):
                try:
                    client.send_message(content, visibility_timeout=wait, time_to_live=_FOREVER)
                except ResourceNotFoundError:
                    self._create(queue)
                    client.send_message(content, visibility_timeout=wait, time_to_live=_FOREVER)
        except AzureError as error:
            raise refused(SERVICE, error) from None

    def resolve(self, message: Message) -> Message:
        """Return the message with its payload, fetched where it is a claim check."""
        return self._claims.check_out(message)

    def depth(self, queue: str) -> int:
        """Return about how many messages wait, the delayed ones too; 0 for a queue that is not there yet."""
        from azure.core.exceptions import AzureError, ResourceNotFoundError

        try:
            with passing_named(SERVICE):
                properties = self._account.queues.get_queue_client(queue).get_queue_properties()
        except ResourceNotFoundError:
            return 0
        except AzureError as error:
            raise refused(SERVICE, error) from None
        return int(properties.approximate_message_count or 0)

    def _create(self, queue: str) -> None:
        from azure.core.exceptions import ResourceExistsError

        try:
            self._account.queues.create_queue(queue)
        except ResourceExistsError:
            return
