"""How a queued message is processed, and what becomes of one that fails (INC-70, INC-71).

| outcome                                   | what happens                                                        |
|-------------------------------------------|---------------------------------------------------------------------|
| done                                      | the broker removes the message                                      |
| Busy, CircuitOpen                         | sent again after a while, the attempt does not count                |
| another passing HubError                  | sent again, later each time; after the last attempt parked          |
| a lasting HubError                        | parked at once                                                      |
| anything else (a defect, storage is down) | raised: the broker delivers again, in the end to its own dead letters |
"""

import logging
import traceback
from collections.abc import Callable
from datetime import timedelta

from shared.kernel.clock import Clock, from_iso
from shared.kernel.errors import Busy, CircuitOpen, DataRefused, HubError, PartnerError
from shared.kernel.message import Message, Queues, new_message, parse_message
from shared.messaging.dead_letters import DeadLetters, Failure, Kind

_log = logging.getLogger(__name__)

MAX_AGE = timedelta(hours=24)
"""A message that only ever waited for others is given up after that."""

ALERTS = "notifications"
"""The queue of operators' notifications. Its own dead letters are told by the log alone."""

Handler = Callable[[Message], None]
GivenUp = Callable[[Message, HubError], None]
"""Called when a message of a queue is given up, so that whatever it belonged to ends as failed."""


class CrashLoop(HubError):
    """The broker gave the message up because its worker crashed each time."""

    code = "CrashLoop"


class MessageProcessor:
    """Processes the messages of all queues of one tenant."""

    def __init__(
        self, queues: Queues, dead_letters: DeadLetters, tenant: str, clock: Clock, delays: tuple[float, ...]
    ) -> None:
        """Keep queues, dead letters, and the delays (seconds) between attempts."""
        self._queues, self._dead_letters = queues, dead_letters
        self._tenant, self._clock, self._delays = tenant, clock, delays

    def process(self, queue: str, body: bytes, handle: Handler, given_up: GivenUp | None = None) -> None:
        """Process one message. Trusts the envelope alone; what the broker says about the message can be forged."""
        message: Message | None = None
        try:
            message = parse_message(body)
            if message.tenant != self._tenant:
                raise DataRefused(f"message {message.id!r} is of another tenant")
            handle(self._queues.resolve(message))
        except HubError as error:
            if message is None or not self._again(queue, message, error):
                self._park(queue, body, message, error, given_up)

    def record_crash_loop(self, queue: str, body: bytes, delivery_count: int, given_up: GivenUp | None = None) -> None:
        """Keep a message that the broker gave up. Idempotent by message."""
        error = CrashLoop(f"the worker failed at it {delivery_count} times without an answer; see the log for why")
        try:
            message = parse_message(body)
        except DataRefused:
            message = None
        failure = Failure(Kind.BROKER, error.code, error.message, "CrashLoop", delivery_count=delivery_count)
        self._keep(queue, body, message, failure)
        if message and given_up and message.tenant == self._tenant:
            given_up(self._queues.resolve(message), error)

    def _again(self, queue: str, message: Message, error: HubError) -> bool:
        """Send a message again if that makes sense."""
        if not error.retryable:
            return False
        wish = float(getattr(error, "retry_after", None) or 0)
        if isinstance(error, Busy | CircuitOpen):
            if self._clock() - from_iso(message.time) > MAX_AGE:
                return False
            self._queues.send(queue, message, delay=wish)
            return True
        if message.attempt >= len(self._delays):
            return False
        self._queues.send(queue, message.next_attempt(), delay=max(wish, self._delays[message.attempt]))
        return True

    def _park(
        self, queue: str, body: bytes, message: Message | None, error: HubError, given_up: GivenUp | None
    ) -> None:
        failure = Failure(
            Kind.PARKED,
            error.code,
            error.message,
            type(error).__name__,
            "".join(traceback.format_exception(error)),
            error.partner if isinstance(error, PartnerError) else "",
        )
        self._keep(queue, body, message, failure)
        if message and given_up and message.tenant == self._tenant:
            given_up(self._queues.resolve(message), error)

    def _keep(self, queue: str, body: bytes, message: Message | None, failure: Failure) -> None:
        letter_id = self._dead_letters.keep(queue, body, message, failure)
        # An alert rule watches for this line: a dead letter always needs a person.
        _log.error("dead letter %s on queue %s: %s", letter_id, queue, failure.code)
        if queue != ALERTS:
            self._queues.send(ALERTS, self._alert(letter_id, queue, message, failure))

    def _alert(self, letter_id: str, queue: str, message: Message | None, failure: Failure) -> Message:
        """Return the notification to operators; its ID is the dead letter's, so that repeats are told once."""
        return new_message(
            message_id=f"{letter_id}-alert",
            message_type="dead-letter.created",
            tenant=self._tenant,
            now=self._clock(),
            subject=letter_id,
            correlation_id=message.correlationid if message else "",
            data={"deadLetterId": letter_id, "queue": queue, "kind": failure.kind.value, "reason": failure.code},
        )
