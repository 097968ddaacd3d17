"""INC-40: where somebody worked as what, day by day, from what HR events and full syncs told of him."""

from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from shared.incentives.context import Staff
from shared.kernel.pay_period import parse_period
from shared.wiring.staff import staff_from
from shared.workforce.apply import apply_event
from shared.workforce.full_sync import start_sync
from tests.unit.workforce.world import World, created, updated

JANUARY = parse_period("2025-01")
BERLIN = ZoneInfo("Europe/Berlin")
PLACE = {"employeeId": "H1", "assignmentId": "A1", "storeId": "S1", "role": "SalesAssociate", "startDate": "2024-06-01"}

Days = list[tuple[str, str, int, int]]
"""store, role, first and last day of January"""


def a_world(**fields: Any) -> World:
    world = World()
    world.now = datetime(2024, 6, 1, 12, tzinfo=UTC)
    apply_event(world.context, world.event("employee.created", created("H1", **({"storeId": "S1"} | fields))))
    return world


def at(world: World, day: date, kind: str, data: dict[str, Any]) -> None:
    """Let something be told on a day."""
    world.now = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    apply_event(world.context, world.event(kind, data))


def staff(world: World, on: date = date(2025, 2, 10)) -> Staff:
    now = datetime(on.year, on.month, on.day, 12, tzinfo=UTC)
    return staff_from(world.context.employees.get("H1"), JANUARY, now, BERLIN)


def days(world: World, on: date = date(2025, 2, 10)) -> Days:
    found = []
    for one in sorted(staff(world, on).assignments, key=lambda one: one.first_day):
        assert one.last_day is not None
        assert one.first_day.month == one.last_day.month == 1
        found.append((one.store_id, one.role, one.first_day.day, one.last_day.day))
    return found


def changed(effective: str | None = None, **fields: Any) -> dict[str, Any]:
    return {**updated("H1", effective, **fields), "assignmentId": "A1"}


def test_an_assignment_counts_as_what_it_was_on_each_day() -> None:
    world = a_world()
    at(world, date(2024, 6, 1), "assignment.created", PLACE)
    at(world, date(2025, 1, 10), "assignment.updated", changed("2025-01-16", role="StoreManager"))
    at(world, date(2025, 1, 20), "assignment.updated", changed(storeId="S2"))
    at(world, date(2025, 2, 3), "assignment.updated", changed(role="Cashier"))
    assert days(world) == [
        ("S1", "SalesAssociate", 1, 15),
        ("S1", "StoreManager", 16, 19),
        ("S2", "StoreManager", 20, 31),
    ]


def test_a_change_is_known_in_a_calculation_of_the_running_period_before_it_takes_effect() -> None:
    world = a_world()
    at(world, date(2024, 6, 1), "assignment.created", PLACE)
    at(world, date(2025, 1, 10), "assignment.updated", changed("2025-01-16", role="StoreManager"))
    assert days(world, date(2025, 1, 12)) == [("S1", "SalesAssociate", 1, 15), ("S1", "StoreManager", 16, 31)]


def test_what_became_known_later_counts_from_the_first_day() -> None:
    world = a_world()
    at(world, date(2025, 1, 20), "assignment.created", PLACE | {"startDate": "2025-01-06"})
    assert days(world) == [("S1", "SalesAssociate", 6, 31)]


def test_two_assignments_after_each_other() -> None:
    world = a_world()
    at(world, date(2024, 6, 1), "assignment.created", PLACE)
    at(world, date(2025, 1, 15), "assignment.ended", PLACE | {"endDate": "2025-01-15"})
    second = PLACE | {"assignmentId": "A2", "storeId": "S2", "startDate": "2025-01-16"}
    at(world, date(2025, 1, 15), "assignment.created", second)
    assert days(world) == [("S1", "SalesAssociate", 1, 15), ("S2", "SalesAssociate", 16, 31)]


def test_one_who_has_no_assignment_counts_with_his_own_role_and_store_of_each_day() -> None:
    world = a_world(hireDate="2025-01-06")
    at(world, date(2025, 1, 18), "employee.updated", updated("H1", role="StoreManager"))
    at(world, date(2025, 2, 5), "employee.updated", updated("H1", role="Cashier", storeId="S9"))
    assert days(world) == [("S1", "SalesAssociate", 6, 17), ("S1", "StoreManager", 18, 31)]


@pytest.mark.parametrize("assigned", [True, False], ids=["assigned", "not assigned"])
def test_one_who_leaves_counts_until_his_last_day(*, assigned: bool) -> None:
    world = a_world()
    if assigned:
        at(world, date(2024, 6, 1), "assignment.created", PLACE)
    at(world, date(2025, 1, 10), "employee.terminated", {"employeeId": "H1", "terminationDate": "2025-01-20"})
    assert days(world) == [("S1", "SalesAssociate", 1, 20)]
    assert days(world, date(2025, 1, 12)) == [("S1", "SalesAssociate", 1, 20)]


def test_one_whom_the_hr_system_does_not_show_any_more_counts_until_that_was_seen() -> None:
    world = a_world()
    world.people = [created("H2", status="Active", assignments=[]), created("H3", status="Active", assignments=[])]
    world.now = datetime(2025, 1, 22, 3, tzinfo=UTC)
    start_sync(world.context, "test")
    world.work()
    assert world.employee("H1")["status"] == "Terminated"
    assert days(world) == [("S1", "SalesAssociate", 1, 22)]


def test_one_who_left_before_the_period_or_is_not_confirmed_has_no_days() -> None:
    world = a_world()
    at(world, date(2024, 12, 20), "employee.terminated", {"employeeId": "H1", "terminationDate": "2024-12-31"})
    assert days(world) == []
    world = World()
    apply_event(world.context, world.event("employee.updated", updated("H1", role="SalesAssociate")))
    assert days(world) == []


def test_he_is_known_by_everything_that_his_token_may_call_him() -> None:
    world = a_world(userId="User-1", email="Ada@Retail.example", employeeNumber="4711")
    assert staff(world).identities.everything == {"h1", "user-1", "ada@retail.example", "4711"}


def test_what_somebody_was_is_kept_for_a_year_and_no_longer() -> None:
    world = a_world()
    for month in range(1, 13):
        at(
            world,
            date(2025, month, 2),
            "employee.updated",
            updated("H1", role=f"Role{month}", firstName=f"Name{month}"),
        )
    assert days(world, date(2025, 12, 31)) == [("S1", "SalesAssociate", 1, 1), ("S1", "Role1", 2, 31)]
    person = world.context.employees.get("H1")
    assert len(person.facts["firstName"]) == 13
    at(world, date(2026, 12, 2), "employee.updated", updated("H1", role="Last", firstName="Last"))
    person = world.context.employees.get("H1")
    assert [len(person.facts[name]) for name in ("role", "firstName")] == [4, 4]  # Role10 still counted 400 days ago


def test_ever_new_changes_do_not_let_the_row_grow() -> None:
    world = a_world()
    for minute in range(200):
        world.now = world.now.replace(minute=minute % 60, hour=12 + minute // 60)
        apply_event(world.context, world.event("employee.updated", updated("H1", role=f"Role{minute}")))
    assert len(world.context.employees.get("H1").facts["role"]) == 51
    assert world.employee("H1")["role"] == "Role199"
