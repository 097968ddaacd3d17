"""The queue port on Azure Storage queues, and the claim check for large payloads."""

from base64 import b64encode
from collections.abc import Callable
from typing import TypeVar

from shared.adapters.storage_account import StorageAccount
from shared.kernel.blob import BlobMissing, Blobs
from shared.kernel.errors import DataRefused
from shared.kernel.message import Message

MAX_PAYLOAD_BYTES = 32 * 1024
"""Of JSON; a storage queue takes 48 KiB before base64, Service Bus 256 KB."""

MAX_DELAY = 7 * 24 * 3600 - 1
PAYLOADS = "message-payloads"
Result = TypeVar("Result")


class ClaimCheck:
    """Keeps large payloads in container `message-payloads`; the message carries the blob's name."""

    def __init__(self, blobs: Blobs) -> None:
        """Keep the blob store."""
        self._container = blobs.container(PAYLOADS)

    def check_in(self, message: Message) -> Message:
        """Return the message as it fits a queue; a large payload is stored first."""
        if message.dataref or len(message.to_json().encode()) <= MAX_PAYLOAD_BYTES:
            return message
        name = f"{message.tenant}/{message.id}-{message.attempt}.json"
        self._container.write(name, message.model_copy(update={"dataref": ""}).to_json().encode())
        return message.model_copy(update={"dataref": name, "data": {}})

    def check_out(self, message: Message) -> Message:
        """Return the message with its payload. DataRefused when the payload is gone or another tenant's."""
        if not message.dataref:
            return message
        if not message.dataref.startswith(f"{message.tenant}/"):
            raise DataRefused(f"message {message.id!r} refers to a payload of another tenant")
        try:
            stored = Message.model_validate_json(self._container.read(message.dataref))
        except (BlobMissing, ValueError):
            raise DataRefused(f"message {message.id!r}: its payload {message.dataref!r} is gone") from None
        return message.model_copy(update={"data": stored.data, "dataref": ""})


class StorageQueues:
    """Queues of a storage account; messages are base64 text, as the Functions host expects them."""

    def __init__(self, account: StorageAccount, blobs: Blobs) -> None:
        """Keep the account and the claim check."""
        self._account = account
        self._claim_check = ClaimCheck(blobs)

    def send(self, queue: str, message: Message, *, delay: float = 0) -> None:
        """Put a message on a queue, visible after `delay` seconds (at most seven days)."""
        content = b64encode(self._claim_check.check_in(message).to_json().encode()).decode()
        client = self._account.queues.get_queue_client(queue)
        seconds = min(int(delay + 0.999), MAX_DELAY)
        self._create_when_missing(
            queue, lambda: client.send_message(content, visibility_timeout=seconds, time_to_live=-1)
        )

    def resolve(self, message: Message) -> Message:
        """Return the message with its payload, fetched where it is a claim check."""
        return self._claim_check.check_out(message)

    def depth(self, queue: str) -> int:
        """Return about how many messages wait; 0 for a queue that is not there yet."""
        from azure.core.exceptions import ResourceNotFoundError

        try:
            properties = self._account.queues.get_queue_client(queue).get_queue_properties()
        except ResourceNotFoundError:
            return 0
        return int(properties.approximate_message_count or 0)

    def _create_when_missing(self, queue: str, call: Callable[[], Result]) -> Result:
        from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError

        try:
            return call()
        except ResourceNotFoundError:
            pass
        try:
            self._account.queues.create_queue(queue)
        except ResourceExistsError:
            return call()
        return call()
