"""Tell what happened, once per event: operators by webhook, everybody concerned by e-mail (INC-06, INC-60).

The channel is an incoming webhook (of a chat or incident tool); where none is configured, the notification is
kept and shows in the log alone.
"""

import logging
from collections.abc import Callable
from typing import Any, Protocol

from shared.kernel.errors import HubError
from shared.kernel.message import Message
from shared.kernel.once import RunOnce
from shared.notify.mailing import PORTION, Mailing

_log = logging.getLogger(__name__)


class Channel(Protocol):
    """The port to where notifications go."""

    def post(self, notification: dict[str, Any], *, idempotency_key: str) -> bool:
        """Deliver a notification; False where it has nowhere to go. Partner errors as in `kernel.errors`."""
        ...


class Notifier:
    """Delivers notifications."""

    def __init__(self, channel: Channel | None, once: RunOnce, mailing: Mailing | None = None) -> None:
        """Keep the channel and who writes e-mails, where there are such."""
        self._channel = channel
        self._once = once
        self._mailing = mailing

    def handle(self, message: Message) -> None:
        """Deliver the notification that a message asks for. Idempotent by the message's ID."""
        failures = [self._try(lambda: self._post(message)), self._try(lambda: self._write(message))]
        for failure in failures:
            if failure:
                raise failure

    def _post(self, message: Message) -> None:
        # What was split up for e-mail alone is none of the operators' business.
        if message.type != PORTION:
            self._once.run("notify", message.id, lambda: self._deliver(message))

    def _write(self, message: Message) -> None:
        if self._mailing:
            self._mailing.handle(message)

    def _try(self, tell: Callable[[], None]) -> HubError | None:
        """Tell one way; a failure does not keep the other way from being tried."""
        try:
            tell()
        except HubError as error:
            return error
        return None

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
        delivered = self._channel is not None and self._channel.post(notification, idempotency_key=message.id)
        return {"delivered": delivered}
