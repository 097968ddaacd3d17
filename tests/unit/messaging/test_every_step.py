"""INC-71: whatever a message's work meets at whatever step, it comes to an end that an operator sees.

An error that nobody foresaw, of each library that the hub uses, is raised at each storage operation and partner call of
each kind of message, every time that the work gets there. Transports differ in how they count the deliveries of a dead
worker alone (tests/unit/functions/test_queues.py, tests/component/test_both_transports.py).
"""

import csv
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import paramiko
import pytest
import requests
from azure.core.exceptions import HttpResponseError
from azure.servicebus.exceptions import ServiceBusError
from pydantic import TypeAdapter, ValidationError

from shared.incentives.calculate_period import give_up_calculation, handle_calculation_message, watch_calculations
from shared.incentives.calculation_runs import RunStatus as CalculationStatus
from shared.incentives.calculation_runs import calculation_runs_of
from shared.incentives.context import CALCULATION_QUEUE
from shared.kernel.errors import HubError, StorageUnavailable
from shared.kernel.message import Message
from shared.messaging.dead_letters import DeadLetters
from shared.messaging.processing import GivenUp, Handler, MessageProcessor
from shared.messaging.queue_names import BROKER_DELIVERIES
from shared.payroll.context import EXPORT_QUEUE
from shared.payroll.export import ExportStatus
from shared.payroll.run import give_up_export, handle_export_message, wake_stalled_exports
from shared.provisioning.context import SYNC_QUEUE, SyncContext
from shared.provisioning.sync import give_up_sync, handle_sync_message, start_sync
from shared.provisioning.sync_runs import SyncStatus
from shared.provisioning.sync_runs import sync_runs_of as pulls_of
from shared.sales.context import IMPORT_QUEUE
from shared.sales.employees import map_employees
from shared.sales.files import import_file
from shared.sales.handle import give_up_import_message, handle_import_message
from shared.sales.runs import Trigger
from shared.sales.start import StartRequest, start_import
from shared.sales.watchdog import watch_imports
from shared.workforce.apply import give_up_hr_message, handle_hr_message
from shared.workforce.full_sync import start_sync as start_full_sync
from shared.workforce.schedule import watch_workforce
from shared.workforce.sync_runs import sync_runs_of
from tests.fakes.blobs import MemoryBlobs
from tests.fakes.tables import MemoryTables
from tests.unit.incentives.world import World as Incentives
from tests.unit.incentives.world import sold
from tests.unit.payroll.world import World as Payroll
from tests.unit.provisioning.graph_world import World as Provisioning
from tests.unit.sales.world import DAY
from tests.unit.sales.world import World as Sales
from tests.unit.workforce.world import World as Workforce
from tests.unit.workforce.world import created

Hook = Callable[[str, str], None]


@dataclass
class Work:
    """A piece of work as the hub does it: what begins it, the queue that carries it on, and how it ends."""

    world: Any
    queue: str
    handle: Callable[[Any, Message], object]
    given_up: Callable[[Any, Message, HubError], object]
    begin: Callable[[], object]
    set_hook: Callable[[Hook], None]
    failures: Callable[[], Iterable[str]]
    """The reasons of what ended badly; "" of what has not ended."""
    sweep: Callable[[Any], object]
    """What a timer does for work whose message was lost."""


def _import() -> Work:
    world = Sales(page_size=2, pages_per_slice=2, slice_lease=60.0)
    map_employees(world.context, {"E1": "H1"}, DAY)
    for number in range(5):
        world.erp.sell(DAY, f"T{number}", f"E{number % 2 + 1}", "10.00")
    ask = world.erp.get_json

    def get_json(*given: Any, **more: Any) -> Any:
        world.hook("get", "erp")
        return ask(*given, **more)

    world.erp.get_json = get_json  # type: ignore[method-assign]

    def failures() -> Iterable[str]:
        for run in world.context.runs.since("00000000-0000-7000-8000-000000000000"):
            if run.failure or not run.status.final:
                yield run.failure

    def begin() -> None:
        start_import(world.context, StartRequest(DAY, Trigger.TIMER, "timer"))

    return _work(world, IMPORT_QUEUE, handle_import_message, give_up_import_message, begin, failures, watch_imports)


def _file() -> Work:
    work = _import()
    line = {"transactionId": "F1", "transactionDate": f"{DAY}T12:00:00+01:00", "employeeId": "E1", "storeId": "S1"}
    content = json.dumps({**line, "salesAmount": "10.00", "unitsSold": 1}).encode()

    def drop() -> None:
        work.world.context.inbox.write(f"S1_{DAY}.jsonl", content)
        work.world.hook = _away
        import_file(work.world.context, f"S1_{DAY}.jsonl")
        work.world.hook = _nothing

    work.begin = drop
    return work


def _calculation() -> Work:
    world = Incentives()
    for employee in ("H1", "H2"):
        world.hire(employee)
        world.sell(employee, sold(10_000))

    def failures() -> Iterable[str]:
        for run in calculation_runs_of(world.context.runs.page(100, None)):
            if run.failure or run.status not in (CalculationStatus.SUCCEEDED, CalculationStatus.FAILED):
                yield run.failure

    return _work(
        world,
        CALCULATION_QUEUE,
        handle_calculation_message,
        give_up_calculation,
        world.start,
        failures,
        watch_calculations,
    )


def _export() -> Work:
    world = Payroll()
    world.hire("H1", "H2")
    for employee in ("H1", "H2"):
        world.calculation(employee, 100_00)

    def failures() -> Iterable[str]:
        for export in world.all_exports():
            if export.failure or export.status is ExportStatus.RUNNING:
                yield export.failure

    return _work(
        world, EXPORT_QUEUE, handle_export_message, give_up_export, world.trigger, failures, wake_stalled_exports
    )


def _hr_event() -> Work:
    world = Workforce()
    body = world.event("employee.created", created("H1", erpEmployeeId="E1"))
    return _work(
        world, "hr-events", handle_hr_message, give_up_hr_message, lambda: world.deliver(body), list, watch_workforce
    )


def _full_sync() -> Work:
    world = Workforce(page_size=2, pages_per_slice=1)
    world.people = [created(f"H{number}", status="Active", assignments=[]) for number in range(5)]
    world.between_pages = lambda _page: world.hook("get", "hr")

    def failures() -> Iterable[str]:
        for run in sync_runs_of(world.context.sync_runs.page(100, None)):
            if run.failure or not run.finished_at:
                yield run.failure

    def begin() -> None:
        start_full_sync(world.context, "timer")

    return _work(world, "hr-events", handle_hr_message, give_up_hr_message, begin, failures, watch_workforce)


def _user_pull() -> Work:
    world = Provisioning(people=5)

    def set_hook(hook: Hook) -> None:
        world.interrupt = lambda: hook("any", "any")

    def failures() -> Iterable[str]:
        for run in pulls_of(world.context.runs.page(100, None)):
            if run.failure or run.status is SyncStatus.RUNNING:
                yield run.failure

    def sweep(context: SyncContext) -> None:
        start_sync(context, "timer")

    def begin() -> None:
        start_sync(world.context, "timer")

    work = _work(world, SYNC_QUEUE, handle_sync_message, give_up_sync, begin, failures, sweep)
    work.set_hook = set_hook
    return work


def _work(
    world: Any,
    queue: str,
    handle: Callable[[Any, Message], object],
    given_up: Callable[[Any, Message, HubError], object],
    begin: Callable[[], object],
    failures: Callable[[], Iterable[str]],
    sweep: Callable[[Any], object],
) -> Work:
    def set_hook(hook: Hook) -> None:
        world.hook = hook

    return Work(world, queue, handle, given_up, begin, set_hook, failures, sweep)


def _nothing(_operation: str, _place: str) -> None:
    """Let it be."""


def _away(_operation: str, place: str) -> None:
    if "inbox" in place:
        raise StorageUnavailable("blobs", "answered 503")


KINDS = (_import, _file, _calculation, _export, _hr_event, _full_sync, _user_pull)


def _unforeseen() -> list[Exception]:
    try:
        TypeAdapter(int).validate_python("x")
    except ValidationError as error:
        refused = error
    return [
        KeyError("amount"),
        OverflowError("date value out of range"),
        RecursionError("maximum recursion depth exceeded"),
        MemoryError(),
        csv.Error("new-line character seen in unquoted field"),
        json.JSONDecodeError("Expecting value", "", 0),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
        requests.ConnectionError("gone"),
        paramiko.SSHException("text before the protocol"),
        EOFError(),
        HttpResponseError("503"),
        ServiceBusError("no link"),
        refused,
    ]


class _Trap:
    """Raises an error at the n-th step of the work, and from then on wherever the same is done for the same message."""

    def __init__(self, victim: int, error: Exception) -> None:
        self._victim, self._error = victim, error
        self._steps = 0
        self._message = ""
        self.caught: tuple[str, str, str] | None = None

    def handling(self, message: Message) -> None:
        self._message = message.id

    def __call__(self, operation: str, place: str) -> None:
        self._steps += 1
        here = (self._message, operation, place)
        if self._steps == self._victim:
            self.caught = here
        if self.caught == here:
            raise self._error


def play(work: Work, victim: int, error: Exception) -> tuple[_Trap, list[dict[str, Any]]]:
    """Begin the work and do it to its end, with a trap at its n-th step; return the trap and the dead letters."""
    world, trap = work.world, _Trap(victim, error)
    letters = DeadLetters(
        MemoryTables().table("DeadLetters"),
        MemoryBlobs().container("dead-letters"),
        world.queues,
        "default",
        lambda: world.now,
        world.context.new_id,
    )
    processor = MessageProcessor(world.queues, letters, "default", lambda: world.now, (30.0, 120.0))

    def handle(message: Message) -> None:
        trap.handling(message)
        work.set_hook(trap)
        try:
            work.handle(world.context, message)
        finally:
            work.set_hook(_nothing)

    def given_up(message: Message, error: HubError) -> None:
        work.given_up(world.context, message, error)

    work.begin()
    swept = 0
    for _ in range(600):
        text = world.queues.take(work.queue)
        if text is None:
            if not world.queues.depth(work.queue):
                if swept == 3 or "" not in work.failures():
                    return trap, letters.page(size=100, position=None, equal={})[0]
                swept += 1
                world.now += timedelta(hours=1)
                work.sweep(world.context)
            world.now += timedelta(seconds=5)
            continue
        _deliver(processor, work.queue, text.encode(), handle, given_up)
    raise AssertionError(f"the messages never end: {trap.caught}")


def _deliver(processor: MessageProcessor, queue: str, body: bytes, handle: Handler, given_up: GivenUp) -> None:
    """Deliver a message as a broker does: again at once after each crash, five times at the most."""
    for delivery in range(1, BROKER_DELIVERIES + 1):
        try:
            processor.process(queue, body, handle, given_up, deliveries=delivery)
        except Exception as error:  # noqa: BLE001 - the broker does not look at it
            crash = error
        else:
            return
    raise AssertionError("the message would go to the broker's own dead letters, without its stack") from crash


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__.strip("_"))
def test_whatever_is_raised_wherever_it_ends_and_is_seen(kind: Callable[[], Work]) -> None:
    errors, given_up = _unforeseen(), 0
    step = 0
    while True:
        step += 1
        work = kind()
        trap, letters = play(work, step, errors[step % len(errors)])
        failures = list(work.failures())
        if trap.caught is None:
            assert (letters, failures) == ([], [])
            break
        assert "" not in failures, f"{trap.caught}: something has neither ended nor said why"
        if letters:
            given_up += 1
            name = type(errors[step % len(errors)]).__name__
            assert {letter["reason"] for letter in letters} == {"CrashLoop"}, trap.caught
            assert all(name in letter["description"] for letter in letters), trap.caught
            if failures:  # else the work was done when its worker crashed
                assert any(name in failure for failure in failures), f"{trap.caught}: the run says not why"
        else:
            assert failures == [], trap.caught
    assert step > 10
    assert given_up > step / 4


@pytest.mark.parametrize("error", _unforeseen(), ids=lambda error: type(error).__name__)
def test_a_slice_whose_worker_meets_an_error_of_any_library_ends_as_failed(error: Exception) -> None:
    work = _import()
    trap, letters = play(work, 4, error)
    assert trap.caught
    assert [letter["reason"] for letter in letters] == ["CrashLoop"]
    (failure,) = work.failures()
    assert type(error).__name__ in failure
