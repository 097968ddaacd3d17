"""INC-40: a period of any size is calculated in bounded memory, one function execution after the other."""

from datetime import date, timedelta

import pytest

from shared.incentives import sorted_sellers, windows
from shared.incentives.calculate_period import (
    QUEUED_AGAIN_AFTER,
    give_up_calculation,
    handle_calculation_message,
    watch_calculations,
)
from shared.incentives.calculate_range import MOST_TIME
from shared.incentives.calculation import State
from shared.incentives.calculation_id import range_of_employee
from shared.incentives.context import CALCULATION_QUEUE, Seller
from shared.incentives.sorted_sellers import SortedSellers
from shared.kernel.errors import DataRefused
from shared.kernel.message import new_message, parse_message
from tests.unit.incentives.world import PERIOD, Killed, World, sold

EMPLOYEES = [f"H{number}" for number in range(12)]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """Twelve people with sales of their own, looked at two at a time."""
    monkeypatch.setattr(windows, "EMPLOYEES", 2)
    world = World()
    for number, name in enumerate(EMPLOYEES):
        world.hire(name)
        world.sell(name, sold(10_000 + 100 * number))
    return world


def expected(world: World) -> dict[str, tuple[int, State]]:
    """Return what one per cent of the present sales comes to."""
    return {name: (sum(one.amount_minor for one in sales) // 100, State.DRAFT) for name, sales in world.sales.items()}


def slow(world: World) -> None:
    """Let each window take all the time that an execution has."""

    def tick(operation: str, place: str) -> None:
        if (operation, place) == ("transact", "Calculations"):
            world.now += MOST_TIME

    world.hook = tick


def by_range(*names: str) -> list[str]:
    """Return employees in the order in which their calculations lie."""
    return sorted(names, key=lambda name: range_of_employee(PERIOD, name))


def test_a_long_period_is_a_chain_of_executions_with_the_counts_of_one(world: World) -> None:
    run_id = world.start()
    slow(world)
    executions = 0
    while world.deliver():
        executions += 1
        assert (world.context.runs.get(run_id).status == "Succeeded") == (executions == 6)
    assert executions == 6
    run = world.context.runs.get(run_id)
    assert (run.created, run.unchanged, run.net_minor) == (12, 0, sum(net for net, _ in expected(world).values()))
    assert world.amounts() == expected(world)
    assert [kind for kind, _ in world.told()] == ["calculation.completed"]


def test_an_execution_that_reads_for_long_does_as_much_work_as_it_read(world: World) -> None:
    """Each execution reads everybody: one window for each reading would never end where reading is slow."""
    world.start()

    def tick(operation: str, place: str) -> None:
        if (operation, place) == ("read", "SalesMetrics"):
            world.now += 3 * MOST_TIME
        if (operation, place) == ("transact", "Calculations"):
            world.now += MOST_TIME

    world.hook = tick
    executions = 0
    while world.deliver():
        executions += 1
    assert executions == 3
    assert world.amounts() == expected(world)


def test_what_differs_is_told_as_one_run_would_tell_it_however_it_is_cut(world: World) -> None:
    world.calculate()
    ids = [one.calculation_id for one in world.all()]
    world.approve(*ids)
    for name in EMPLOYEES:
        world.sell(name, sold(50_000))
    first = world.calculate()
    assert (first.differing, first.differing_ids) == (12, tuple(ids))
    new = world.hire, world.sell
    for name in ("N1", "N2", "N3", "N4"):
        new[0](name)
        new[1](name, sold(100))
    run_id = world.start()
    slow(world)
    while world.deliver():
        pass
    assert (world.context.runs.get(run_id).differing, world.context.runs.get(run_id).created) == (12, 4)
    messages = [one for one in world.queues.messages("notifications") if one.type == "calculation.differing"]
    assert len({one.id for one in messages}) == 1


@pytest.mark.parametrize("place", [0, 11], ids=["in a range that is done", "in a range to come"])
def test_sales_that_change_between_two_executions_are_calculated_by_whoever_they_make_calculate(
    world: World, place: int
) -> None:
    """An import asks for a calculation of its own: nothing of it is left out because another one is half done."""
    changed = by_range(*EMPLOYEES)[place]
    world.start()
    slow(world)
    world.deliver()
    world.sell(changed, sold(99_900))
    world.hook = lambda _operation, _place: None
    world.start()
    while world.deliver():
        pass
    assert world.amounts() == expected(world)


def test_an_import_that_asks_again_while_its_run_is_half_done_begins_at_the_beginning(world: World) -> None:
    """Both have the ID of the import run; how far one of them is says nothing about the other."""
    data = {"period": PERIOD, "runId": "01941f29-7c00-7000-8000-000000000001"}

    def publish() -> None:
        message = new_message(
            message_id="m", message_type="calculation.requested", tenant="default", now=world.now, data=data
        )
        handle_calculation_message(world.context, message)

    slow(world)
    publish()
    world.hook = lambda _operation, _place: None
    world.sell(by_range(*EMPLOYEES)[0], sold(99_900))
    publish()
    while world.deliver():
        pass
    assert world.amounts() == expected(world)


@pytest.mark.parametrize("name", ["first", "middle", "last", "new"])
def test_sales_that_change_while_a_range_is_written_are_calculated_again(world: World, name: str) -> None:
    ordered = by_range(*EMPLOYEES)
    who = {"first": ordered[0], "middle": ordered[5], "last": ordered[-1], "new": "a late one"}[name]
    world.hire("a late one")
    writes = 0

    def sell_once(operation: str, place: str) -> None:
        nonlocal writes
        if (operation, place) == ("transact", "Calculations"):
            writes += 1
            if writes == 5:
                world.sell(who, sold(77_700))

    world.hook = sell_once
    run_id = world.start()
    world.deliver()
    assert world.context.runs.get(run_id).status == "Succeeded"
    assert world.amounts() == expected(world)


@pytest.mark.parametrize("victim", range(1, 60, 3))
def test_a_worker_killed_anywhere_in_the_chain_leaves_the_same_result(world: World, victim: int) -> None:
    world.calculate()
    withdrawn = by_range(*EMPLOYEES)[3]
    world.sales.pop(withdrawn)
    world.sell(by_range(*EMPLOYEES)[8], sold(66_600))
    run_id = world.start()
    operations = 0

    def die_once(operation: str, place: str) -> None:
        nonlocal operations
        operations += 1
        if (operation, place) == ("transact", "Calculations"):
            world.now += MOST_TIME
        if operations == victim:
            raise Killed

    world.hook = die_once
    while world.deliver():
        pass
    world.hook = lambda _operation, _place: None
    assert world.amounts() == {**expected(world), withdrawn: (0, State.DRAFT)}
    run = world.context.runs.get(run_id)
    assert (run.status, run.net_minor) == ("Succeeded", sum(net for net, _ in expected(world).values()))


@pytest.mark.parametrize("victim", range(1, 80, 3))
def test_a_chain_whose_message_is_lost_anywhere_goes_on_from_its_checkpoint(world: World, victim: int) -> None:
    """The worker dies and the queue loses its message: a quarter of an hour later the run is taken up."""
    world.calculate()
    world.sell(by_range(*EMPLOYEES)[8], sold(66_600))
    run_id = world.start()
    operations = 0

    def die_once(operation: str, place: str) -> None:
        nonlocal operations
        operations += 1
        if (operation, place) == ("transact", "Calculations"):
            world.now += MOST_TIME
        if operations == victim:
            raise Killed

    world.hook = die_once
    executions = 0
    for _ in range(3):
        while world.deliver(lost=True):
            executions += 1
        world.hook = lambda _operation, _place: None
        world.now += QUEUED_AGAIN_AFTER
        watch_calculations(world.context)
    assert world.amounts() == expected(world)
    run = world.context.runs.get(run_id)
    assert (run.status, run.net_minor) == ("Succeeded", sum(net for net, _ in expected(world).values()))
    assert executions <= 8, "what was done before the message was lost is not done again"


def test_a_chain_that_goes_on_is_left_alone_and_one_that_stands_still_is_queued_under_another_id(world: World) -> None:
    """A broker that drops repeats for 20 minutes would drop the same ID."""
    run_id = world.start()
    slow(world)
    world.deliver()
    assert watch_calculations(world.context) == []
    lost = world.queues.take(CALCULATION_QUEUE)
    assert lost is not None
    world.now += QUEUED_AGAIN_AFTER
    assert watch_calculations(world.context) == [run_id]
    assert watch_calculations(world.context) == []
    again = world.queues.take(CALCULATION_QUEUE)
    assert again is not None
    first, second = parse_message(lost), parse_message(again)
    assert second.data == first.data
    assert second.id != first.id


def test_both_the_message_that_was_thought_lost_and_the_one_in_its_place_come_to_the_same_result_once(
    world: World,
) -> None:
    run_id = world.start()
    slow(world)
    world.deliver()
    world.now += QUEUED_AGAIN_AFTER
    watch_calculations(world.context)
    while world.deliver():
        pass
    assert world.amounts() == expected(world)
    assert world.context.runs.get(run_id).status == "Succeeded"
    assert len({one.id for one in world.queues.messages("notifications")}) == 1


@pytest.mark.parametrize("place", [0, 5, 11])
@pytest.mark.parametrize("lost", [0, 1], ids=["the chain before is lost", "the chain since is lost"])
def test_an_import_that_asked_again_is_calculated_whole_whichever_message_is_lost(
    world: World, place: int, lost: int
) -> None:
    """Two chains under one ID: that one of them came to the end says nothing of the ranges of the other."""
    data = {"period": PERIOD, "runId": "01941f29-7c00-7000-8000-000000000001"}
    slow(world)
    for cents in (50_000, 99_900):
        world.sell(by_range(*EMPLOYEES)[place], sold(cents))
        message = new_message(
            message_id="m", message_type="calculation.requested", tenant="default", now=world.now, data=data
        )
        handle_calculation_message(world.context, message)
    messages = [world.queues.take(CALCULATION_QUEUE) for _ in range(2)]
    kept = messages[1 - lost]
    assert kept is not None
    world.queues.put_back(CALCULATION_QUEUE, kept)
    for _ in range(2):
        while world.deliver():
            pass
        world.now += QUEUED_AGAIN_AFTER
        watch_calculations(world.context)
    assert world.amounts() == expected(world)
    assert world.context.runs.get(data["runId"]).status == "Succeeded"


def test_giving_up_the_message_of_a_chain_that_was_left_behind_fails_nothing(world: World) -> None:
    data = {"period": PERIOD, "runId": "01941f29-7c00-7000-8000-000000000001"}
    slow(world)
    for _ in range(2):
        message = new_message(
            message_id="m", message_type="calculation.requested", tenant="default", now=world.now, data=data
        )
        handle_calculation_message(world.context, message)
    old = world.queues.take(CALCULATION_QUEUE)
    assert old is not None
    give_up_calculation(world.context, parse_message(old), DataRefused("it crashed"))
    assert world.context.runs.get(data["runId"]).status == "Running"


def test_sellers_come_in_the_order_of_their_calculations_from_however_many_files() -> None:
    sellers = [
        Seller(f"E{number}", tuple(sold(number, date(2025, 1, 1) + timedelta(days=day)) for day in range(3)), ())
        for number in range(1000)
    ]
    with SortedSellers(PERIOD, most_in_memory=400) as few, SortedSellers(PERIOD) as one:
        few.add_all(sellers)
        one.add_all(sellers)
        found = list(few)
        assert found == list(one)
        assert len(few._files) > 5
    assert [seller for _, seller in found] == sorted(
        sellers, key=lambda seller: range_of_employee(PERIOD, seller.employee_id)
    )


def test_a_period_that_does_not_fit_into_memory_comes_to_the_same(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SortedSellers.__init__, "__kwdefaults__", {"most_in_memory": 3})
    assert sorted_sellers.SortedSellers(PERIOD)._most == 3
    world.calculate()
    assert world.amounts() == expected(world)
    assert world.calculate().unchanged == 12
