"""Dropped files: which are none, and what cannot be done when the host tells of a file: a message does it later."""

import logging
from collections.abc import Callable
from typing import Protocol, TypeVar

from shared.kernel.blob import BlobInfo
from shared.kernel.errors import StorageUnavailable, raised_at
from shared.kernel.identifiers import NewId
from shared.kernel.message import Sender, send_message

Taken = TypeVar("Taken")

_log = logging.getLogger(__name__)


class Inbox(Sender, Protocol):
    """Who takes files in."""

    @property
    def new_id(self) -> NewId:
        """Makes the message's ID."""
        ...


def is_folder(info: BlobInfo) -> bool:
    """Tell whether a blob stands for a folder: SFTP gateways, blobfuse and Data Lake tools make folders as blobs.

    Such a blob says so in its metadata (`hdi_isfolder`), or is empty and its name ends in a slash.
    """
    marks = {name.lower(): value for name, value in info.metadata.items()}
    return marks.get("hdi_isfolder", "").strip().lower() == "true" or (info.size == 0 and info.name.endswith("/"))


def now_or_by_message(
    inbox: Inbox, queue: str, message_type: str, name: str, take_in: Callable[[], Taken]
) -> Taken | None:
    """Return what taking a file in returns, None where a message was sent that does it later.

    The host would call again at once, and give the file up after five times: too soon for storage that is away, and
    nobody would be told why. Whatever else goes wrong, the message ends as messages do: tried again, then parked.
    """
    try:
        return take_in()
    except StorageUnavailable:
        delay = StorageUnavailable.retry_after
    except Exception as error:  # noqa: BLE001 - whatever nobody foresaw must come to an end like everything else
        name, extra = type(error).__name__, {"where": raised_at(error)}
        _log.error("a dropped file is tried again by a message: %s was not foreseen", name, extra=extra)
        delay = 0.0
    send_message(
        inbox,
        queue,
        message_id=inbox.new_id(),
        message_type=message_type,
        subject=name,
        data={"file": name},
        delay=delay,
    )
    return None
