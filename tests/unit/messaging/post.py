"""A processor in memory, on a clock that moves when told."""

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from shared.kernel.errors import StorageUnavailable
from shared.kernel.message import Message, new_message
from shared.messaging.dead_letter_store import DeadLetterStore
from shared.messaging.dead_letters import DeadLetters
from shared.messaging.processing import GivenUp, Handler, MessageProcessor
from tests.fakes.blobs import MemoryBlobs
from tests.fakes.hook import Hook
from tests.fakes.queues import MemoryQueues
from tests.fakes.tables import MemoryTables

QUEUE = "import-slices"
DELAYS = (30.0, 120.0, 600.0)


class Crash(Exception):
    """The worker died right here."""


class CrashHook(Hook):
    """Dies before, or after, the first operation of a name; remembers all operations.

    Those that are `away` fail as storage does in an outage, until they are not.
    """

    def __init__(self) -> None:
        self.away: set[str] = set()
        self.crash_before = ""
        self.crash_after = ""
        self.seen: list[str] = []

    def before(self, operation: str, place: str, item: str) -> None:
        self.seen.append(operation)
        if operation in self.away:
            raise StorageUnavailable(place, "does not answer")
        if self.crash_before == operation:
            self.crash_before = ""
            raise Crash

    def after(self, operation: str, place: str, item: str) -> None:
        if self.crash_after == operation:
            self.crash_after = ""
            raise Crash


class Post:
    """Queues, dead letters and a processor of tenant `default`."""

    def __init__(self, delays: tuple[float, ...] = DELAYS) -> None:
        self.slept: list[float] = []
        self.now = datetime(2025, 1, 15, 1, tzinfo=UTC)
        self.hook = CrashHook()
        self.tables = MemoryTables(self.hook)
        self.blobs = MemoryBlobs(self.hook)
        self.queues = MemoryQueues(self.clock, self.blobs, self.hook)
        self._numbers = count(1)
        container = self.blobs.container("dead-letters")
        table = self.tables.table("DeadLetters")
        self.store = DeadLetterStore(table, container, "default", self.clock)
        self.letters = DeadLetters(table, container, self.queues, "default", self.clock, self.new_id)
        self.processor = MessageProcessor(
            self.queues, self.letters, "default", self.clock, delays, sleep=self.slept.append
        )

    def clock(self) -> datetime:
        return self.now

    def new_id(self) -> str:
        return f"new-{next(self._numbers)}"

    def pass_time(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def message(self, message_id: str = "m-1", tenant: str = "default", **more: Any) -> Message:
        return new_message(
            message_id=message_id, message_type="import.stage", tenant=tenant, now=self.now, subject="run-1", **more
        )

    def process(self, message: Message | bytes, handle: Handler, given_up: GivenUp | None = None) -> None:
        body = message if isinstance(message, bytes) else message.to_json().encode()
        self.processor.process(QUEUE, body, handle, given_up)

    def listed(self, **equal: str) -> list[dict[str, Any]]:
        return self.letters.page(size=100, position=None, equal=equal)[0]

    def waiting(self) -> list[tuple[float, Message]]:
        """Return what waits, with the seconds until it is visible."""
        return [((due - self.now).total_seconds(), message) for due, message in self.queues.schedule(QUEUE)]


def failing(error: Exception) -> Handler:
    """Return a handler that always fails in the same way."""

    def handle(_message: Message) -> None:
        raise error

    return handle
