"""INC-23, INC-40: when somebody was employed, whatever became of them since, in whatever order it is told."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from itertools import permutations
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from shared.kernel.pay_period import parse_period
from shared.wiring.staff import payee_of, staff_from
from shared.workforce.apply import apply_event
from shared.workforce.full_sync import start_sync
from tests.unit.workforce.world import World, created, updated

BERLIN = ZoneInfo("Europe/Berlin")
Days = list[tuple[str, str]]


def told(world: World, on: str, kind: str, data: dict[str, Any]) -> bytes:
    """Return an event that HR states at noon of a day."""
    return world.event(kind, data, datetime.fromisoformat(f"{on}T12:00:00+00:00"))


def hear(world: World, *events: bytes) -> None:
    for event in events:
        apply_event(world.context, event)


def night(world: World, on: str, *people: dict[str, Any]) -> None:
    """Do a full sync; two others keep their jobs."""
    world.now = datetime.fromisoformat(f"{on}T03:00:00+00:00")
    others = [created(other, status="Active") for other in ("H8", "H9")]
    world.people = [*people, *others]
    start_sync(world.context, "test")
    world.work()


def days(world: World, period: str, now: datetime = datetime(2026, 1, 10, tzinfo=UTC)) -> Days:
    found = staff_from(world.context.employees.get("H1"), parse_period(period), now, BERLIN).assignments
    return [(str(one.first_day)[8:], str(one.last_day)[8:]) for one in sorted(found, key=lambda one: one.first_day)]


def hired(world: World, **fields: Any) -> bytes:
    return told(world, "2024-06-01", "employee.created", created("H1", storeId="S1", hireDate="2024-06-01", **fields))


def left(world: World, on: str, last: str) -> bytes:
    return told(world, on, "employee.terminated", {"employeeId": "H1", "terminationDate": last})


BACK: dict[str, Callable[[World], bytes]] = {
    "hire-date-moves": lambda world: told(
        world,
        "2025-02-03",
        "employee.updated",
        updated("H1", "2025-02-03", status="Active", hireDate="2025-02-03", terminationDate=None),
    ),
    "hire-date-stays": lambda world: told(
        world, "2025-02-03", "employee.updated", updated("H1", "2025-02-03", status="Active")
    ),
    "told-late": lambda world: told(
        world, "2025-02-10", "employee.updated", updated("H1", "2025-02-03", status="Active")
    ),
    "announced": lambda world: told(
        world, "2025-01-25", "employee.updated", updated("H1", "2025-02-03", status="Active", hireDate="2025-02-03")
    ),
    "created-again": lambda world: told(
        world, "2025-02-03", "employee.created", created("H1", storeId="S1", hireDate="2025-02-03")
    ),
}


@pytest.mark.parametrize("back", BACK)
def test_who_is_hired_again_keeps_the_days_before_in_any_order(back: str) -> None:
    for order in permutations(range(3)):
        world = World()
        events = [hired(world), left(world, "2025-01-15", "2025-01-20"), BACK[back](world)]
        hear(world, *(events[number] for number in order))
        found = [days(world, period) for period in ("2024-12", "2025-01", "2025-02", "2025-03")]
        assert found == [[("01", "31")], [("01", "20")], [("03", "28")], [("01", "31")]]


def test_who_leaves_again_does_so_on_the_day_of_that_leaving() -> None:
    world = World()
    hear(world, hired(world), left(world, "2025-01-15", "2025-01-20"), BACK["hire-date-stays"](world))
    night(world, "2025-06-29", created("H1", status="Active"))
    night(world, "2025-06-30")
    assert [days(world, period) for period in ("2025-01", "2025-06", "2025-07")] == [
        [("01", "20")],
        [("01", "30")],
        [],
    ]
    hear(world, left(world, "2025-07-02", "2025-06-27"))
    assert days(world, "2025-06") == [("01", "27")]


@pytest.mark.parametrize(("first", "then", "last"), [("20", "18", "18"), ("20", "25", "25")], ids=["earlier", "later"])
def test_the_last_day_is_that_which_was_told_last(first: str, then: str, last: str) -> None:
    for order in permutations(range(3)):
        world = World()
        events = [
            hired(world),
            left(world, "2025-01-10", f"2025-01-{first}"),
            left(world, "2025-01-15", f"2025-01-{then}"),
        ]
        hear(world, *(events[number] for number in order))
        assert days(world, "2025-01") == [("01", last)]


MOVED: dict[str, Callable[[World], bytes]] = {
    "terminated-again": lambda world: left(world, "2025-01-20", "2025-02-10"),
    "date-alone": lambda world: told(
        world, "2025-01-20", "employee.updated", updated("H1", terminationDate="2025-02-10")
    ),
}


@pytest.mark.parametrize("moved", MOVED)
def test_a_last_day_that_is_put_off_leaves_no_gap_where_a_sync_shows_that_they_are_there(moved: str) -> None:
    for order in permutations(range(4)):
        world = World()
        events = [hired(world), left(world, "2025-01-15", "2025-01-31"), MOVED[moved](world)]

        def listed(world: World = world) -> None:
            there = created("H1", status="Active", storeId="S1", hireDate="2024-06-01", terminationDate="2025-02-10")
            night(world, "2025-02-03", there)

        for number in order:
            listed() if number == 3 else hear(world, events[number])
        assert days(world, "2025-02", datetime(2025, 2, 4, tzinfo=UTC))[0][0] == "01"
        night(world, "2025-02-11")
        assert days(world, "2025-02") == [("01", "10")]


def test_a_last_day_that_is_taken_back_by_itself_never_was() -> None:
    back = updated("H1", terminationDate=None)
    for order in permutations(range(3)):
        world = World()
        events = [hired(world), left(world, "2025-01-15", "2025-01-31")]
        events.append(told(world, "2025-01-20", "employee.updated", back))
        hear(world, *(events[number] for number in order))
        assert days(world, "2025-02") == [("01", "28")]
    # Whoever leaves without notice soon after the day that was taken back was there until then.
    night(world, "2025-02-04")
    assert days(world, "2025-02") == [("01", "04")]


def test_who_is_to_come_back_has_left_all_the_same() -> None:
    again = updated("H1", "2025-02-03", status="Active", hireDate="2025-02-03", terminationDate=None)
    for order in permutations(range(3)):
        world = World()
        events = [hired(world), left(world, "2025-01-15", "2025-01-20")]
        events.append(told(world, "2025-01-18", "employee.updated", again))
        hear(world, *(events[number] for number in order))
        assert [days(world, period) for period in ("2025-01", "2025-02")] == [[("01", "20")], [("03", "28")]]


def test_a_last_day_that_a_sync_shows_together_with_the_leaving_counts_however_long_ago_it_is() -> None:
    world = World()
    hear(world, hired(world))
    shown = {"storeId": "S1", "hireDate": "2024-06-01", "terminationDate": "2025-01-10"}
    night(world, "2025-01-05", created("H1", status="Active", **shown))
    night(world, "2025-01-25", created("H1", status="Terminated", **shown))
    assert days(world, "2025-01") == [("01", "10")]


def test_a_leaving_that_is_taken_back_never_was() -> None:
    world = World()
    hear(world, hired(world), left(world, "2025-01-15", "2025-01-31"))
    hear(world, told(world, "2025-01-20", "employee.updated", updated("H1", status="Active")))
    night(world, "2025-06-29", created("H1", status="Active"))
    assert days(world, "2025-02") == [("01", "28")]
    night(world, "2025-06-30")
    assert days(world, "2025-06") == [("01", "30")]


def test_a_leaving_that_is_told_late_ends_what_was_told_meanwhile() -> None:
    world = World()
    leave = told(world, "2025-01-25", "employee.updated", updated("H1", status="OnLeave"))
    for order in permutations(range(3)):
        world = World()
        events = [hired(world), leave, left(world, "2025-01-30", "2025-01-20")]
        hear(world, *(events[number] for number in order))
        world.now = datetime(2025, 1, 31, tzinfo=UTC)
        assert (days(world, "2025-01"), world.employee("H1")["status"]) == ([("01", "20")], "Terminated")


def test_who_is_on_no_page_by_mistake_was_never_gone() -> None:
    world = World()
    hear(world, hired(world))
    night(world, "2025-01-10")
    assert days(world, "2025-01") == [("01", "10")]
    night(world, "2025-01-14", created("H1", status="Active", hireDate="2024-06-01"))
    assert days(world, "2025-01") == [("01", "31")]


def test_who_is_on_no_page_for_long_and_then_under_a_new_hire_date_was_gone() -> None:
    world = World()
    hear(world, hired(world))
    night(world, "2025-01-10")
    night(world, "2025-03-12", created("H1", status="Active", hireDate="2025-03-10"))
    found = [days(world, period) for period in ("2025-01", "2025-02", "2025-03")]
    assert found == [[("01", "10")], [], [("10", "31")]]


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("OnLeave", "OnLeave"),
        ("on leave", "OnLeave"),
        ("ACTIVE", "Active"),
        ("terminated", "Terminated"),
        ("Sabbatical", "Unknown"),
    ],
)
def test_a_status_is_known_however_it_is_written_and_an_unknown_one_is_that_of_somebody_employed(
    word: str, status: str
) -> None:
    world = World()
    hear(world, hired(world), told(world, "2025-01-25", "employee.updated", updated("H1", status=word)))
    world.now = datetime(2025, 2, 4, tzinfo=UTC)
    assert world.employee("H1")["status"] == status
    assert days(world, "2025-01") == [("01", "25" if status == "Terminated" else "31")]


@pytest.mark.parametrize("by_sync", [True, False], ids=["sync", "event"])
def test_an_unknown_status_is_told_once(*, by_sync: bool) -> None:
    world = World()
    hear(world, hired(world))
    if by_sync:
        for on in ("2025-01-25", "2025-01-26"):
            night(world, on, created("H1", status="Sabbatical"))
    else:
        event = told(world, "2025-01-25", "employee.updated", updated("H1", status="Sabbatical"))
        hear(world, event, event)
    found = {message.id: message for message in world.queues.messages("notifications")}
    assert [one.type for one in found.values()] == ["employee-status.unknown"]
    assert "'Sabbatical'" in str(next(iter(found.values())).data["reason"])


def test_an_unknown_status_that_comes_back_is_told_again() -> None:
    world = World()
    hear(world, hired(world))
    for on, status in (("2025-01-20", "Sabbatical"), ("2025-01-25", "Active"), ("2025-01-30", "Sabbatical")):
        hear(world, told(world, on, "employee.updated", updated("H1", status=status)))
    assert len({message.id for message in world.queues.messages("notifications")}) == 2


def test_a_hire_date_that_is_corrected_counts_from_the_first_day_on() -> None:
    world = World()
    hear(world, told(world, "2025-01-02", "employee.created", created("H1", hireDate="2025-01-06")))
    hear(world, told(world, "2025-01-09", "employee.updated", updated("H1", hireDate="2025-01-08")))
    assert days(world, "2025-01") == [("08", "31")]


def test_a_hire_date_that_moves_by_a_year_takes_no_day_away_that_was_worked() -> None:
    """Hired again, and nobody told of the leaving."""
    world = World()
    hear(world, hired(world))
    hear(world, told(world, "2025-02-03", "employee.updated", updated("H1", hireDate="2025-02-03")))
    assert [days(world, period) for period in ("2025-01", "2025-02")] == [[("01", "31")], [("01", "28")]]


# An employee ID that HR gives to somebody else ------------------------------------------------------------------------

FORMER = {"email": "former@home.example", "userId": "former", "erpEmployeeId": "E1", "employeeNumber": "4711"}
PLACE = {"employeeId": "H1", "assignmentId": "A1", "storeId": "S1", "role": "Manager", "startDate": "2024-06-01"}
OTHER = {
    "employeeId": "H1",
    "firstName": "New",
    "lastName": "Person",
    "role": "Associate",
    "storeId": "S7",
    "hireDate": "2025-03-03",
}


def given_to_another(world: World, *, by_sync: bool) -> None:
    if by_sync:
        night(world, "2025-03-03", OTHER | {"status": "Active", "assignments": []})
    else:
        hear(world, told(world, "2025-03-03", "employee.created", OTHER))
    world.now = datetime(2025, 4, 3, tzinfo=UTC)


def a_former_one() -> World:
    world = World()
    hear(world, hired(world, **FORMER), told(world, "2024-06-01", "assignment.created", PLACE))
    hear(world, left(world, "2025-01-15", "2025-01-20"))
    return world


@pytest.mark.parametrize("by_sync", [True, False], ids=["sync", "event"])
def test_who_gets_the_employee_id_of_somebody_who_left_gets_nothing_else(*, by_sync: bool) -> None:
    world = a_former_one()
    given_to_another(world, by_sync=by_sync)
    found = world.employee("H1")
    assert [found[name] for name in ("email", "user_id", "erp_employee_id", "role", "store_id")] == [
        "",
        "",
        "",
        "Associate",
        "S7",
    ]
    person = world.context.employees.get("H1")
    now = world.now
    in_january, in_march = (
        [(one.store_id, one.role, str(one.first_day)) for one in staff_from(person, period, now, BERLIN).assignments]
        for period in (parse_period("2025-01"), parse_period("2025-03"))
    )
    assert in_january == [("S1", "Manager", "2025-01-01")]
    assert in_march == [("S7", "Associate", "2025-03-03")]


@pytest.mark.parametrize("by_sync", [True, False], ids=["sync", "event"])
def test_the_former_one_is_still_paid_under_their_own_name(*, by_sync: bool) -> None:
    world = a_former_one()
    given_to_another(world, by_sync=by_sync)
    person = world.context.employees.get("H1")
    paid = [payee_of(person, parse_period(period), world.now, BERLIN) for period in ("2025-01", "2025-03")]
    found = [(one.first_name, one.email, one.employee_number) for one in paid if one]
    assert found == [("Ada", "former@home.example", "4711"), ("New", "", "H1")]


def test_nobody_is_paid_for_a_period_in_which_two_had_the_employee_id() -> None:
    world = a_former_one()
    hear(world, told(world, "2025-01-27", "employee.created", OTHER | {"hireDate": "2025-01-27"}))
    person = world.context.employees.get("H1")
    assert payee_of(person, parse_period("2025-01"), world.now, BERLIN) is None
    assert days(world, "2025-01") == [("01", "20"), ("27", "31")]


def test_events_of_the_former_and_the_new_one_come_in_any_order() -> None:
    for order in permutations(range(4)):
        world = World()
        events = [
            hired(world, **FORMER),
            left(world, "2025-01-15", "2025-01-20"),
            told(world, "2025-03-03", "employee.created", OTHER),
            told(world, "2025-03-04", "employee.updated", updated("H1", email="new@home.example")),
        ]
        hear(world, *(events[number] for number in order))
        world.now = datetime(2025, 4, 3, tzinfo=UTC)
        found = world.employee("H1")
        assert (found["first_name"], found["email"], found["user_id"]) == ("New", "new@home.example", "")
        assert [days(world, period) for period in ("2025-01", "2025-02", "2025-03")] == [
            [("01", "20")],
            [],
            [("03", "31")],
        ]


def introduced(world: World, on: str, **fields: str) -> bytes:
    return told(world, on, "employee.created", OTHER | fields)


def test_who_is_announced_under_the_id_of_somebody_still_there_begins_on_their_own_first_day() -> None:
    ahead = {"hireDate": "2025-02-17"}
    for effective in ({}, {"effectiveDate": "2025-02-17"}):
        for order in permutations(range(3)):
            world = World()
            events = [
                hired(world, **FORMER),
                left(world, "2025-01-05", "2025-01-10"),
                introduced(world, "2025-01-08", **ahead, **effective),
            ]
            hear(world, *(events[number] for number in order))
            world.now = datetime(2025, 1, 9, tzinfo=UTC)
            assert world.employee("H1")["first_name"] == "Ada"
            world.now = datetime(2025, 2, 20, tzinfo=UTC)
            found = world.employee("H1")
            assert (found["first_name"], found["email"], found["user_id"]) == ("New", "", "")
            assert [days(world, period) for period in ("2025-01", "2025-02")] == [[("01", "10")], [("17", "28")]]


@pytest.mark.parametrize("by_sync", [True, False], ids=["sync", "event"])
@pytest.mark.parametrize("told_late", [True, False], ids=["told-late", "never-told"])
def test_who_gets_an_employee_id_before_the_former_one_is_said_to_have_left_is_another_person(
    *, by_sync: bool, told_late: bool
) -> None:
    world = World()
    hear(world, hired(world, **FORMER))
    if by_sync:
        night(world, "2025-02-03", OTHER | {"hireDate": "2025-02-03", "status": "Active", "assignments": []})
    else:
        hear(world, introduced(world, "2025-02-03", hireDate="2025-02-03"))
    if told_late:
        hear(world, left(world, "2025-02-04", "2025-01-31"))
    person = world.context.employees.get("H1")
    world.now = datetime(2025, 3, 3, tzinfo=UTC)
    found = world.employee("H1")
    assert (found["first_name"], found["email"], found["user_id"], found["status"]) == ("New", "", "", "Active")
    assert [days(world, period) for period in ("2025-01", "2025-03")] == [[("01", "31")], [("01", "31")]]
    paid = [payee_of(person, parse_period(period), world.now, BERLIN) for period in ("2025-01", "2025-03")]
    assert [one.first_name for one in paid if one] == ["Ada", "New"]
    hear(world, left(world, "2025-04-01", "2025-03-20"))
    assert days(world, "2025-03") == [("01", "20")]


@pytest.mark.parametrize(
    "proof",
    [{"email": "Former@home.example"}, {"userId": "former"}, {"hireDate": "2024-06-01"}],
    ids=lambda proof: "-".join(proof),
)
def test_who_comes_back_under_another_name_is_the_same_person_where_hr_says_so(proof: dict[str, str]) -> None:
    world = a_former_one()
    hear(world, told(world, "2025-03-03", "employee.created", OTHER | proof))
    world.now = datetime(2025, 4, 3, tzinfo=UTC)
    assert world.employee("H1")["user_id"] == "former"


def test_somebody_who_left_and_is_renamed_is_still_the_same_person() -> None:
    world = a_former_one()
    hear(world, told(world, "2025-03-03", "employee.updated", updated("H1", lastName="Berg")))
    world.now = datetime(2025, 4, 3, tzinfo=UTC)
    assert (world.employee("H1")["email"], world.employee("H1")["status"]) == ("former@home.example", "Terminated")


def test_sales_under_the_former_ones_erp_id_are_not_the_new_ones() -> None:
    world = a_former_one()
    hear(world, told(world, "2025-03-03", "employee.created", OTHER))
    assert world.mapped("E1", on=date(2025, 1, 10)) == {"E1": "H1"}
    assert world.mapped("E1", on=date(2025, 3, 10)) == {"E1": None}
