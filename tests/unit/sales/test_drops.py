"""INC-05, INC-09: a run counts for what it has evidence for, and what drops is told and confirmed."""

from contextlib import suppress
from datetime import timedelta
from decimal import Decimal

import pytest

from shared.kernel.errors import Conflict, InvalidRequest
from shared.sales.confirm import confirm_import
from shared.sales.drops import DropRules
from shared.sales.employees import map_employees
from shared.sales.files import import_file
from shared.sales.queries import show_run
from shared.sales.runs import ImportRun, RunStatus, Trigger
from shared.sales.start import StartRequest, start_import
from shared.sales.waiting import look_at_waiting_runs
from shared.sales.watchdog import watch_imports
from tests.unit.sales.world import DAY, Killed, World

FILE = f"S9_{DAY}.jsonl"


@pytest.fixture
def world() -> World:
    world = World(page_size=50)
    map_employees(world.context, {"E1": "H1", "E9": "H9"}, DAY)
    return world


def pull(world: World, store: str = "") -> ImportRun:
    world.now += timedelta(hours=1)
    run_id = start_import(world.context, StartRequest(DAY, Trigger.TIMER, "timer", store_id=store))
    world.work()
    return world.context.runs.get(run_id)


def push(world: World, name: str, *sales: tuple[str, str, str, str]) -> ImportRun:
    world.now += timedelta(hours=1)
    world.push(name, *sales)
    run_id = import_file(world.context, name)
    assert run_id
    world.work()
    return world.context.runs.get(run_id)


def sell(world: World, number: int, store: str = "S1") -> None:
    for index in range(number):
        world.erp.sell(DAY, f"{store}-{index:03d}", "E1", "1.00", store=store)


def told(world: World, event: str) -> list[dict[str, object]]:
    return [dict(one.data) for one in world.queues.messages("notifications") if one.type == event]


def test_a_pull_that_does_not_know_a_store_leaves_what_that_store_pushed(world: World) -> None:
    push(world, FILE, ("F1", "E9", "900.00", "S9"))
    sell(world, 1)
    assert pull(world).status is RunStatus.SUCCEEDED
    assert pull(world).status is RunStatus.SUCCEEDED
    assert world.metrics() == {"H1": (100, 1, 1), "H9": (90000, 1, 1)}


def test_a_pull_that_has_sales_of_a_pushed_store_takes_it_over(world: World) -> None:
    push(world, FILE, ("F1", "E9", "10.00", "S9"))
    world.erp.sell(DAY, "F1", "E9", "9.00", store="S9")
    pull(world)
    assert world.metrics() == {"H9": (900, 1, 1)}


def test_a_store_that_drops_to_nothing_waits_for_confirmation_and_is_told_with_its_amounts(world: World) -> None:
    sell(world, 12, "S1")
    sell(world, 40, "S2")
    pull(world)
    for index in range(12):
        world.erp.remove(f"S1-{index:03d}")
    waiting = pull(world)
    assert waiting.status is RunStatus.NEEDS_CONFIRMATION
    assert world.metrics() == {"H1": (5200, 52, 52)}
    (message,) = told(world, "import.needs_confirmation")
    assert message["status"] == "NeedsConfirmation"
    assert message["drops"] == [
        {"storeId": "S1", "recordsBefore": 12, "amountBefore": "12.00", "recordsAfter": 0, "amountAfter": "0.00"}
    ]
    confirm_import(world.context, waiting.run_id, "ada")
    world.work()
    assert world.metrics() == {"H1": (4000, 40, 40)}
    shown = show_run(world.context, waiting.run_id)
    assert (shown["status"], shown["confirmedBy"]) == ("Succeeded", "ada")


def test_a_day_that_comes_back_empty_waits(world: World) -> None:
    for store in range(12):
        sell(world, 1, f"S{store}")  # no store alone has many
    pull(world)
    world.erp.days[DAY].clear()
    waiting = pull(world)
    assert waiting.status is RunStatus.NEEDS_CONFIRMATION
    assert waiting.drops[0].store == "*"
    assert world.metrics() == {"H1": (1200, 12, 12)}


def test_many_small_stores_that_vanish_from_a_large_day_wait_together(world: World) -> None:
    sell(world, 200, "S1")
    for store in range(2, 8):
        sell(world, 3, f"S{store}")
    pull(world)
    for store in range(2, 8):
        for index in range(3):
            world.erp.remove(f"S{store}-{index:03d}")
    waiting = pull(world)
    assert (waiting.status, len(waiting.drops)) == (RunStatus.NEEDS_CONFIRMATION, 6)
    assert world.metrics() == {"H1": (21800, 218, 218)}


def test_an_amount_that_falls_under_the_same_number_of_sales_waits(world: World) -> None:
    sell(world, 20)
    pull(world)
    for index in range(20):
        world.erp.sell(DAY, f"S1-{index:03d}", "E1", "0.10", store="S1")
    assert pull(world).status is RunStatus.NEEDS_CONFIRMATION


def test_a_correction_of_a_small_day_counts_at_once_and_is_told(world: World) -> None:
    sell(world, 3)
    pull(world)
    world.erp.days[DAY].clear()
    assert pull(world).status is RunStatus.SUCCEEDED
    assert world.metrics() == {}
    last = told(world, "import.completed")[-1]["drops"]
    assert isinstance(last, list)
    assert [one["storeId"] for one in last] == [None, "S1"]


def test_half_of_a_store_may_go_unconfirmed_and_no_more(world: World) -> None:
    sell(world, 20)
    pull(world)
    for index in range(10):
        world.erp.remove(f"S1-{index:03d}")
    assert pull(world).status is RunStatus.SUCCEEDED
    for index in range(10, 16):
        world.erp.remove(f"S1-{index:03d}")
    assert pull(world).status is RunStatus.NEEDS_CONFIRMATION


def test_a_pull_of_a_pushed_store_that_finds_nothing_takes_it_back_once_that_is_confirmed(world: World) -> None:
    push(world, FILE, ("F1", "E9", "10.00", "S9"))
    waiting = pull(world, "S9")
    assert waiting.status is RunStatus.NEEDS_CONFIRMATION
    confirm_import(world.context, waiting.run_id, "ada")
    world.work()
    assert world.metrics() == {}


def test_a_waiting_run_has_no_effect_once_newer_data_counts(world: World) -> None:
    sell(world, 12)
    pull(world)
    kept = dict(world.erp.days[DAY])
    world.erp.days[DAY].clear()
    waiting = pull(world)
    world.erp.days[DAY] = kept
    assert pull(world).status is RunStatus.SUCCEEDED
    confirm_import(world.context, waiting.run_id, "ada")
    world.work()
    assert world.context.runs.get(waiting.run_id).status is RunStatus.SUPERSEDED
    assert world.metrics() == {"H1": (1200, 12, 12)}


def test_a_waiting_run_ends_by_itself_once_newer_data_counts_however_long_it_waited(world: World) -> None:
    sell(world, 12)
    pull(world)
    kept = dict(world.erp.days[DAY])
    world.erp.days[DAY].clear()
    waiting = pull(world)
    assert look_at_waiting_runs(world.context) == []
    world.now += timedelta(days=40)  # the log is not read that far back
    world.erp.days[DAY] = kept
    pull(world)
    assert look_at_waiting_runs(world.context) == [waiting.run_id]
    assert look_at_waiting_runs(world.context) == []
    world.work()
    assert world.context.runs.get(waiting.run_id).status is RunStatus.SUPERSEDED
    assert [one["runId"] for one in told(world, "import.superseded")] == [waiting.run_id]
    assert world.metrics() == {"H1": (1200, 12, 12)}
    with pytest.raises(Conflict, match="waits for no confirmation"):
        confirm_import(world.context, waiting.run_id, "ada")


def test_newer_data_of_another_store_leaves_a_run_waiting(world: World) -> None:
    sell(world, 12)
    pull(world)
    world.erp.days[DAY].clear()
    waiting = pull(world)
    push(world, FILE, ("F1", "E9", "9.00", "S9"))
    assert look_at_waiting_runs(world.context) == []
    assert world.context.runs.get(waiting.run_id).status is RunStatus.NEEDS_CONFIRMATION


def test_a_file_counts_for_the_rest_once_newer_data_has_taken_the_place_of_what_dropped(world: World) -> None:
    push(world, FILE, *((f"F{number}", "E9", "1.00", "S9") for number in range(20)))
    both = f"both_{DAY}.jsonl"
    waiting = push(world, both, ("F1", "E9", "1.00", "S9"), ("G1", "E1", "5.00", "S1"))
    assert waiting.status is RunStatus.NEEDS_CONFIRMATION
    push(world, f"S9_{DAY}_2.jsonl", *((f"F{number}", "E9", "2.00", "S9") for number in range(20)))
    assert look_at_waiting_runs(world.context) == [waiting.run_id]
    world.work()
    assert world.context.runs.get(waiting.run_id).status is RunStatus.SUCCEEDED
    assert world.metrics() == {"H1": (500, 1, 1), "H9": (4000, 20, 20)}
    assert look_at_waiting_runs(world.context) == []


@pytest.mark.parametrize("victim", range(1, 16))
def test_a_look_at_what_waits_that_dies_anywhere_is_finished_by_the_next(world: World, victim: int) -> None:
    sell(world, 12)
    pull(world)
    kept = dict(world.erp.days[DAY])
    world.erp.days[DAY].clear()
    waiting = pull(world)
    world.erp.days[DAY] = kept
    pull(world)
    left = victim

    def die_once(_operation: str, _place: str) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise Killed

    world.hook = die_once
    for _ in range(2):
        with suppress(Killed):
            look_at_waiting_runs(world.context)
    world.work()
    assert world.context.runs.get(waiting.run_id).status is RunStatus.SUPERSEDED
    assert {one["runId"] for one in told(world, "import.superseded")} == {waiting.run_id}
    assert world.metrics() == {"H1": (1200, 12, 12)}


def test_more_than_was_confirmed_is_asked_for_anew(world: World) -> None:
    """A file that is older than the run that waits comes late, and is what the run would now take away."""
    sell(world, 12, "S9")
    pull(world)
    world.now += timedelta(hours=1)
    world.push(FILE, *((f"F{index}", "E9", "1.00", "S9") for index in range(30)))
    world.erp.days[DAY].clear()
    waiting = pull(world, "S9")
    assert import_file(world.context, FILE)
    world.work()
    confirm_import(world.context, waiting.run_id, "ada")
    world.work()
    again = world.context.runs.get(waiting.run_id)
    assert (again.status, again.confirmed_by) == (RunStatus.NEEDS_CONFIRMATION, "")
    assert {one.records_before for one in again.drops} == {30}
    assert world.metrics() == {"H9": (3000, 30, 30)}
    assert len(told(world, "import.needs_confirmation")) == 2
    confirm_import(world.context, waiting.run_id, "ada")
    world.work()
    assert world.metrics() == {}


def test_the_watchdog_leaves_a_run_that_waits_for_a_person(world: World) -> None:
    sell(world, 12)
    pull(world)
    world.erp.days[DAY].clear()
    waiting = pull(world)
    world.now += timedelta(days=2)
    assert waiting.run_id not in watch_imports(world.context)
    assert world.context.runs.get(waiting.run_id).status is RunStatus.NEEDS_CONFIRMATION


def test_nothing_is_confirmed_that_does_not_wait(world: World) -> None:
    sell(world, 1)
    done = pull(world)
    with pytest.raises(Conflict, match="waits for no confirmation"):
        confirm_import(world.context, done.run_id, "ada")


def test_a_store_that_is_not_known_is_refused_at_the_start() -> None:
    """INC-01."""
    world = World(known_stores=frozenset({"S1"}))
    with pytest.raises(InvalidRequest) as refused:
        start_import(world.context, StartRequest(DAY, Trigger.API, "somebody", store_id="S2"))
    assert [one.field for one in refused.value.details] == ["storeId"]


@pytest.mark.parametrize("victim", range(1, 70))
def test_a_worker_killed_anywhere_around_a_confirmation_leaves_the_same_result(victim: int) -> None:
    """INC-07."""
    world = World(page_size=50, drops=DropRules(Decimal("0.5"), 3))
    map_employees(world.context, {"E1": "H1", "E9": "H9"}, DAY)
    push(world, FILE, ("F1", "E9", "9.00", "S9"))
    sell(world, 4, "S1")
    sell(world, 4, "S2")
    pull(world)
    for index in range(4):
        world.erp.remove(f"S1-{index:03d}")
    run_id = start_import(world.context, StartRequest(DAY, Trigger.TIMER, "timer"))
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
    assert world.context.runs.get(run_id).status is RunStatus.NEEDS_CONFIRMATION
    assert world.metrics() == {"H1": (800, 8, 8), "H9": (900, 1, 1)}
    left = victim
    world.hook = die_once
    for _ in range(2):
        try:
            confirm_import(world.context, run_id, "ada")
        except Killed:
            continue
        break
    while world.deliver():
        pass
    world.work()
    assert world.context.runs.get(run_id).status is RunStatus.SUCCEEDED
    assert world.metrics() == {"H1": (400, 4, 4), "H9": (900, 1, 1)}


@pytest.mark.parametrize("victim", range(1, 60))
def test_a_worker_killed_between_the_stores_of_a_large_file_does_not_ask_for_what_was_confirmed(victim: int) -> None:
    """INC-07: more stores than one transaction takes."""
    world = World(page_size=500)
    map_employees(world.context, {"E9": "H9"}, DAY)
    push(world, f"all_{DAY}.jsonl", *((f"F{store}", "E9", "10.00", f"S{store:03d}") for store in range(150)))
    corrected = ((f"F{store}", "E9", "1.00", f"S{store:03d}") for store in range(150))
    waiting = push(world, f"all_{DAY}_corrected.jsonl", *corrected)
    assert waiting.status is RunStatus.NEEDS_CONFIRMATION
    confirm_import(world.context, waiting.run_id, "ada")
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
    ended = world.context.runs.get(waiting.run_id)
    assert (ended.status, ended.confirmed_by, len(ended.drops)) == (RunStatus.SUCCEEDED, "ada", 151)
    assert world.metrics() == {"H9": (15000, 150, 150)}
