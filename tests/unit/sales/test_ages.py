"""INC-07, INC-09: what counts is decided by the age of the data, not by when it arrives."""

from dataclasses import replace
from datetime import timedelta

import pytest

from shared.sales.employees import map_employees
from shared.sales.files import import_file
from shared.sales.runs import RunStatus, Trigger
from shared.sales.start import StartRequest, start_import
from tests.unit.sales.world import DAY, Killed, Once, World

EARLY, LATE = f"S9_{DAY}.jsonl", f"S9_{DAY}_corrected.jsonl"


@pytest.fixture
def world() -> World:
    world = World()
    map_employees(world.context, {"E1": "H1", "E9": "H9"}, DAY)
    return world


def pull(world: World, store: str = "") -> str:
    run_id = start_import(world.context, StartRequest(DAY, Trigger.TIMER, "timer", store_id=store))
    world.work()
    return run_id


def take_in(world: World, name: str) -> str:
    run_id = import_file(world.context, name)
    assert run_id
    world.work()
    return run_id


def told_of_superseded(world: World) -> list[tuple[object, object, object]]:
    found = (one.data for one in world.queues.messages("notifications") if one.type == "import.superseded")
    return [(data["runId"], data["fileName"], data["status"]) for data in found]


def test_a_file_that_is_told_of_late_does_not_win_over_its_correction(world: World) -> None:
    world.push(EARLY, ("F1", "E9", "1000.00", "S9"))
    world.now += timedelta(seconds=10)
    world.push(LATE, ("F1", "E9", "100.00", "S9"))
    take_in(world, LATE)
    late = take_in(world, EARLY)
    assert world.metrics() == {"H9": (10000, 1, 1)}
    assert world.context.runs.get(late).status is RunStatus.SUPERSEDED
    assert told_of_superseded(world) == [(late, EARLY, "Superseded")]


@pytest.mark.parametrize("victim", range(1, 60, 2))
def test_a_file_that_comes_too_late_is_told_of_under_one_id_wherever_its_worker_dies(world: World, victim: int) -> None:
    world.push(EARLY, ("F1", "E9", "1000.00", "S9"))
    world.now += timedelta(seconds=10)
    world.push(LATE, ("F1", "E9", "100.00", "S9"))
    take_in(world, LATE)
    late = import_file(world.context, EARLY)
    left = victim

    def die_once(_operation: str, _place: str) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise Killed

    world.hook = die_once
    while world.deliver():
        pass
    world.work()
    assert set(told_of_superseded(world)) == {(late, EARLY, "Superseded")}
    assert len({one.id for one in world.queues.messages("notifications") if one.type == "import.superseded"}) == 1


def test_a_pull_that_a_later_pull_overtook_ends_silently(world: World) -> None:
    world.erp.sell(DAY, "T1", "E1", "10.00")
    first = start_import(world.context, StartRequest(DAY, Trigger.TIMER, "timer"))
    held = world.queues.take("import-slices")
    assert held
    pull(world)
    world.queues.put_back("import-slices", held)
    world.work()
    assert world.context.runs.get(first).status is RunStatus.SUPERSEDED
    assert told_of_superseded(world) == []


def test_files_that_wait_together_count_by_age_whoever_is_worked_on_first(world: World) -> None:
    world.push(EARLY, ("F1", "E9", "1000.00", "S9"))
    world.now += timedelta(seconds=10)
    world.push(LATE, ("F1", "E9", "100.00", "S9"))
    import_file(world.context, LATE)
    import_file(world.context, EARLY)
    world.deliver(1)
    world.work()
    assert world.metrics() == {"H9": (10000, 1, 1)}


def test_a_file_that_is_older_than_a_pull_of_its_store_changes_nothing(world: World) -> None:
    world.push(EARLY, ("F1", "E9", "1000.00", "S9"))
    world.now += timedelta(seconds=10)
    world.erp.sell(DAY, "F1", "E9", "100.00", store="S9")
    pull(world)
    take_in(world, EARLY)
    assert world.metrics() == {"H9": (10000, 1, 1)}


def test_a_pull_that_is_slower_than_a_newer_file_does_not_win(world: World) -> None:
    world.erp.sell(DAY, "F1", "E9", "1000.00", store="S9")
    start_import(world.context, StartRequest(DAY, Trigger.TIMER, "timer"))
    world.now += timedelta(seconds=10)
    world.push(LATE, ("F1", "E9", "100.00", "S9"))
    import_file(world.context, LATE)
    world.deliver(1)
    world.work()
    assert world.metrics() == {"H9": (10000, 1, 1)}


def test_files_of_one_second_count_in_the_order_of_their_arrival(world: World) -> None:
    world.push(EARLY, ("F1", "E9", "1000.00", "S9"))
    take_in(world, EARLY)
    world.push(LATE, ("F1", "E9", "100.00", "S9"))
    take_in(world, LATE)
    assert world.metrics() == {"H9": (10000, 1, 1)}


def test_a_file_under_the_same_name_is_newer_and_the_version_before_cannot_come_back(world: World) -> None:
    world.push(EARLY, ("F1", "E9", "1000.00", "S9"))
    take_in(world, EARLY)
    world.now += timedelta(seconds=10)
    world.push(EARLY, ("F1", "E9", "100.00", "S9"))
    take_in(world, EARLY)
    world.context = replace(world.context, once=Once())  # told of again after the memory of repeats has ended
    take_in(world, EARLY)
    assert world.metrics() == {"H9": (10000, 1, 1)}


def test_a_pull_made_later_counts_although_the_clock_of_its_process_is_behind(world: World) -> None:
    world.erp.sell(DAY, "T1", "E1", "10.00")
    pull(world)
    world.erp.sell(DAY, "T1", "E1", "9.00")
    world.now -= timedelta(minutes=5)
    pull(world)
    assert world.metrics() == {"H1": (900, 1, 1)}


def test_a_sale_in_two_files_counts_in_the_newer_one_whichever_comes_first(world: World) -> None:
    world.push(f"S8_{DAY}.jsonl", ("F1", "E9", "10.00", "S8"))
    world.now += timedelta(seconds=10)
    world.push(f"S9_{DAY}.jsonl", ("F1", "E9", "20.00", "S9"))
    take_in(world, f"S9_{DAY}.jsonl")
    take_in(world, f"S8_{DAY}.jsonl")
    assert world.metrics() == {"H9": (2000, 1, 1)}


def test_a_file_that_was_overtaken_does_not_come_back_once_the_pull_has_nothing_of_its_store(world: World) -> None:
    """The ERP took the store over and then took its sales back: an older file that comes now is older than both."""
    world.push(EARLY, ("F1", "E9", "1000.00", "S9"))
    world.now += timedelta(seconds=10)
    world.erp.sell(DAY, "F1", "E9", "100.00", store="S9")
    pull(world)
    world.erp.remove("F1")
    for _ in range(2):
        world.now += timedelta(seconds=10)
        pull(world)
    late = take_in(world, EARLY)
    assert world.context.runs.get(late).status is RunStatus.SUPERSEDED
    assert world.metrics() == {}
    world.now += timedelta(seconds=10)
    world.push(LATE, ("F2", "E9", "5.00", "S9"))
    take_in(world, LATE)
    world.now += timedelta(seconds=10)
    pull(world)
    assert world.metrics() == {"H9": (500, 1, 1)}, "a newer file counts, and a pull that has nothing leaves it"
