"""INC-23: a person's row holds the largest content that HR may send, and what is kept stays within its bounds."""

from datetime import UTC, date, datetime, timedelta
from random import Random

import pytest

from shared.kernel.errors import DataRefused
from shared.workforce.apply import apply_event
from shared.workforce.facts import Fact
from shared.workforce.full_sync import learn_snapshot
from shared.workforce.hr_pages import fetch_page
from shared.workforce.person import Person
from tests.unit.workforce.world import World, created, updated

TEXTS = ("employeeNumber", "firstName", "lastName", "email", "role", "storeId", "userId")


def text(random: Random, length: int) -> str:
    """Return text that no compression makes shorter."""
    return "".join(chr(random.randrange(0x4E00, 0x9FFF)) for _ in range(length))


def test_ever_new_changes_of_the_greatest_length_fit_into_a_row() -> None:
    world, random = World(), Random(1)
    day = timedelta(days=1)

    def learn(person: Person) -> Person:
        for number in range(-70, 71):
            since = world.now + number * day
            stated, source = min(since, world.now), text(random, 128)
            facts = {name: Fact(since, stated, source, f"{number:03d}" + text(random, 497)) for name in TEXTS}
            person = person.learn(facts, {}, world.now)
        return person

    world.context.employees.change("H1", learn)
    person = world.context.employees.get("H1")
    for days in (0, 1):
        employee = person.at(world.now + days * day)
        found = (employee.first_name, employee.email, employee.role)
        assert [value[:3] for value in found] == [f"{days:03d}"] * 3
    world.now += day / 2
    apply_event(world.context, world.event("employee.updated", updated("H1", firstName="New")))
    assert world.employee("H1")["first_name"] == "New"


def test_places_where_somebody_worked_long_ago_are_forgotten() -> None:
    world = World()
    begin = date(2020, 1, 1)
    for number in range(60):
        first = begin + timedelta(days=30 * number)
        place = {
            "employeeId": "H1",
            "assignmentId": f"A{number}",
            "storeId": "S1",
            "role": "R",
            "startDate": first.isoformat(),
            "endDate": (first + timedelta(days=29)).isoformat(),
        }
        world.now = datetime.combine(first, datetime.min.time(), UTC)
        apply_event(world.context, world.event("assignment.created", place))
    assert sorted(world.context.employees.get("H1").assignments) == [f"A{number}" for number in range(45, 60)]


def test_more_assignments_than_a_row_holds_are_refused_with_what_to_do() -> None:
    world, random = World(), Random(1)
    many = {
        text(random, 128): {"storeId": text(random, 500), "role": text(random, 500), "startDate": "2025-01-01"}
        for _ in range(420)
    }
    world.people = [
        created("H1", status="Active", assignments=[{"assignmentId": one, **place} for one, place in many.items()])
    ]
    page = fetch_page(world, 1, 3, world.now)
    with pytest.raises(DataRefused, match="420 assignments"):
        world.context.employees.change(
            "H1",
            lambda person: learn_snapshot(
                person, page.snapshots[0], page.as_of, world.now, world.context.rules.time_zone
            ),
        )
