"""INC-08, INC-09: many stores push their file of a day at closing time."""

from dataclasses import replace
from datetime import timedelta

import pytest

from shared.kernel.errors import Busy
from shared.kernel.message import parse_message
from shared.kernel.table import RowChanged
from shared.sales.context import IMPORT_QUEUE
from shared.sales.employees import map_employees
from shared.sales.files import import_file
from shared.sales.handle import handle_import_message
from shared.sales.models import Tally
from shared.sales.runs import ImportRun, RunStatus, Trigger
from shared.sales.snapshots import Snapshot
from shared.sales.start import StartRequest, start_import
from tests.unit.sales.world import DAY, Killed, World

STORES = 40


def push_all(world: World, number: int = STORES) -> list[str]:
    map_employees(world.context, {f"E{store}": f"H{store}" for store in range(number)}, DAY)
    runs = []
    for store in range(number):
        name = f"S{store}_{DAY}.jsonl"
        world.push(name, (f"F{store}", f"E{store}", "10.00", f"S{store}"))
        run_id = import_file(world.context, name)
        assert run_id
        runs.append(run_id)
    return runs


def claims(world: World) -> int:
    row = world.tables.table("SalesMetrics").get("default|2025-01", f"day|{DAY}")
    return int(str(row.values["claims"])) if row else 0


def everything_while_the_day_is_held(world: World) -> None:
    """Let all other workers come while the first one publishes."""
    inside = False

    def come(operation: str, place: str) -> None:
        nonlocal inside
        if inside or (operation, place) != ("query", "SalesMetrics"):
            return
        inside = True
        world.hook = lambda _operation, _place: None
        while world.deliver():
            pass

    world.hook = come


def test_who_has_the_day_publishes_all_that_wait() -> None:
    world = World()
    runs = push_all(world)
    everything_while_the_day_is_held(world)
    world.deliver()
    world.work()
    assert {world.context.runs.get(run_id).status for run_id in runs} == {RunStatus.SUCCEEDED}
    assert world.metrics() == {f"H{store}": (1000, 1, 1) for store in range(STORES)}
    assert claims(world) == 2, "the first one's, and one for all that came meanwhile"


def test_who_finds_the_day_held_is_turned_away_before_reading_anything_of_it() -> None:
    world = World()
    push_all(world, 2)
    first, second = (parse_message(str(world.queues.take(IMPORT_QUEUE))) for _ in range(2))
    world.hook = dies_at_the_day
    with pytest.raises(Killed):
        handle_import_message(world.context, first)
    read: list[str] = []
    world.hook = lambda operation, place: read.append(operation) if place == "SalesMetrics" else None
    with pytest.raises(Busy) as busy:
        handle_import_message(world.context, second)
    assert set(read) == {"get"}
    assert busy.value.retry_after >= 2
    world.hook = lambda _operation, _place: None
    world.now += timedelta(seconds=61)
    handle_import_message(world.context, second)
    assert world.metrics() == {"H0": (1000, 1, 1), "H1": (1000, 1, 1)}, "the dead one's file, too"


def test_who_comes_back_while_the_day_is_held_does_nothing_anew() -> None:
    world = World()
    push_all(world, 2)
    first, second = (parse_message(str(world.queues.take(IMPORT_QUEUE))) for _ in range(2))
    world.hook = dies_at_the_day
    with pytest.raises(Killed):
        handle_import_message(world.context, first)
    world.hook = lambda _operation, _place: None
    with pytest.raises(Busy):
        handle_import_message(world.context, second)
    done: set[tuple[str, str]] = set()
    world.hook = lambda operation, place: done.add((operation, place))
    with pytest.raises(Busy):
        handle_import_message(world.context, second)
    assert done == {("get", "ImportRuns"), ("get", "ImportSlices"), ("query", "ImportSlices"), ("get", "SalesMetrics")}


def dies_at_the_day(operation: str, place: str) -> None:
    if (operation, place) == ("query", "SalesMetrics"):
        raise Killed


@pytest.mark.parametrize("victim", range(1, 120, 3))
def test_a_publisher_of_many_that_dies_anywhere_leaves_the_same_result(victim: int) -> None:
    """INC-07."""
    world = World()
    runs = push_all(world, 3)
    everything_while_the_day_is_held(world)
    world.deliver()
    left = victim

    def die_once(_operation: str, _place: str) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise Killed

    world.now += timedelta(seconds=10)
    world.hook = die_once
    while world.deliver():
        pass
    world.work()
    assert {world.context.runs.get(run_id).status for run_id in runs} == {RunStatus.SUCCEEDED}
    assert world.metrics() == {f"H{store}": (1000, 1, 1) for store in range(3)}
    completed = [one.subject for one in world.queues.messages("notifications")]
    assert set(completed) == set(runs)


def test_the_daily_pull_displaces_the_files_of_all_stores() -> None:
    """Azure's limits hold in memory, too: a list of 900 runs does not fit into a cell as text."""
    world = World(page_size=1000)
    table = world.tables.table("SalesSnapshots")
    for number in range(900):
        world.erp.sell(DAY, f"T{number}", "E1", "10.00", store=f"S{number}")
        run = world.context.runs.create(file_run(world, f"{number}.csv"))
        snapshot = Snapshot(DAY, f"S{number}", run.run_id, run.version, pushed=True)
        table.put("default", snapshot.key, snapshot.values())
    world.now += timedelta(seconds=1)
    pulled = start_import(world.context, StartRequest(DAY, Trigger.TIMER, "timer"))
    world.deliver()
    assert world.context.runs.get(pulled).status is RunStatus.SUCCEEDED
    (left,) = world.context.snapshots.of_day(DAY).snapshots
    assert (left.run_id, len(left.found)) == (pulled, 900)
    assert world.queues.depth(IMPORT_QUEUE) == 900, "each is looked at again, and clears up"


def test_a_snapshot_of_many_stores_with_the_longest_names_is_kept() -> None:
    world = World()
    run = world.context.runs.create(file_run(world, "a.csv"))
    found = {f"{number:04d}" + "\U0001f3ec" * 124: Tally(10**12, 1, 1) for number in range(2000)}
    world.context.snapshots.promote(replace(run, source="erp"), ("*",), found)
    whole = world.context.snapshots.of_day(DAY).whole
    assert whole
    assert whole.found == found


def file_run(world: World, name: str) -> ImportRun:
    return ImportRun(
        run_id=world.context.new_id(),
        tenant="default",
        source="file",
        day=DAY,
        trigger=Trigger.FILE,
        started_by="erp-inbox",
        requested_at=world.now,
        file_name=name,
        as_of=world.now,
    )


def test_runs_that_are_numbered_at_once_all_get_a_number_of_their_own() -> None:
    world, met = World(), 0
    table = world.tables.table("ImportRuns")

    def meet(operation: str, place: str) -> None:
        nonlocal met
        if (operation, place) == ("transact", "ImportRuns") and met < 10:
            met += 1
            counter = table.get("default", "~sequence")
            if counter:
                world.hook, hook = (lambda _operation, _place: None), world.hook
                table.replace(counter, {**counter.values, "last": int(str(counter.values["last"])) + 1})
                world.hook = hook

    first = start_import(world.context, StartRequest(DAY, Trigger.API, "somebody"))
    world.hook = meet
    second = start_import(world.context, StartRequest(DAY, Trigger.API, "somebody"))
    world.hook = lambda _operation, _place: None
    assert world.context.runs.get(second).sequence > world.context.runs.get(first).sequence


def test_a_section_that_others_always_win_ends_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.kernel.contention._LONGEST_PAUSE", 0.0)
    world = World()
    start_import(world.context, StartRequest(DAY, Trigger.API, "somebody"))

    def lose(operation: str, place: str) -> None:
        if (operation, place) == ("transact", "ImportRuns"):
            raise RowChanged(place)

    world.hook = lose
    with pytest.raises(Busy, match="the numbering of import runs is being changed by others"):
        start_import(world.context, StartRequest(DAY, Trigger.API, "somebody"))
