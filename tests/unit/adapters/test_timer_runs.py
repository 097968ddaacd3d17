"""Timers of several instances: each due time's work is done once, and every run leaves a heartbeat."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from shared.adapters.timer_runs import LEASE, StoredTimerRuns
from shared.health.timers import TIMERS
from shared.kernel.errors import NetworkFailure
from shared.kernel.timer import Heartbeat, Timer
from tests.fakes.hook import Hook
from tests.fakes.tables import MemoryTables

SYNC = next(timer for timer in TIMERS if timer.name == "SyncEmployees")
MEASURE = next(timer for timer in TIMERS if timer.name == "MeasureHub")
DUE = datetime(2025, 1, 15, 3, 0, tzinfo=UTC)


class World:
    """Instances that share their tables and a clock that moves when somebody waits."""

    def __init__(self) -> None:
        self.tables = MemoryTables()
        self.now = DUE + timedelta(seconds=1)
        self.done: list[str] = []

    def instance(self, name: str, timers: tuple[Timer, ...] = (SYNC,)) -> StoredTimerRuns:
        return StoredTimerRuns(
            self.tables, "default", timers, instance=name, clock=lambda: self.now, sleep=self.pass_time
        )

    def pass_time(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def work(self, name: str) -> Callable[[], None]:
        return lambda: self.done.append(name)

    def beat(self) -> Heartbeat:
        (beat,) = self.instance("looking").heartbeats()
        return beat


@pytest.fixture
def world() -> World:
    return World()


def test_a_run_leaves_a_heartbeat(world: World) -> None:
    assert world.instance("a").run(SYNC, world.work("a"))
    beat = world.beat()
    assert (beat.instance, beat.succeeded_at, beat.failed_at) == ("a", world.now, None)


def test_two_instances_at_once_do_the_work_once(world: World) -> None:
    """Threads: the second one comes while the first one works, and waits for its success."""
    inside, second_waits = threading.Event(), threading.Event()

    def first_work() -> None:
        inside.set()
        assert second_waits.wait(10)
        world.done.append("first")

    first = StoredTimerRuns(world.tables, "default", (SYNC,), instance="first", clock=lambda: world.now)
    results: list[bool] = []
    thread = threading.Thread(target=lambda: results.append(first.run(SYNC, first_work)))
    thread.start()
    assert inside.wait(10)

    def wait(_seconds: float) -> None:
        second_waits.set()
        thread.join(10)

    second = StoredTimerRuns(world.tables, "default", (SYNC,), instance="second", clock=lambda: world.now, sleep=wait)
    results.append(second.run(SYNC, world.work("second")))
    assert (results, world.done) == ([True, False], ["first"])


@pytest.mark.parametrize("late", [0, 600], ids=["when due", "by hand"])
def test_work_that_took_long_is_not_done_again_by_whoever_waited_for_it(world: World, late: float) -> None:
    world.pass_time(late)
    began = world.now

    first = world.instance("first")
    claim = first._claim(SYNC, SYNC.due(began), began)

    def wait(seconds: float) -> None:
        world.pass_time(seconds)
        if world.now >= began + timedelta(seconds=40):
            first._end(claim, {"succeededAt": world.now, "due": SYNC.due(began)})

    second = StoredTimerRuns(world.tables, "default", (SYNC,), instance="second", clock=lambda: world.now, sleep=wait)
    assert not second.run(SYNC, world.work("second"))
    assert world.done == []


class Killed(BaseException):
    """The process is gone, whatever it wanted to do."""


class Power(Hook):
    """Storage that a killed process cannot reach any more."""

    off = False

    def before(self, operation: str, place: str, item: str) -> None:
        if self.off:
            raise Killed


def test_the_work_of_an_instance_that_was_killed_is_taken_over(world: World) -> None:
    power = Power()
    world.tables = MemoryTables(power)

    def die() -> None:
        power.off = True
        raise Killed

    with pytest.raises(Killed):
        world.instance("killed").run(SYNC, die)
    power.off, began = False, world.now
    assert world.instance("b").run(SYNC, world.work("b"))
    assert world.done == ["b"]
    assert LEASE <= (world.now - began).total_seconds() <= LEASE + 1


def test_a_timer_that_is_due_again_before_it_could_be_taken_over_is_not_waited_for(world: World) -> None:
    """Of a timer that fires each minute, the next run does the work of one that was killed."""
    world.now = DUE + timedelta(seconds=2)
    world.instance("killed", (MEASURE,))._claim(MEASURE, DUE, world.now)
    began = world.now = DUE + timedelta(seconds=5)
    assert not world.instance("b", (MEASURE,)).run(MEASURE, world.work("b"))
    assert world.now == began
    world.now = DUE + timedelta(minutes=1, seconds=1)
    assert world.instance("b", (MEASURE,)).run(MEASURE, world.work("b, a minute later"))
    assert world.done == ["b, a minute later"]


def test_work_that_fails_is_told_and_done_by_the_next_one_at_once(world: World) -> None:
    def fail() -> None:
        raise NetworkFailure("hr", "no connection")

    with pytest.raises(NetworkFailure):
        world.instance("a").run(SYNC, fail)
    failed = world.beat()
    assert (failed.succeeded_at, failed.failed_at, failed.failure) == (None, world.now, "NetworkFailure")
    before = world.now
    assert world.instance("b").run(SYNC, world.work("b"))
    assert world.now == before
    assert world.beat().succeeded_at == world.now


def test_the_next_due_time_and_a_later_run_by_hand_are_done(world: World) -> None:
    runs = world.instance("a")
    assert runs.run(SYNC, world.work("timer"))
    assert not runs.run(SYNC, world.work("other instance"))
    world.pass_time(600)
    assert runs.run(SYNC, world.work("by hand"))
    world.now = DUE + timedelta(days=1)
    assert runs.run(SYNC, world.work("tomorrow"))
    assert world.done == ["timer", "by hand", "tomorrow"]


def test_an_instance_that_took_too_long_does_not_undo_what_the_other_one_wrote(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    def slow() -> None:
        world.pass_time(LEASE + 1)
        assert world.instance("b").run(SYNC, world.work("b"))

    assert world.instance("a").run(SYNC, slow)
    assert world.beat().instance == "b"
    assert "another instance took over" in caplog.text


def test_a_timer_is_expected_from_the_first_look_and_anew_when_its_schedule_changes(world: World) -> None:
    assert world.beat().known_since == world.now
    first = world.now
    world.pass_time(60)
    assert world.beat().known_since == first
    changed = replace(SYNC, schedule="0 0 4 * * *", offset=timedelta(hours=4))
    world.pass_time(60)
    for _ in range(2):
        (beat,) = world.instance("a", (changed,)).heartbeats()
        assert beat.known_since == first + timedelta(seconds=120)
        world.pass_time(60)
