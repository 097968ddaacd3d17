"""How a queued message is processed, and what becomes of one that fails (INC-70, INC-71).

| outcome                                   | what happens                                                          |
|-------------------------------------------|-----------------------------------------------------------------------|
| done                                      | the broker removes the message                                        |
| Busy, CircuitOpen                         | sent again after a while, the attempt does not count; parked in a day |
| StorageUnavailable                        | sent again, later each time, the attempt does not count; as above     |
| another passing HubError                  | sent again, later each time; after the last attempt parked            |
| a lasting HubError                        | parked at once                                                        |
| anything else (a defect)                  | raised: the broker delivers again; at the fifth crash dead-lettered   |

A crash is a delivery that settled nothing: its worker raised a defect, or its process was killed. A message that is
sent again starts with a new count at the broker, so the crashes until then travel with it (`crashes`). However the
waits and the crashes alternate, the fifth crash is the last one.

Parking: the body to a blob, then the row, then the alert, then `given_up`. After a crash in between, the broker
delivers the message again; parking it again changes nothing that is there. While storage is away nothing is parked: the
message is sent again, whatever its age. Where it cannot even be sent, because the queues are away too, that is raised:
they deliver it again when they are back.
"""

import logging
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime, timedelta

from shared.kernel.clock import Clock, from_iso
from shared.kernel.errors import (
    Busy,
    CircuitOpen,
    DataRefused,
    HubError,
    PartnerError,
    StorageUnavailable,
    raised_at,
)
from shared.kernel.message import Message, Queues, new_message, parse_message
from shared.messaging.dead_letter import Failure, Kind
from shared.messaging.dead_letters import DeadLetters
from shared.messaging.queue_names import BROKER_DELIVERIES, NOTIFICATIONS

_log = logging.getLogger(__name__)

MAX_AGE = timedelta(hours=24)
"""A message that only ever waited for others is given up after that; no wish to wait is granted beyond it either."""
MIN_WAIT = 1.0
"""Seconds: a message that waits for others must not spin."""
PAUSE = 60.0
"""Seconds for which what is no message of ours is held, when storage is away that is to keep it: see `_held`."""

Handler = Callable[[Message], None]
Observe = Callable[[str, Message], AbstractContextManager[Callable[[str], None]]]
"""Surrounds the work on a message of a queue; what it gives is told the outcome: done, again, parked,
dead-lettered (by the broker)."""
GivenUp = Callable[[Message, HubError], None]
"""Called when a message of a queue is given up, so that whatever it belonged to ends as failed."""


Delayed = Callable[[Message, HubError, int, datetime], None]
"""Called when a message of a queue is sent again: why, after how many tries, and when it is tried next."""
CRASH_LOOP = "CrashLoop"
"""The reason of a message that was given up because its worker failed each time."""


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
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Keep queues, dead letters, the delays (seconds) between attempts, and who looks on."""
        self._queues, self._dead_letters = queues, dead_letters
        self._tenant, self._clock, self._delays = tenant, clock, delays
        self._observe, self._sleep = observe, sleep

    def process(
        self,
        queue: str,
        body: bytes,
        handle: Handler,
        given_up: GivenUp | None = None,
        *,
        deliveries: int = 1,
        delayed: Delayed | None = None,
    ) -> None:
        """Process one message, which the broker delivers for the `deliveries`-th time.

        Returns when the message is settled: done, sent again, parked or dead-lettered. Raises what is no HubError, for
        the broker to deliver the message again, until it has crashed `BROKER_DELIVERIES` times.
        """
        try:
            message = parse_message(body)
        except DataRefused as error:
            self._keep(queue, body, None, _parked(error))
            return
        earlier = min(max(deliveries, 1), BROKER_DELIVERIES) - 1
        message = message.model_copy(update={"crashes": message.crashes + earlier})
        with self._observe(queue, message) as tell:
            try:
                tell(self._work_on(queue, body, message, handle, given_up, delayed))
            except HubError as error:
                if not error.retryable:
                    raise
                self._put_off(queue, message, error)
                tell("again")

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

        While storage is away, it is sent to its queue again instead, later each time: it would be back at once from
        where the broker keeps it. If its function crashes at it again, that is its way back to here.

        Count, reason and description come from where they cannot be forged: not from trigger metadata that a body can
        overwrite.
        """
        failure = Failure(Kind.BROKER, reason, description, delivery_count=delivery_count)
        try:
            message = parse_message(body)
        except DataRefused:
            with self._held():
                self._keep(queue, body, None, failure)
            return
        with self._observe(queue, message) as tell:
            try:
                self._give_up(queue, body, message, failure, BrokerGaveUp(reason, description), given_up)
                tell("dead-lettered")
            except HubError as error:
                if not error.retryable:
                    raise
                self._put_off(queue, message, error)
                tell("again")

    def record_crash_loop(self, queue: str, body: bytes, delivery_count: int, given_up: GivenUp | None = None) -> None:
        """Keep a message whose function failed each time that the broker delivered it. Idempotent as above."""
        description = f"its function failed at it {delivery_count} times without settling it: see the log for why"
        self.record_broker_dead_letter(
            queue, body, delivery_count=delivery_count, reason=CRASH_LOOP, description=description, given_up=given_up
        )

    def _check(self, message: Message) -> None:
        if message.tenant != self._tenant:
            raise DataRefused(f"message {message.id!r} is of another tenant")
        try:
            from_iso(message.time)
        except ValueError:
            raise DataRefused(f"message {message.id!r}: time is no ISO 8601 instant with an offset") from None

    def _work_on(
        self,
        queue: str,
        body: bytes,
        message: Message,
        handle: Handler,
        given_up: GivenUp | None,
        delayed: Delayed | None,
    ) -> str:
        """Work on a message, return the outcome. A passing HubError when it cannot be given up now."""
        if message.crashes >= BROKER_DELIVERIES:
            self._give_up_crashed(queue, body, message, message.crashes, None, given_up)
            return "dead-lettered"
        try:
            self._check(message)
            handle(self._queues.resolve(message))
        except HubError as error:
            delay = self._send_again(queue, message, error)
            if delay is not None:
                self._tell_delayed(message, error, delay, delayed)
                return "again"
            self._give_up(queue, body, message, _parked(error), error, given_up)
            return "parked"
        except Exception as error:
            crashes = message.crashes + 1
            if crashes < BROKER_DELIVERIES:
                raise
            self._give_up_crashed(queue, body, message, crashes, error, given_up)
            return "dead-lettered"
        return "done"

    def _give_up_crashed(
        self,
        queue: str,
        body: bytes,
        message: Message,
        crashes: int,
        last: Exception | None,
        given_up: GivenUp | None,
    ) -> None:
        """Give up a message that crashed too often. `last` is what its worker raised; None: its process was killed."""
        # Only its type is told on: its text may quote anything, and is in the stack that operators alone see.
        how = (
            f"at last with {type(last).__name__}" if last else "at last without an exception (killed, or out of memory)"
        )
        error = BrokerGaveUp(CRASH_LOOP, f"its function failed at it {crashes} times, {how}")
        error_type, stack = (type(last).__name__, "".join(traceback.format_exception(last))) if last else ("", "")
        failure = Failure(Kind.BROKER, error.code, error.message, error_type, stack, delivery_count=crashes)
        self._give_up(queue, body, message, failure, error, given_up)

    def _send_again(self, queue: str, message: Message, error: HubError) -> float | None:
        """Send a message again if that makes sense; return in how many seconds, or None."""
        if not error.retryable:
            return None
        longest = MAX_AGE.total_seconds()
        wish = min(max(float(getattr(error, "retry_after", None) or 0), 0.0), longest)
        if isinstance(error, Busy | CircuitOpen | StorageUnavailable):
            return None if self._is_old(message) else self._put_off(queue, message, error, wish)
        if message.attempt >= len(self._delays):
            return None
        delay = max(wish, self._delays[message.attempt])
        self._queues.send(queue, message.next_attempt(), delay=delay)
        _tell_again(queue, message, error)
        return delay

    def _is_old(self, message: Message) -> bool:
        return self._clock() - from_iso(message.time) > MAX_AGE

    def _is_old_or_undated(self, message: Message) -> bool:
        try:
            return self._is_old(message)
        except ValueError:
            return True

    def _put_off(self, queue: str, message: Message, error: HubError, wish: float = 0.0) -> float:
        """Send a message again without its attempt counting: when is the wish of others, or ours where it is storage.

        Then the delays are those between attempts, the last one again and again. Returns the delay in seconds.
        """
        if isinstance(error, StorageUnavailable):
            delays = self._delays or (MIN_WAIT,)
            wish = delays[min(message.postponed, len(delays) - 1)]
        delay = max(wish, MIN_WAIT)
        self._queues.send(queue, message.put_off(), delay=delay)
        _tell_again(queue, message, error)
        return delay

    def _tell_delayed(self, message: Message, error: HubError, delay: float, delayed: Delayed | None) -> None:
        """Tell whoever the message belongs to why it waits. It waits whether that can be noted or not."""
        if delayed is None or isinstance(error, StorageUnavailable):
            return
        tries = message.attempt + message.postponed + 1
        try:
            delayed(self._resolved_if_possible(message), error, tries, self._clock() + timedelta(seconds=delay))
        except Exception as defect:  # noqa: BLE001 - the note is for people; the message is on its way without it
            extra = {"messageId": message.id, "reason": type(defect).__name__, "where": raised_at(defect)}
            _log.warning("why message %s waits was not noted", message.id, extra=extra)

    @contextmanager
    def _held(self) -> Iterator[None]:
        """Hold what cannot be kept now for a while, under its lock, before it is given back.

        It is no message that could be sent again, and a dead-letter queue gives it out again at once, for ever.
        """
        try:
            yield
        except StorageUnavailable:
            self._sleep(PAUSE)
            raise

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
            try:
                given_up(self._resolved_if_possible(message), error)
            except HubError as refused:
                # Older than any wait, it is as good as lasting; storage has to come back, whatever it takes.
                lasting = not isinstance(refused, StorageUnavailable) and self._is_old_or_undated(message)
                if refused.retryable and not lasting:
                    raise
                # Its message is kept. What cannot be ended (it is gone, or not configured) would fail for ever.
                _tell_not_ended(queue, message, refused)
            except Exception as defect:  # noqa: BLE001 - told with an alert
                # The same: raised here, it would go round between the queue and the broker's dead letters.
                _tell_not_ended(queue, message, defect)

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


def _tell_not_ended(queue: str, message: Message, error: Exception) -> None:
    """Tell operators, with where it was raised and without what a defect's text may quote."""
    reason = error.code if isinstance(error, HubError) else type(error).__name__
    extra = {
        "alert": "high",
        "event": "given-up.failed",
        "queue": queue,
        "messageId": message.id,
        "reason": reason,
        "where": raised_at(error),
    }
    _log.error("what message %s belongs to was not ended: %s", message.id, reason, extra=extra)


def _tell_again(queue: str, message: Message, error: HubError) -> None:
    extra = {"queue": queue, "messageId": message.id, "attempt": message.attempt, "reason": error.code}
    _log.warning("message %s of queue %s is tried again later", message.id, queue, extra=extra)


def _parked(error: HubError) -> Failure:
    return Failure(
        Kind.PARKED,
        error.code,
        error.message,
        type(error).__name__,
        "".join(traceback.format_exception(error)),
        error.partner if isinstance(error, PartnerError) else "",
    )
