"""INC-05, INC-07: an ERP that pages without a stable order, and one that holds records twice."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from shared.sales.context import NOTIFICATION_QUEUE
from shared.sales.employees import map_employees
from shared.sales.files import import_file
from shared.sales.queries import show_run
from shared.sales.runs import ImportRun, RunStatus, Trigger
from shared.sales.start import StartRequest, start_import
from tests.unit.sales.world import DAY, Killed, World

Order = Callable[[list[Any], int], list[Any]]


def world_of(sales: int, **more: Any) -> World:
    world = World(page_size=2, **more)
    map_employees(world.context, {"E1": "H1"}, DAY)
    world.work()
    for number in range(sales):
        world.erp.sell(DAY, f"T{number:03d}", "E1", "1.00")
    return world


def imported(world: World) -> ImportRun:
    run_id = start_import(world.context, StartRequest(DAY, Trigger.TIMER, "timer"))
    world.work()
    return world.context.runs.get(run_id)


def asked_pages(world: World) -> list[int]:
    """Return a list that fills with the pages that are asked for."""
    pages: list[int] = []
    world.erp.before_page = lambda _day, page: pages.append(page)
    return pages


def moved(sales: list[Any], first: int, second: int) -> list[Any]:
    """Return sales of which two have changed places."""
    sales = list(sales)
    sales[first], sales[second] = sales[second], sales[first]
    return sales


@pytest.mark.parametrize("pages_per_slice", [20, 1], ids=["in one slice", "across slices"])
def test_a_total_that_is_met_by_a_record_twice_and_another_never_is_read_again(pages_per_slice: int) -> None:
    """T001 slides behind T004 after page 1 was read: it comes twice, T004 never, and the total is met."""
    world = world_of(6, pages_per_slice=pages_per_slice)
    pages = asked_pages(world)

    def order(sales: list[Any], page: int) -> list[Any]:
        return moved(sales, 1, 4) if page > 1 or len(pages) > 3 else sales

    world.erp.order = order
    run = imported(world)
    assert (run.status, run.generation) == (RunStatus.SUCCEEDED, 2)
    assert (run.records_read, run.distinct, run.total_records) == (6, 6, 6)
    assert world.metrics() == {"H1": (600, 6, 6)}


@pytest.mark.parametrize("pages_per_slice", [20, 1], ids=["in one slice", "across slices"])
def test_a_source_that_holds_records_twice_is_imported_and_told_of(pages_per_slice: int) -> None:
    world = world_of(6, pages_per_slice=pages_per_slice)
    sales = world.erp.days[DAY]
    sales["T004"] = dict(sales["T001"])
    pages = asked_pages(world)
    run = imported(world)
    assert (run.status, run.generation) == (RunStatus.PARTIAL_SUCCESS, 1)
    assert (run.records_read, run.distinct, run.total_records, run.repeated) == (6, 5, 6, 1)
    assert sorted(pages) == [1, 1, 2, 3, 3], "the two pages alone are asked for again"
    assert world.metrics() == {"H1": (500, 5, 5)}
    shown = show_run(world.context, run.run_id)
    assert shown["controlTotals"]["recordsAtSource"] == 6
    assert shown["controlTotals"]["distinctRecords"] == 5
    (told,) = [one.data for one in world.queues.messages(NOTIFICATION_QUEUE) if one.type == "import.completed"]
    assert told["status"] == "PartialSuccess"
    assert told["repeatedOnOtherPages"] == 1
    assert "1 of 6 records came on another page already" in str(told["notice"])
    assert "compare with the source" in str(told["notice"])


def test_a_conflicting_repeat_on_another_page_is_looked_at_as_well() -> None:
    world = world_of(6, max_reject_share=Decimal("0.5"))
    sales = world.erp.days[DAY]
    sales["T004"] = sales["T001"] | {"unitsSold": 2}
    run = imported(world)
    assert (run.status, run.repeated, run.distinct) == (RunStatus.PARTIAL_SUCCESS, 1, 5)


def test_a_source_that_never_pages_in_one_order_fails_and_changes_nothing() -> None:
    world = world_of(6)
    imported(world)
    before = world.metrics()
    turns = iter(range(10**6))

    def order(sales: list[Any], _page: int) -> list[Any]:
        turn = next(turns) % len(sales)
        return sales[turn:] + sales[:turn]

    world.erp.order = order
    run = imported(world)
    assert (run.status, run.generation, run.failure_code) == (RunStatus.FAILED, 3, "SourceChanged")
    assert "page" in run.failure
    assert world.metrics() == before


def test_a_record_twice_on_one_page_is_the_source_s_own() -> None:
    """One answer is of one moment."""
    world = world_of(6)
    sales = world.erp.days[DAY]
    sales["T001"] = dict(sales["T000"])
    pages = asked_pages(world)
    run = imported(world)
    assert (run.status, run.repeated, run.duplicates, run.distinct) == (RunStatus.SUCCEEDED, 0, 1, 5)
    assert pages == [1, 2, 3]
    assert show_run(world.context, run.run_id)["notice"] is None


def test_a_file_has_no_pages_that_could_move() -> None:
    world = world_of(0)
    line = {"transactionDate": f"{DAY}T12:00:00+01:00", "employeeId": "E1", "storeId": "S1", "unitsSold": 1}
    names = [f"T{number}" for number in range(6000)] + ["T1"]
    content = "\n".join(json.dumps(line | {"transactionId": name, "salesAmount": "1.00"}) for name in names)
    world.context.inbox.write(f"S1_{DAY}.jsonl", content.encode())
    run_id = import_file(world.context, f"S1_{DAY}.jsonl")
    world.work()
    run = world.context.runs.get(str(run_id))
    assert (run.status, run.repeated, run.duplicates) == (RunStatus.SUCCEEDED, 0, 1)


def test_many_pages_that_repeat_are_asked_for_again_in_part() -> None:
    world = world_of(120)
    sales = world.erp.days[DAY]
    for number in range(59):  # shifted by one: no page is the same as another
        sales[f"T{60 + number:03d}"] = dict(sales[f"T{number + 1:03d}"])
    pages = asked_pages(world)
    run = imported(world)
    assert (run.status, run.repeated, run.distinct) == (RunStatus.PARTIAL_SUCCESS, 59, 61)
    assert len(pages) == 60 + 20
    assert max(pages[60:]) > 55, "they are spread over all of them"


@pytest.mark.parametrize("victim", range(1, 60, 3))
def test_a_worker_killed_while_repeats_are_looked_at_leaves_the_same_result(victim: int) -> None:
    world = world_of(6, pages_per_slice=1)
    sales = world.erp.days[DAY]
    sales["T004"] = dict(sales["T001"])
    operations = 0

    def die_once(_operation: str, _place: str) -> None:
        nonlocal operations
        operations += 1
        if operations == victim:
            raise Killed

    run_id = start_import(world.context, StartRequest(DAY, Trigger.TIMER, "timer"))
    world.hook = die_once
    while world.deliver():
        pass
    world.work()
    run = world.context.runs.get(run_id)
    assert (run.status, run.repeated, world.metrics()) == (RunStatus.PARTIAL_SUCCESS, 1, {"H1": (500, 5, 5)})


@pytest.mark.parametrize("victim", range(1, 100, 2))
def test_a_worker_killed_around_a_new_reading_publishes_nothing_of_the_one_before(victim: int) -> None:
    """INC-07: the message that asks for publishing comes twice; the second one meets a run that began again."""
    world = world_of(12, pages_per_slice=2)
    left = victim

    def die_once(_operation: str, _place: str) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise Killed

    pages = asked_pages(world)
    world.erp.order = lambda sales, page: moved(sales, 6, 2) if page == 4 and pages.count(2) == 1 else sales
    run_id = start_import(world.context, StartRequest(DAY, Trigger.TIMER, "timer"))
    world.hook = die_once
    while world.deliver():
        pass
    world.work()
    run = world.context.runs.get(run_id)
    assert (run.status, run.records_read) == (RunStatus.SUCCEEDED, 12)
    assert world.metrics() == {"H1": (1200, 12, 12)}


@pytest.mark.parametrize("pages_per_slice", [20, 1], ids=["in one slice", "across slices"])
def test_a_refused_record_that_comes_twice_hides_no_sale(pages_per_slice: int) -> None:
    """T001, which is refused anyway, slides behind T004 after page 1 was read."""
    world = world_of(6, pages_per_slice=pages_per_slice, max_reject_share=Decimal("0.5"))
    world.erp.days[DAY]["T001"]["salesAmount"] = "much"
    pages = asked_pages(world)

    def order(sales: list[Any], page: int) -> list[Any]:
        return moved(sales, 1, 4) if page > 1 or len(pages) > 3 else sales

    world.erp.order = order
    run = imported(world)
    assert (run.status, run.generation, run.rejected) == (RunStatus.PARTIAL_SUCCESS, 2, 1)
    assert world.metrics() == {"H1": (500, 5, 5)}
