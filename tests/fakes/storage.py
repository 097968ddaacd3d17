"""The three fakes with one plain function as hook: called before each operation, it may raise or do something."""

from collections.abc import Callable

from shared.kernel.clock import Clock
from tests.fakes import blobs, hook, queues, tables

Hook = Callable[[str, str], None]
"""Called with the operation and the name of the table, container or queue."""


def _nothing(_operation: str, _place: str) -> None:
    return


class _Before(hook.Hook):
    def __init__(self, call: Hook) -> None:
        self._call = call

    def before(self, operation: str, place: str, item: str) -> None:
        self._call(operation, place)


class MemoryTables(tables.MemoryTables):
    """All tables, in memory."""

    def __init__(self, hook: Hook = _nothing) -> None:
        super().__init__(_Before(hook))


class MemoryBlobs(blobs.MemoryBlobs):
    """All containers, in memory."""

    def __init__(self, hook: Hook = _nothing) -> None:
        super().__init__(_Before(hook))


class MemoryQueues(queues.MemoryQueues):
    """All queues, in memory."""

    def __init__(self, blobs: MemoryBlobs, clock: Clock, hook: Hook = _nothing) -> None:
        super().__init__(clock, blobs, _Before(hook))
