"""How a queued message is processed, and what becomes of one that fails (INC-70, INC-71).

| outcome                                   | what happens                                                          |
|-------------------------------------------|-----------------------------------------------------------------------|
| done                                      | the broker removes the message                                        |
| Busy, CircuitOpen                         | sent again after a while, the attempt does not count; parked in a day |
| another passing HubError                  | sent again, later each time; after the last attempt parked            |
| a lasting HubError                        | parked at once                                                        |
| anything else (a defect, storage is down) | raised: the broker delivers again, in the end to its poison queue     |

Parking: the body to a blob, then the row, then the alert, then `given_up`. After a crash in between, the broker
delivers the message again; parking it again changes nothing that is there.
"""

import logging
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta

from shared.kernel.clock import Clock, from_iso
from shared.kernel.errors import Busy, CircuitOpen, DataRefused, HubError, PartnerError
from shared.kernel.message import Message, Queues, new_message, parse_message
from shared.messaging.dead_letter import Failure, Kind
from shared.messaging.dead_letters import DeadLetters
from shared.messaging.queue_names import NOTIFICATIONS

_log = logging.getLogger(__name__)

MAX_AGE = timedelta(hours=24)
"""A message that only ever waited for others is given up after that; no wish to wait is granted beyond it either."""
MIN_WAIT = 1.0
"""Seconds: a message that waits for others must not spin."""

Handler = Callable[[Message], None]
Observe = Callable[[str, Message], AbstractContextManager[Callable[[str], None]]]
"""Surrounds the work on a message of a queue; what it gives is told the outcome: done, again, parked,
dead-lettered (by the broker)."""
GivenUp = Callable[[Message, HubError], None]
"""Called when a message of a queue is given up, so that whatever it belonged to ends as failed."""


class BrokerGaveUp(HubError):
    """The broker gave the message up because its worker failed each time. The code is the broker's reason."""

    def __init__(self, reason: str, description: str) -> None:
        """Keep the reason."""
        super().__init__(description)
        self.code = reason


class MessageProcessor:
    """Processes the messages of all queues of one tenant."""

    def __init__(
        self,
        queues: Queues,
        dead_letters: DeadLetters,
        tenant: str,
        clock: Clock,
        delays: tuple[float, ...],
        *,
        observe: Observe = lambda _queue, _message: nullcontext(lambda _outcome: None),
    ) -> None:
        """Keep queues, dead letters, the delays (seconds) between attempts, and who looks on."""
        self._queues, self._dead_letters = queues, dead_letters
        self._tenant, self._clock, self._delays = tenant, clock, delays
        self._observe = observe

    def process(self, queue: str, body: bytes, handle: Handler, given_up: GivenUp | None = None) -> None:
        """Process one message. Trusts the envelope alone; what the broker says about the message can be forged.

        Returns when the message is settled: done, sent again, or parked. Raises what is no HubError.
        """
        try:
            message = parse_message(body)
        except DataRefused as error:
            self._keep(queue, body, None, _parked(error))
            return
        with self._observe(queue, message) as tell:
            try:
                self._check(message)
                handle(self._queues.resolve(message))
                tell("done")
            except HubError as error:
                if self._send_again(queue, message, error):
                    tell("again")
                    return
                self._give_up(queue, body, message, _parked(error), error, given_up)
                tell("parked")

    def record_broker_dead_letter(
        self,
        queue: str,
        body: bytes,
        *,
        delivery_count: int,
        reason: str,
        description: str,
        given_up: GivenUp | None = None,
    ) -> None:
        """Keep a message that the broker gave up. Idempotent by message and attempt.

        Count, reason and description come from where they cannot be forged: not from trigger metadata that a body can
        overwrite.
        """
        failure = Failure(Kind.BROKER, reason, description, delivery_count=delivery_count)
        try:
            message = parse_message(body)
        except DataRefused:
            self._keep(queue, body, None, failure)
            return
        with self._observe(queue, message) as tell:
            self._give_up(queue, body, message, failure, BrokerGaveUp(reason, description), given_up)
            tell("dead-lettered")

    def record_crash_loop(self, queue: str, body: bytes, delivery_count: int, given_up: GivenUp | None = None) -> None:
        """Keep a message whose function failed each time that the broker delivered it. Idempotent as above."""
        description = f"its function failed at it {delivery_count} times without settling it: see the log for why"
        self.record_broker_dead_letter(
            queue, body, delivery_count=delivery_count, reason="CrashLoop", description=description, given_up=given_up
        )

    def _check(self, message: Message) -> None:
        if message.tenant != self._tenant:
            raise DataRefused(f"message {message.id!r} is of another tenant")
        try:
            from_iso(message.time)
        except ValueError:
            raise DataRefused(f"message {message.id!r}: time is no ISO 8601 instant with an offset") from None

    def _send_again(self, queue: str, message: Message, error: HubError) -> bool:
        """Send a message again if that makes sense; tell whether it did."""
        if not error.retryable:
            return False
        longest = MAX_AGE.total_seconds()
        wish = min(max(float(getattr(error, "retry_after", None) or 0), 0.0), longest)
        if isinstance(error, Busy | CircuitOpen):
            if self._clock() - from_iso(message.time) > MAX_AGE:
                return False
            self._queues.send(queue, message.put_off(), delay=max(wish, MIN_WAIT))
        elif message.attempt < len(self._delays):
            self._queues.send(queue, message.next_attempt(), delay=max(wish, self._delays[message.attempt]))
        else:
            return False
        extra = {"queue": queue, "messageId": message.id, "attempt": message.attempt, "reason": error.code}
        _log.warning("message %s of queue %s is tried again later", message.id, queue, extra=extra)
        return True

    def _give_up(
        self,
        queue: str,
        body: bytes,
        message: Message,
        failure: Failure,
        error: HubError,
        given_up: GivenUp | None,
    ) -> None:
        self._keep(queue, body, message, failure)
        if given_up and message.tenant == self._tenant:
            given_up(self._resolved_if_possible(message), error)

    def _keep(self, queue: str, body: bytes, message: Message | None, failure: Failure) -> None:
        letter_id = self._dead_letters.keep(queue, body, message, failure)
        # An alert rule watches for this line: a dead letter always needs a person.
        extra = {
            "alert": "high",
            "event": "dead-letter.created",
            "deadLetterId": letter_id,
            "queue": queue,
            "reason": failure.code,
        }
        _log.error("dead letter %s on queue %s: %s", letter_id, queue, failure.code, extra=extra)
        if queue != NOTIFICATIONS:  # its own dead letters are told by the log alone
            self._queues.send(NOTIFICATIONS, self._alert(letter_id, queue, message, failure))

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

    def _resolved_if_possible(self, message: Message) -> Message:
        """A payload that is gone may be the very reason for giving up."""
        try:
            return self._queues.resolve(message)
        except DataRefused:
            return message


def _parked(error: HubError) -> Failure:
    return Failure(
        Kind.PARKED,
        error.code,
        error.message,
        type(error).__name__,
        "".join(traceback.format_exception(error)),
        error.partner if isinstance(error, PartnerError) else "",
    )
