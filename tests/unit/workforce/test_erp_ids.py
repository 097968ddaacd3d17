"""INC-05, INC-22, INC-23: whose sales an ERP employee ID stands for, as events and full syncs tell it."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest

from shared.kernel.message import parse_message
from shared.sales.employees import learn_owners, resume_mappings
from shared.sales.runs import Trigger
from shared.sales.start import StartRequest, start_import
from shared.wiring.workforce import claims_by_erp_id
from shared.workforce.apply import apply_event, handle_hr_message
from shared.workforce.full_sync import start_sync
from tests.unit.sales.world import Killed
from tests.unit.sales.world import World as Sales
from tests.unit.workforce.world import World as People
from tests.unit.workforce.world import created, updated

JANUARY = [date(2025, 1, 3), date(2025, 1, 20)]
FEBRUARY = [date(2025, 2, 5), date(2025, 2, 12)]


class Both:
    """People and sales on a storage each, which a worker may die in, at any operation of either."""

    def __init__(self) -> None:
        self.sales = Sales(page_size=10)
        self.people = People(told=lambda claims: learn_owners(self.sales.context, claims_by_erp_id(claims)))
        self.people.hook = lambda operation, place: self.sales.hook(operation, place)
        self.sales.now = self.people.now = datetime(2025, 1, 2, 12, tzinfo=UTC)

    def at(self, *when: int) -> None:
        """Let it be noon (UTC) of a day."""
        self.people.now = self.sales.now = datetime(*when, 12, tzinfo=UTC)  # type: ignore[arg-type,misc]

    def hear(self, kind: str, data: dict[str, Any], event_id: str) -> None:
        apply_event(self.people.context, self.people.event(kind, data, event_id=event_id))
        self.sales.work()

    def sell(self, days: list[date]) -> None:
        for day in days:
            self.sales.erp.sell(day, f"T-{day}", "E1", "100.00")
            start_import(self.sales.context, StartRequest(day, Trigger.API, "somebody"))
        self.sales.work()

    def sold(self, period: str) -> dict[str, int]:
        """Return employee -> transactions."""
        return {name: number for name, (_, _, number) in self.sales.metrics(period).items()}

    def take_over(self, people: list[dict[str, Any]]) -> None:
        """Do a full sync; a worker that dies is followed by another one."""
        self.people.people = people
        start_sync(self.people.context, "test")
        self.work_on()

    def work_on(self) -> None:
        while body := self.people.queues.take("hr-events"):
            try:
                handle_hr_message(self.people.context, self.people.queues.resolve(parse_message(body)))
            except Killed:
                self.people.queues.put_back("hr-events", body)

    def die_at(self, operation: int) -> None:
        """Let the worker die at an operation of storage from now on, before it or after it took effect."""
        numbers = iter(range(1, 10_000))

        def die(_operation: str, _name: str) -> None:
            if next(numbers) == operation:
                raise Killed

        self.sales.hook = die


def hired(who: str, **fields: Any) -> dict[str, Any]:
    return created(who, status="Active", assignments=[], **fields)


@pytest.fixture
def both() -> Both:
    """January sold, imported, and H1's."""
    both = Both()
    both.hear("employee.created", created("H1", erpEmployeeId="E1"), "e1")
    both.at(2025, 2, 1)
    both.sell(JANUARY)
    assert both.sold("2025-01") == {"H1": 2}
    return both


def by_event(both: Both) -> None:
    both.hear("employee.created", created("H2", erpEmployeeId="E1"), "e2")


def by_sync(both: Both) -> None:
    both.take_over([hired("H1", erpEmployeeId=None), hired("H2", erpEmployeeId="E1")])
    both.sales.work()


@pytest.mark.parametrize("tell", [by_event, by_sync])
def test_january_stays_with_whom_it_was_paid_to_when_the_id_goes_to_somebody_else_in_february(
    both: Both, tell: Callable[[Both], None]
) -> None:
    both.at(2025, 2, 7)
    both.sell(FEBRUARY[:1])
    both.at(2025, 2, 8)
    tell(both)
    both.at(2025, 2, 20)
    both.sell(FEBRUARY[1:])
    both.sell(JANUARY)  # imported again
    assert (both.sold("2025-01"), both.sold("2025-02")) == ({"H1": 2}, {"H1": 1, "H2": 1})


def test_an_id_goes_to_somebody_else_on_the_day_that_was_announced(both: Both) -> None:
    both.at(2025, 2, 2)
    both.hear("employee.created", created("H2"), "e2")
    both.hear("employee.updated", updated("H2", "2025-02-10", erpEmployeeId="E1"), "e3")
    both.at(2025, 2, 20)
    both.sell(FEBRUARY)
    assert (both.sold("2025-01"), both.sold("2025-02")) == ({"H1": 2}, {"H1": 1, "H2": 1})


def test_news_that_come_late_move_what_was_imported_and_nothing_else(both: Both) -> None:
    both.at(2025, 2, 20)
    both.sell(FEBRUARY)
    asked: list[str] = []
    both.sales.hook = lambda operation, _name: asked.append(operation) if operation == "send" else None
    late = both.people.event("employee.created", created("H2", erpEmployeeId="E1"), datetime(2025, 2, 10, tzinfo=UTC))
    apply_event(both.people.context, late)
    assert len(asked) == 2  # one message, before and after: the run of 12 February
    both.sales.work()
    assert (both.sold("2025-01"), both.sold("2025-02")) == ({"H1": 2}, {"H1": 1, "H2": 1})


def test_an_old_event_that_comes_again_gives_nothing_back(both: Both) -> None:
    both.at(2025, 2, 8)
    by_event(both)
    both.at(2025, 2, 20)
    both.sell(FEBRUARY)
    first = both.people.event(
        "employee.created", created("H1", erpEmployeeId="E1"), datetime(2025, 1, 2, 12, tzinfo=UTC)
    )
    apply_event(both.people.context, first)
    both.sales.work()
    assert (both.sold("2025-01"), both.sold("2025-02")) == ({"H1": 2}, {"H1": 1, "H2": 1})


def changes(world: People) -> Iterator[tuple[str, bytes]]:
    """Yield events of H2, who was to get E1 in March, then E5 instead; in April he gets E7."""
    yield "announced", world.event("employee.updated", updated("H2", "2025-03-01", erpEmployeeId="E1"))
    world.now += timedelta(days=1)
    yield "replaced", world.event("employee.updated", updated("H2", "2025-03-01", erpEmployeeId="E5"))
    world.now += timedelta(days=1)
    yield "followed", world.event("employee.updated", updated("H2", "2025-04-01", erpEmployeeId="E7"))
    world.now = datetime(2025, 5, 1, tzinfo=UTC)


@pytest.mark.parametrize("order", [*permutations(("announced", "replaced", "followed"))], ids="-".join)
def test_what_was_announced_and_replaced_before_its_day_never_was(order: tuple[str, ...]) -> None:
    world = People()
    apply_event(world.context, world.event("employee.created", created("H1", erpEmployeeId="E1")))
    events = dict(changes(world))
    for name in order:
        apply_event(world.context, events[name])
    found = world.mapped("E1", "E5", "E7", on=date(2025, 4, 15))
    assert found == {"E1": "H1", "E5": "H2", "E7": "H2"}


def test_who_had_an_id_long_ago_is_known_however_late_it_is_told() -> None:
    world = People()
    apply_event(world.context, world.event("employee.created", created("H1", erpEmployeeId="E2")))
    for days, erp_id in ((450, "E3"), (500, "E1")):  # of which the person's own row keeps the later one
        long_ago = world.now - timedelta(days=days)
        apply_event(world.context, world.event("employee.updated", updated("H1", erpEmployeeId=erp_id), long_ago))
    assert world.mapped("E1", "E2", "E3") == {"E1": "H1", "E2": "H1", "E3": "H1"}


@pytest.mark.parametrize(
    ("told", "erp_id"), [(4711, "4711"), (" E1 ", "E1"), (0, "0"), (True, None), (10**128, None), ("", None)]
)
def test_an_erp_id_is_known_as_sales_name_it(told: object, erp_id: str | None) -> None:
    world = People()
    apply_event(world.context, world.event("employee.created", created("H1", erpEmployeeId=told)))
    world.now += timedelta(days=1)
    world.people = [hired("H1", erpEmployeeId=told)]
    start_sync(world.context, "test")
    world.work()
    stored = [row.key for row in world.tables.table("EmployeeMappings").query("default")]
    assert stored == ([erp_id] if erp_id else [])


# Killed anywhere -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tell", [by_event, by_sync])
@pytest.mark.parametrize("operation", range(1, 60))
def test_a_worker_killed_at_any_operation_leaves_the_same_sales(operation: int, tell: Callable[[Both], None]) -> None:
    both = Both()
    both.hear("employee.created", created("H1", erpEmployeeId="E1"), "e1")
    both.at(2025, 2, 20)
    both.sell([*JANUARY, *FEBRUARY])
    both.at(2025, 2, 10)
    both.die_at(operation)
    try:
        tell(both)
    except Killed:
        both.sales.work()
        tell(both)
    both.sales.work()
    assert (both.sold("2025-01"), both.sold("2025-02")) == ({"H1": 2}, {"H1": 1, "H2": 1})


@pytest.mark.parametrize("operation", range(1, 40))
def test_a_mapping_whose_worker_died_is_finished_by_the_next_full_sync_or_the_watchdog(operation: int) -> None:
    both = Both()
    both.at(2025, 2, 20)
    both.sell(FEBRUARY)
    both.people.people = [hired("H1", erpEmployeeId="E1")]
    start_sync(both.people.context, "test")
    body = both.people.queues.take("hr-events")
    assert body
    both.die_at(operation)
    try:
        handle_hr_message(both.people.context, parse_message(body))
    except Killed:
        both.sales.work()
        if both.sales.context.mappings.find(["E1"]):
            resume_mappings(both.sales.context)
        else:
            both.take_over(both.people.people)
    both.sales.work()
    assert both.sold("2025-02") == {"H1": 2}


def test_a_lost_answer_of_a_transaction_loses_no_mapping() -> None:
    """The transport sends it again, and is told that the rows are there already."""
    both = Both()
    table = both.people.tables.table("Employees")
    transact = table.transact

    def twice(partition: str, operations: Any) -> Any:
        transact(partition, operations)
        return transact(partition, operations)

    table.transact = twice  # type: ignore[method-assign]
    mappings = both.sales.tables.table("EmployeeMappings")
    write = mappings.transact

    def written_twice(partition: str, operations: Any) -> Any:
        write(partition, operations)
        return write(partition, operations)

    mappings.transact = written_twice  # type: ignore[method-assign]
    both.at(2025, 2, 20)
    both.sell(FEBRUARY)
    both.take_over([hired("H1", erpEmployeeId="E1"), hired("H2", erpEmployeeId="E2")])
    both.sales.work()
    assert not list(both.people.context.sync_runs.running())
    assert both.sold("2025-02") == {"H1": 2}
    assert both.sales.context.mappings.unsettled() == []


def test_who_has_an_id_by_mistake_or_for_a_week_gives_it_back() -> None:
    """INC-24: the one whose it is says nothing new, yet his sales are his again."""
    both = Both()
    both.at(2025, 1, 2)
    both.hear("employee.created", created("H5", erpEmployeeId="E1"), "e1")
    both.at(2025, 2, 10)
    both.sell(JANUARY)
    both.hear("employee.created", created("H1", erpEmployeeId="E1"), "e2")
    both.people.now += timedelta(hours=1)
    both.hear("employee.updated", updated("H1", erpEmployeeId="E7"), "e3")
    both.at(2025, 2, 14)
    both.sell(FEBRUARY)
    assert (both.sold("2025-01"), both.sold("2025-02")) == ({"H5": 2}, {"H5": 2})
    both.at(2025, 2, 16)
    both.hear("employee.updated", updated("H1", erpEmployeeId="E1"), "e4")
    both.at(2025, 2, 18)
    both.sell([date(2025, 2, 17)])
    both.at(2025, 2, 20)
    both.hear("employee.updated", updated("H1", erpEmployeeId=None), "e5")
    both.at(2025, 2, 22)
    both.sell([date(2025, 2, 21)])
    assert both.sold("2025-02") == {"H5": 3, "H1": 1}


def test_an_id_that_nobody_claims_any_more_stays_with_whom_it_was() -> None:
    both = Both()
    both.at(2025, 1, 2)
    both.hear("employee.created", created("H1", erpEmployeeId="E1"), "e1")
    both.at(2025, 1, 10)
    both.hear("employee.updated", updated("H1", erpEmployeeId=None), "e2")
    both.at(2025, 1, 21)
    both.sell(JANUARY)
    assert both.sold("2025-01") == {"H1": 2}
