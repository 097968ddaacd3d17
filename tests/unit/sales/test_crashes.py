"""INC-71: an import whose worker fails, wherever and however, is finished or Failed; none waits for ever, unseen."""

import csv
from collections.abc import Iterator
from datetime import date, datetime, timedelta

import pytest

from shared.kernel.errors import HubError, InvalidRequest, NetworkFailure
from shared.kernel.message import Message
from shared.messaging.dead_letters import DeadLetters
from shared.messaging.processing import MessageProcessor
from shared.messaging.queue_names import BROKER_DELIVERIES
from shared.sales.context import IMPORT_QUEUE
from shared.sales.employees import map_employees
from shared.sales.handle import delay_import_message, give_up_import_message, handle_import_message
from shared.sales.manual import import_by_timer
from shared.sales.queries import list_runs, show_run
from shared.sales.runs import ImportRun, RunStatus, Trigger
from shared.sales.start import StartRequest, start_import
from shared.sales.watchdog import watch_imports
from tests.fakes.tables import MemoryTables
from tests.unit.messaging.test_crashes import DEFECTS
from tests.unit.sales.world import DAY, Killed, World


class Hub:
    """A world whose messages are processed as the app does, by a broker that counts deliveries."""

    def __init__(self, delays: tuple[float, ...] = (30.0, 120.0)) -> None:
        self.world = World(page_size=2, pages_per_slice=2)
        map_employees(self.world.context, {"E1": "H1"})
        for number in range(10):
            self.world.erp.sell(DAY, f"T{number:03d}", "E1", "1.00")
        blobs, table = self.world.blobs.container("dead-letters"), MemoryTables().table("DeadLetters")
        kept = DeadLetters(table, blobs, self.world.queues, "default", self.clock, lambda: "new")
        self.processor = MessageProcessor(self.world.queues, kept, "default", self.clock, delays)
        self.run_id = start_import(self.world.context, StartRequest(DAY, Trigger.API, "somebody"))

    def clock(self) -> datetime:
        return self.world.now

    def letters_kept(self) -> Iterator[object]:
        return self.world.blobs.container("dead-letters").list()

    @property
    def run(self) -> ImportRun:
        return self.world.context.runs.get(self.run_id)

    def deliver(self) -> bool:
        """Deliver the next message, after the time that it waits, until it is settled; False when there is none."""
        text = self.world.queues.take(IMPORT_QUEUE)
        if text is None:
            if not (waiting := self.world.queues.schedule(IMPORT_QUEUE)):
                return False
            self.world.now = waiting[0][0]
            return True
        context = self.world.context

        def handle(message: Message) -> None:
            handle_import_message(context, message)

        def give_up(message: Message, error: HubError) -> None:
            give_up_import_message(context, message, error)

        def note(message: Message, error: HubError, tries: int, next_at: datetime) -> None:
            delay_import_message(context, message, error, tries, next_at)

        for delivery in range(1, BROKER_DELIVERIES + 1):
            try:
                self.processor.process(IMPORT_QUEUE, text.encode(), handle, give_up, deliveries=delivery, delayed=note)
            except (Exception, Killed):  # noqa: BLE001, S112 - as the host, which delivers again
                continue
            return True
        self.processor.record_crash_loop(IMPORT_QUEUE, text.encode(), BROKER_DELIVERIES, give_up)
        return True

    def work(self) -> None:
        for _ in range(400):
            if not self.deliver():
                return
        pytest.fail("the messages go round for ever")


def places() -> Iterator[tuple[str, str]]:
    """Yield every operation of storage that an import does, by name and place."""
    hub = Hub()
    seen: dict[tuple[str, str], None] = {}
    hub.world.hook = lambda operation, place: seen.update({(operation, place): None})
    hub.work()
    assert hub.run.status is RunStatus.SUCCEEDED
    yield from seen


def broken(hub: Hub, error: BaseException) -> None:
    """Raise an error at a step, until its message has been given up: what is broken is the work, not the ending."""
    if not any(True for _ in hub.letters_kept()):
        raise error


@pytest.mark.parametrize("error", [csv.Error("x"), MemoryError(), Killed()], ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("where", list(places()), ids=" ".join)
def test_a_step_of_storage_that_always_fails_ends_the_import(where: tuple[str, str], error: BaseException) -> None:
    hub = Hub()
    hub.world.hook = lambda operation, place: broken(hub, error) if (operation, place) == where else None
    hub.work()
    if hub.run.status is RunStatus.SUCCEEDED:  # all was done before the step, or another message went on after it
        assert hub.world.metrics() == {"H1": (1000, 10, 10)}
    else:
        assert (hub.run.status, hub.run.failure_code) == (RunStatus.FAILED, "CrashLoop")
        assert "failed at it 5 times" in hub.run.failure


@pytest.mark.parametrize("error", DEFECTS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("page", [1, 2, 3])
def test_a_page_that_always_fails_ends_the_import(
    page: int, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    hub = Hub()
    hub.world.erp.before_page = lambda _day, number: broken(hub, error) if number == page else None
    hub.work()
    assert (hub.run.status, hub.run.failure_code) == (RunStatus.FAILED, "CrashLoop")
    assert f"at last with {type(error).__name__}" in hub.run.failure
    told = {vars(record).get("event") for record in caplog.records if vars(record).get("alert") == "high"}
    assert {"dead-letter.created", "import.failed"} <= told


@pytest.mark.parametrize("crashes", range(1, BROKER_DELIVERIES))
@pytest.mark.parametrize("error", [ValueError("x"), Killed()], ids=lambda error: type(error).__name__)
def test_a_page_that_fails_a_few_times_is_imported(crashes: int, error: BaseException) -> None:
    hub, left = Hub(), crashes

    def fail(_day: date, number: int) -> None:
        nonlocal left
        if number == 3 and left:
            left -= 1
            raise error

    hub.world.erp.before_page = fail
    hub.work()
    assert (hub.run.status, hub.world.metrics()) == (RunStatus.SUCCEEDED, {"H1": (1000, 10, 10)})


def test_an_import_that_waits_says_why_how_often_and_until_when() -> None:
    """INC-06: in the list and on its own; no longer once it goes on."""
    hub = Hub(delays=(30.0, 120.0, 600.0))
    away = True

    def page(_day: date, number: int) -> None:
        if away and number == 3:
            raise NetworkFailure("erp", "no connection")

    def shown() -> tuple[object, ...]:
        one = show_run(hub.world.context, hub.run_id)
        (listed,) = list_runs(hub.world.context, size=5, position=None, status=None, day=None).items
        assert listed.items() <= one.items()
        return one["status"], one["waitingCode"], one["waiting"], one["tries"], one["nextAttemptAt"]

    hub.world.erp.before_page = page
    assert shown() == ("Queued", None, None, 0, None)
    while not hub.run.waiting_code:
        hub.deliver()
    assert shown() == ("Staging", "NetworkFailure", "erp: no connection", 1, "2025-01-20T01:00:30.000Z")
    while hub.run.tries < 2:
        hub.deliver()
    assert shown() == ("Staging", "NetworkFailure", "erp: no connection", 2, "2025-01-20T01:02:30.000Z")
    hub.world.now += timedelta(seconds=100)
    assert watch_imports(hub.world.context) == []
    assert hub.run.tries == 2, "the watchdog leaves the note"
    away = False
    hub.work()
    assert shown() == ("Succeeded", None, None, 0, None)


def test_a_wait_that_is_given_up_is_no_wait_any_more() -> None:
    hub = Hub(delays=(30.0,))
    hub.world.erp.before_page = lambda _day, _number: broken(hub, NetworkFailure("erp", "no connection"))
    hub.work()
    assert (hub.run.status, hub.run.failure_code, hub.run.waiting_code) == (RunStatus.FAILED, "NetworkFailure", "")


@pytest.mark.parametrize("day", [date.min, date(1899, 12, 31), date(2201, 1, 1), date.max])
def test_a_day_of_no_plausible_year_is_refused_by_name(day: date) -> None:
    """INC-01: the first and the last day that can be written have no business day around them."""
    world = World()
    with pytest.raises(InvalidRequest) as refused:
        start_import(world.context, StartRequest(day, Trigger.API, "somebody"))
    assert [one.field for one in refused.value.details] == ["date"]
    with pytest.raises(InvalidRequest, match="date: the year"):
        import_by_timer(world.context, f'{{"date": "{day.isoformat()}"}}')
    assert world.queues.depth(IMPORT_QUEUE) == 0
