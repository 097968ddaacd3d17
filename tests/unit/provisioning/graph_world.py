"""A directory in memory that is pulled from the sandbox's Microsoft Graph, and a clock that is set."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any
from urllib.parse import parse_qsl

from local.sandbox.generator import Shape
from local.sandbox.graph import Graph, LinkUnknown
from shared.kernel.errors import HubError, PartnerRefused
from shared.kernel.message import parse_message
from shared.provisioning.attributes import USER
from shared.provisioning.context import SYNC_QUEUE, SyncContext, SyncRules
from shared.provisioning.directory import Directory
from shared.provisioning.graph_users import GraphUsers
from shared.provisioning.store import ResourceStore
from shared.provisioning.sync import give_up_sync, handle_sync_message, start_sync
from shared.provisioning.sync_runs import SyncRun, SyncRunStore
from tests.fakes import hook
from tests.fakes.blobs import MemoryBlobs
from tests.fakes.queues import MemoryQueues
from tests.fakes.tables import MemoryTables

TENANT = "default"
BASE_URL = "https://graph.microsoft.com/v1.0"


class Killed(Exception):
    """The worker died right here."""


class Around(hook.Hook):
    """Lets a world's interruption stand around every storage operation."""

    def __init__(self, world: "World") -> None:
        self._world = world

    def before(self, operation: str, place: str, item: str) -> None:
        self._world.interrupt()

    def after(self, operation: str, place: str, item: str) -> None:
        self._world.interrupt()


class World:
    """The tenant in Graph, the directory here, and what pulls the one into the other."""

    def __init__(self, *, people: int = 0, page_size: int = 2, pages_per_slice: int = 2, share: str = "0.5") -> None:
        self.now = datetime(2025, 1, 20, 8, tzinfo=UTC)
        self.graph = Graph(Shape(employees=people), page_size)
        self.interrupt: Callable[[], None] = lambda: None
        self.change: Callable[[dict[str, Any]], dict[str, Any]] = lambda answer: answer
        self.calls: list[tuple[str, Mapping[str, str] | str]] = []
        self.missed: set[str] = set()
        """Objects whose end Graph may never tell us of."""
        self._numbers = count(1)
        self._taken = ""
        around = Around(self)
        tables = MemoryTables(around)
        self.queues = MemoryQueues(lambda: self.now, MemoryBlobs(around), around)
        users = tables.table("ScimUsers")
        store = ResourceStore(users, TENANT, USER)
        self.directory = Directory(USER, store, lambda: self.now, self.new_id)
        self.context = SyncContext(
            tenant=TENANT,
            rules=SyncRules(BASE_URL, pages_per_slice, Decimal(share)),
            clock=lambda: self.now,
            new_id=self.new_id,
            queues=self.queues,
            graph=self,
            users=GraphUsers(users, TENANT, store, lambda: self.now, self.new_id),
            runs=SyncRunStore(tables.table("ProvisioningSyncs"), TENANT),
        )

    def new_id(self) -> str:
        milliseconds = f"{int(self.now.timestamp() * 1000):012x}"
        return f"{milliseconds[:8]}-{milliseconds[8:]}-7000-8000-{next(self._numbers):012x}"

    def get_json(
        self, path: str, params: Mapping[str, str] | str, *, check: Callable[[Any], object] | None = None
    ) -> Any:
        """Answer as Graph does."""
        assert path == "/users/delta"
        self.calls.append((path, params))
        query = dict(params) if isinstance(params, Mapping) else dict(parse_qsl(params))
        try:
            answer = self.change(self.graph.page(query, f"{BASE_URL}{path}"))
        except LinkUnknown:
            raise PartnerRefused("graph", "GET /users/delta answered 410", status=410) from None
        if check:
            check(answer)
        return json.loads(json.dumps(answer))

    def deliver(self, *, keep: bool = False) -> bool:
        """Let a worker handle one due message; False when none is due. A killed worker's message comes back."""
        text = self.queues.take(SYNC_QUEUE)
        if text is None:
            return False
        self._taken = text
        if keep:
            self.queues.put_back(SYNC_QUEUE, text)
        message = self.queues.resolve(parse_message(text))
        try:
            handle_sync_message(self.context, message)
        except Killed:
            self.queues.put_back(SYNC_QUEUE, text)
        except HubError as error:
            give_up_sync(self.context, message, error)
        return True

    def deliver_again(self) -> None:
        """Let the message that was taken last be there again, as when its worker is thought to be dead."""
        self.queues.put_back(SYNC_QUEUE, self._taken)

    def work(self) -> None:
        """Handle messages until none is left."""
        self.interrupt = lambda: None
        while self.deliver():
            pass

    def pull(self, *, full: bool = False) -> SyncRun:
        """Pull users, return the run when it has ended."""
        self.now += timedelta(hours=1)
        run_id = start_sync(self.context, "test", full=full)
        self.work()
        return self.context.runs.get(run_id)

    def users(self) -> dict[str, dict[str, Any]]:
        """Return the users here by userName."""
        return {one.resource["userName"]: one.resource for one in self.directory.search("", 1, 200).items}


def killing(victim: int) -> tuple[Callable[[], None], Callable[[], bool]]:
    """Return an interruption that dies at the n-th place, and what tells whether it came to that."""
    seen = 0

    def die() -> None:
        nonlocal seen
        seen += 1
        if seen == victim:
            raise Killed

    return die, lambda: seen >= victim
