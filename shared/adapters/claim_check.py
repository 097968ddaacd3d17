"""Claim check: a payload too large for a queue is stored as a blob, and the message carries the blob's name."""

from urllib.parse import quote

from pydantic import JsonValue, TypeAdapter, ValidationError

from shared.kernel.blob import BlobMissing, Blobs
from shared.kernel.errors import DataRefused
from shared.kernel.fitting import MAX_MESSAGE_ID, fitting
from shared.kernel.message import Message

CONTAINER = "message-payloads"
MAX_INLINE_BYTES = 32 * 1024
"""Of payload JSON. With the envelope and base64 it stays well under the 64 KiB of a storage queue."""

_PAYLOAD: TypeAdapter[dict[str, JsonValue]] = TypeAdapter(dict[str, JsonValue])


class ClaimCheck:
    """Puts large payloads aside before sending, and fetches them after receiving."""

    def __init__(self, blobs: Blobs) -> None:
        """Keep where the payloads go."""
        self._blobs = blobs

    def check_in(self, message: Message) -> Message:
        """Return the message as it is sent. The blob is written first; its name is fixed by the message's ID."""
        payload = _PAYLOAD.dump_json(message.data)
        if len(payload) <= MAX_INLINE_BYTES:
            return message
        name = _blob_name(message)
        self._blobs.container(CONTAINER).write(name, payload, content_type="application/json")
        return message.model_copy(update={"data": {}, "dataref": name})

    def check_out(self, message: Message) -> Message:
        """Return the message with its payload. DataRefused when the payload is gone or is not this message's."""
        if not message.dataref:
            return message
        if message.dataref != _blob_name(message):
            raise DataRefused(f"message {message.id}: the claim check is not its own")
        try:
            data = _PAYLOAD.validate_json(self._blobs.container(CONTAINER).read(message.dataref))
        except BlobMissing:
            raise DataRefused(f"message {message.id}: its payload {message.dataref} is gone") from None
        except ValidationError:
            raise DataRefused(f"message {message.id}: its payload {message.dataref} is no JSON object") from None
        return message.model_copy(update={"data": data, "dataref": ""})


def _blob_name(message: Message) -> str:
    return f"{quote(message.tenant, safe='')}/{quote(fitting(message.id, MAX_MESSAGE_ID), safe='')}.json"
