"""INC-03, INC-07: a transaction counts once, in the latest run that holds it."""

from contextlib import suppress
from datetime import date

import pytest

from shared.kernel.message import Message
from shared.sales.context import NOTIFICATION_QUEUE
from shared.sales.employees import map_employees, resume_mappings
from shared.sales.runs import RunStatus, Trigger
from shared.sales.start import StartRequest, start_import
from tests.unit.sales.world import Killed, World

MONDAY, TUESDAY = date(2025, 1, 13), date(2025, 1, 14)


@pytest.fixture
def world() -> World:
    world = World()
    map_employees(world.context, {"E1": "H1", "E2": "H2"})
    return world


def run(world: World, day: date, store: str = "") -> str:
    run_id = start_import(world.context, StartRequest(day, Trigger.API, "somebody", store_id=store))
    world.work()
    return run_id


def test_a_sale_moved_to_another_day_leaves_the_day_that_is_not_imported_again(world: World) -> None:
    world.erp.sell(MONDAY, "T1", "E1", "10.00")
    world.erp.sell(MONDAY, "T2", "E1", "5.00")
    first = run(world, MONDAY)
    world.erp.remove("T1")
    world.erp.sell(TUESDAY, "T1", "E1", "10.00")
    run(world, TUESDAY)
    assert world.metrics() == {"H1": (1500, 2, 2)}
    assert world.context.runs.get(first).elsewhere == 1


def test_the_day_wins_its_sale_back_when_the_later_run_is_replaced_by_one_without_it(world: World) -> None:
    world.erp.sell(MONDAY, "T1", "E1", "10.00")
    run(world, MONDAY)
    world.erp.sell(TUESDAY, "T1", "E1", "10.00")
    run(world, TUESDAY)
    world.erp.days[TUESDAY].clear()
    world.erp.sell(TUESDAY, "T9", "E2", "1.00")
    run(world, TUESDAY)
    assert world.metrics() == {"H1": (1000, 1, 1), "H2": (100, 1, 1)}


def test_an_import_of_one_store_replaces_that_store_alone(world: World) -> None:
    world.erp.sell(MONDAY, "T1", "E1", "10.00", store="S1")
    world.erp.sell(MONDAY, "T2", "E1", "20.00", store="S2")
    run(world, MONDAY)
    world.erp.sell(MONDAY, "T1", "E1", "11.00", store="S1")
    world.erp.sell(MONDAY, "T2", "E1", "99.00", store="S2")
    run(world, MONDAY, "S1")
    assert world.metrics() == {"H1": (3100, 2, 2)}


def test_a_sale_that_changed_its_store_counts_where_it_was_seen_last(world: World) -> None:
    world.erp.sell(MONDAY, "T1", "E1", "10.00", store="S1")
    run(world, MONDAY)
    world.erp.sell(MONDAY, "T1", "E1", "10.00", store="S2")
    run(world, MONDAY, "S2")
    assert world.metrics() == {"H1": (1000, 1, 1)}


def test_a_run_that_is_overtaken_by_a_later_one_changes_nothing(world: World) -> None:
    world.erp.sell(MONDAY, "T1", "E1", "10.00")
    slow = start_import(world.context, StartRequest(MONDAY, Trigger.API, "somebody"))
    fast = start_import(world.context, StartRequest(MONDAY, Trigger.API, "somebody"))
    world.deliver(1)
    world.work()
    assert world.context.runs.get(fast).status is RunStatus.SUCCEEDED
    assert world.context.runs.get(slow).status is RunStatus.SUPERSEDED
    assert world.metrics() == {"H1": (1000, 1, 1)}


def test_an_empty_day_takes_back_what_was_imported(world: World) -> None:
    world.erp.sell(MONDAY, "T1", "E1", "10.00")
    run(world, MONDAY)
    world.erp.days[MONDAY].clear()
    run(world, MONDAY)
    assert world.metrics() == {}


def test_held_sales_flow_in_when_the_employee_appears(world: World) -> None:
    """INC-05."""
    world.erp.sell(MONDAY, "T1", "E7", "10.00")
    run_id = run(world, MONDAY)
    held = world.context.runs.get(run_id)
    assert (held.held, held.held_amount_minor, held.unmapped_employees, world.metrics()) == (1, 1000, 1, {})
    map_employees(world.context, {"E7": "H7"})
    world.work()
    assert world.metrics() == {"H7": (1000, 1, 1)}
    assert world.context.runs.get(run_id).held == 0


def test_whoever_gets_an_id_from_a_past_day_on_takes_the_sales_since_then_along(world: World) -> None:
    """INC-05."""
    world.erp.sell(MONDAY, "T1", "E1", "10.00")
    run(world, MONDAY)
    map_employees(world.context, {"E1": "H9"}, since=MONDAY)
    world.work()
    assert world.metrics() == {"H9": (1000, 1, 1)}


@pytest.mark.parametrize("victim", range(1, 12))
@pytest.mark.parametrize("mapped_before", [False, True], ids=["held", "mapped to somebody else"])
def test_whoever_is_mapped_by_a_request_that_dies_anywhere_has_his_sales(victim: int, *, mapped_before: bool) -> None:
    """INC-05: what is stored of the request is followed up, also when nobody repeats it."""
    world, left = World(), victim
    if mapped_before:
        map_employees(world.context, {"E7": "H1"})
    world.erp.sell(MONDAY, "T1", "E7", "10.00")
    run(world, MONDAY)
    before = world.metrics()

    def die_once(_operation: str, _place: str) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise Killed

    world.hook = die_once
    with suppress(Killed):
        map_employees(world.context, {"E7": "H7"})
    world.hook = lambda _operation, _place: None
    stored = [owners.on(MONDAY) for owners in world.context.mappings.find(["E7"]).values()] == ["H7"]
    resume_mappings(world.context)
    world.work()
    assert world.metrics() == ({"H7": (1000, 1, 1)} if stored else before)
    assert resume_mappings(world.context) == 0


def test_a_day_that_loses_much_to_another_day_is_told_of_each_time(world: World) -> None:
    """A till that numbers from 1 each day: what is right of a sale that moved is wrong of IDs that are given twice."""

    def told() -> list[Message]:
        found = {one.id: one for one in world.queues.messages(NOTIFICATION_QUEUE) if one.type == "import.sales-moved"}
        return list(found.values())

    for number in range(12):
        world.erp.sell(MONDAY, f"T{number}", "E1", "10.00")
    first = run(world, MONDAY)
    for number in range(12):
        world.erp.days.setdefault(TUESDAY, {})[f"T{number}"] = world.erp.days[MONDAY][f"T{number}"] | {
            "transactionDate": f"{TUESDAY}T12:00:00+01:00"
        }
    run(world, TUESDAY)
    (message,) = told()
    assert message.subject == first
    assert "12 of 12 sales (120.00) count under another day" in str(message.data["notice"])
    run(world, MONDAY)
    assert {one.data["date"] for one in told()} == {MONDAY.isoformat(), TUESDAY.isoformat()}, "now Tuesday loses them"
    run(world, TUESDAY)
    assert len(told()) == 3, "what comes back is an occurrence of its own"


def test_a_few_sales_that_move_are_nobody_s_trouble(world: World) -> None:
    for number in range(12):
        world.erp.sell(MONDAY, f"T{number}", "E1", "10.00")
    run(world, MONDAY)
    world.erp.remove("T1")
    world.erp.sell(TUESDAY, "T1", "E1", "10.00")
    run(world, TUESDAY)
    assert not [one for one in world.queues.messages(NOTIFICATION_QUEUE) if one.type == "import.sales-moved"]
