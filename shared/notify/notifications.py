"""Tell operators what happened, once per event (INC-06).

The channel is an incoming webhook (of a chat or incident tool); where none is configured, the notification is
kept and shows in the log alone.
"""

import logging
from typing import Any, Protocol

from shared.kernel.message import Message
from shared.kernel.once import RunOnce

_log = logging.getLogger(__name__)


class Channel(Protocol):
    """The port to where notifications go."""

    def post(self, notification: dict[str, Any], *, idempotency_key: str) -> None:
        """Deliver a notification. Partner errors as in `kernel.errors`."""
        ...


class Notifier:
    """Delivers notifications."""

    def __init__(self, channel: Channel | None, once: RunOnce) -> None:
        """Keep the channel, if there is one."""
        self._channel = channel
        self._once = once

    def handle(self, message: Message) -> None:
        """Deliver the notification that a message asks for. Idempotent by the message's ID."""
        self._once.run("notify", message.id, lambda: self._deliver(message))

    def _deliver(self, message: Message) -> dict[str, bool]:
        notification = {
            "id": message.id,
            "type": message.type,
            "time": message.time,
            "subject": message.subject,
            "correlationId": message.correlationid,
            "data": message.data,
        }
        _log.info("notification %s %s", message.type, message.subject)
        if self._channel is None:
            return {"delivered": False}
        self._channel.post(notification, idempotency_key=message.id)
        return {"delivered": True}
