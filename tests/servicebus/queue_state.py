"""A queue as the broker keeps it: order, locks, delivery counts, schedules, dead letters. Knows nothing of AMQP."""

import sys
from collections.abc import Callable
from dataclasses import replace
from heapq import heappop, heappush
from itertools import count
from uuid import UUID, uuid4

from tests.servicebus.queue_rules import Counters, DuplicateWindow, QueueRules
from tests.servicebus.stored_message import LockLost, MessageNotFound, MessageState, NotAllowed, StoredMessage

MAX_DELIVERY_COUNT_EXCEEDED = "MaxDeliveryCountExceeded"


class QueueState:
    """The messages of one queue. Not safe for threads: the caller holds a lock."""

    def __init__(self, rules: QueueRules, clock: Callable[[], float], *, is_dead_letter_queue: bool = False) -> None:
        """Start empty. `clock` gives seconds since 1970. A dead-letter queue has none of its own, and no last try."""
        self.rules = rules
        self.counters = Counters()
        self._clock = clock
        self._numbers = count(1)
        self._messages: dict[int, StoredMessage] = {}
        self._locked: dict[UUID, StoredMessage] = {}
        self._ready: list[int] = []
        self._due: list[tuple[float, int]] = []
        self._lock_ends: list[tuple[float, int, UUID]] = []
        window = rules.duplicate_detection_seconds
        self._duplicates = DuplicateWindow(window) if window else None
        self.dead_letters: QueueState | None = None
        if not is_dead_letter_queue:
            endless = replace(rules, max_delivery_count=sys.maxsize, duplicate_detection_seconds=None)
            self.dead_letters = QueueState(endless, clock, is_dead_letter_queue=True)

    def send(self, content: bytes, message_id: str | None = None, due_at: float | None = None) -> int:
        """Store a message and return its sequence number; active now, or at `due_at`.

        A duplicate (where the queue detects them) is accepted and forgotten: its number is 0.
        """
        now = self._clock()
        if self._duplicates and message_id is not None and not self._duplicates.is_new(message_id, now):
            self.counters.duplicates += 1
            return 0
        message = StoredMessage(next(self._numbers), content, message_id, now)
        self.counters.sent += 1
        if due_at is not None and due_at > now:
            message.state, message.due_at = MessageState.SCHEDULED, due_at
            heappush(self._due, (due_at, message.sequence_number))
            self._messages[message.sequence_number] = message
        else:
            self._put(message)
        return message.sequence_number

    def cancel(self, sequence_number: int) -> None:
        """Remove a scheduled message. MessageNotFound when it is active by now, or never was."""
        self.advance()
        message = self._messages.get(sequence_number)
        if message is None or message.state is not MessageState.SCHEDULED:
            raise MessageNotFound(f"no scheduled message has the sequence number {sequence_number}")
        del self._messages[sequence_number]

    def receive(self) -> StoredMessage | None:
        """Lock the first active message and return it, or None."""
        self.advance()
        while self._ready:
            message = self._messages.get(heappop(self._ready))
            if message is not None:
                return self._lock(message)
        return None

    def receive_deferred(self, sequence_number: int) -> StoredMessage:
        """Lock a deferred message. MessageNotFound."""
        self.advance()
        message = self._messages.get(sequence_number)
        if message is None or message.state is not MessageState.DEFERRED or message.lock_token is not None:
            raise MessageNotFound(f"no deferred message has the sequence number {sequence_number}")
        return self._lock(message)

    def complete(self, token: UUID) -> None:
        """Remove a locked message. LockLost."""
        self._remove(self._unlock(token))
        self.counters.completed += 1

    def abandon(self, token: UUID) -> None:
        """Give a locked message back; the try counts. LockLost."""
        message = self._unlock(token)
        self.counters.abandoned += 1
        self._count_try(message)

    def release(self, token: UUID) -> None:
        """Give a locked message back that nobody looked at; no try is counted. LockLost."""
        message = self._unlock(token)
        self.counters.released += 1
        self._make_available(message)

    def defer(self, token: UUID) -> None:
        """Set a locked message aside: from now on it is received by its sequence number. LockLost."""
        message = self._unlock(token)
        message.delivery_count += 1
        message.state = MessageState.DEFERRED

    def dead_letter(self, token: UUID, reason: str | None, description: str | None) -> None:
        """Move a locked message to the dead-letter queue. LockLost; NotAllowed on a dead-letter queue."""
        if self.dead_letters is None:
            raise NotAllowed("a message of a dead-letter queue cannot be dead-lettered")
        self._bury(self._unlock(token), reason, description)

    def renew(self, token: UUID) -> float:
        """Extend a lock and return until when. LockLost."""
        message = self._holder(token)
        message.locked_until = self._clock() + self.rules.lock_seconds
        heappush(self._lock_ends, (message.locked_until, message.sequence_number, token))
        return message.locked_until

    def peek(self, from_sequence_number: int, limit: int) -> list[StoredMessage]:
        """Return messages in order, locked, deferred and scheduled ones too, and change nothing."""
        return [one for one in self.all() if one.sequence_number >= from_sequence_number][:limit]

    def all(self) -> list[StoredMessage]:
        """Return every message in the order of sequence numbers."""
        self.advance()
        return [self._messages[number] for number in sorted(self._messages)]

    def count_of(self, state: MessageState) -> int:
        """Return how many messages are in a state; locked ones are active."""
        self.advance()
        return sum(1 for one in self._messages.values() if one.state is state)

    def clear(self) -> None:
        """Remove every message, locked and dead ones too; what was locked is lost for those who hold it."""
        self._messages.clear()
        self._locked.clear()
        self._ready.clear()
        self._due.clear()
        self._lock_ends.clear()
        if self.dead_letters is not None:
            self.dead_letters.clear()

    def next_change_at(self) -> float | None:
        """Return when a lock ends or a scheduled message is due, at the earliest; None when nothing is awaited."""
        while self._lock_ends and self._lock_ends[0][2] not in self._locked:
            heappop(self._lock_ends)
        ends = [heap[0][0] for heap in (self._due, self._lock_ends) if heap]
        return min(ends, default=None)

    def advance(self) -> None:
        """Let happen what is due by now: locks that end, scheduled messages that become active."""
        now = self._clock()
        while self._lock_ends and self._lock_ends[0][0] <= now:
            token = heappop(self._lock_ends)[2]
            message = self._locked.get(token)
            if message is not None and message.locked_until <= now:
                self._forget_lock(message)
                self.counters.expired_locks += 1
                self._count_try(message)
        while self._due and self._due[0][0] <= now:
            due_at, number = heappop(self._due)
            scheduled = self._messages.pop(number, None)
            if scheduled is not None:
                self._put(replace(scheduled, sequence_number=next(self._numbers), enqueued_at=due_at, due_at=None))

    def _put(self, message: StoredMessage) -> None:
        message.state = MessageState.ACTIVE
        self._messages[message.sequence_number] = message
        heappush(self._ready, message.sequence_number)

    def _lock(self, message: StoredMessage) -> StoredMessage:
        token = uuid4()
        message.lock_token, message.locked_until = token, self._clock() + self.rules.lock_seconds
        self._locked[token] = message
        heappush(self._lock_ends, (message.locked_until, message.sequence_number, token))
        self.counters.received += 1
        return message

    def _holder(self, token: UUID) -> StoredMessage:
        self.advance()
        message = self._locked.get(token)
        if message is None:
            self.counters.lost_locks += 1
            raise LockLost(f"the lock {token} has expired, or the message has already been removed from the queue")
        return message

    def _unlock(self, token: UUID) -> StoredMessage:
        message = self._holder(token)
        self._forget_lock(message)
        return message

    def _forget_lock(self, message: StoredMessage) -> None:
        if message.lock_token is not None:
            del self._locked[message.lock_token]
        message.lock_token, message.locked_until = None, 0

    def _count_try(self, message: StoredMessage) -> None:
        message.delivery_count += 1
        if message.delivery_count < self.rules.max_delivery_count:
            self._make_available(message)
            return
        tries = self.rules.max_delivery_count
        self._bury(
            message, MAX_DELIVERY_COUNT_EXCEEDED, f"Message could not be consumed after {tries} delivery attempts."
        )

    def _make_available(self, message: StoredMessage) -> None:
        if message.state is MessageState.ACTIVE:
            heappush(self._ready, message.sequence_number)

    def _bury(self, message: StoredMessage, reason: str | None, description: str | None) -> None:
        assert self.dead_letters is not None
        self._remove(message)
        message.dead_letter_reason, message.dead_letter_description = reason, description
        self.counters.dead_lettered += 1
        self.dead_letters._put(message)

    def _remove(self, message: StoredMessage) -> None:
        del self._messages[message.sequence_number]
