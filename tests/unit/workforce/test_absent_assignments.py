"""INC-23, INC-24: an assignment that a full sync does not show has ended; events in any order agree on when."""

from datetime import UTC, date, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.workforce.apply import apply_event
from shared.workforce.full_sync import start_sync
from tests.unit.workforce.world import World, created

FIRST = {"employeeId": "H1", "assignmentId": "A1", "storeId": "S1", "role": "Associate", "startDate": "2024-06-01"}
SECOND = FIRST | {"assignmentId": "A2", "storeId": "S2"}
NIGHTS = [date(2025, 1, day) for day in range(17, 24)]


def shown(assignments: list[dict[str, Any]], on: date, *, present_alone: bool) -> list[dict[str, Any]]:
    """Return what a page says: some HR systems list those alone that have begun and not ended."""
    today = on.isoformat()
    listed = [
        one
        for one in assignments
        if not present_alone or one["startDate"] <= today <= (one.get("endDate") or "9999-12-31")
    ]
    return [{name: value for name, value in one.items() if name != "employeeId"} for one in listed]


def night(world: World, on: date, assignments: list[dict[str, Any]], *, present_alone: bool) -> None:
    world.now = datetime(on.year, on.month, on.day, 3, tzinfo=UTC)
    world.people = [created("H1", status="Active", assignments=shown(assignments, on, present_alone=present_alone))]
    start_sync(world.context, "test")
    world.work()


def days_of(world: World) -> list[tuple[str, str, str | None]]:
    found = world.employee("H1")["assignments"]
    return [(one.store_id, str(one.first_day), str(one.last_day) if one.last_day else None) for one in found]


@settings(max_examples=80, deadline=None)
@given(
    st.booleans(),
    st.sampled_from(NIGHTS[1:-2]),
    st.integers(-3, 2),
    st.lists(st.integers(0, len(NIGHTS)), min_size=4, max_size=4),
    st.booleans(),
)
def test_whoever_moves_has_the_same_days_whatever_comes_first(
    present_alone: bool,
    last: date,
    told_after: int,
    arrivals: list[int],
    synced_each_night: bool,
) -> None:
    """Two assignments after each other; their events come before, between or after the nights, in any order."""
    world = World()
    told = datetime(last.year, last.month, last.day, 18, tzinfo=UTC) + timedelta(days=told_after)
    moved = SECOND | {"startDate": (last + timedelta(days=1)).isoformat()}
    hired = datetime(2024, 6, 1, 12, tzinfo=UTC)
    events = [
        (hired, world.event("employee.created", created("H1"), hired)),
        (hired, world.event("assignment.created", FIRST, hired)),
        (told, world.event("assignment.ended", FIRST | {"endDate": last.isoformat()}, told)),
        (told, world.event("assignment.created", moved, told)),
    ]
    for place, on in enumerate([*NIGHTS, None]):
        now = datetime(on.year, on.month, on.day, 3, tzinfo=UTC) if on else datetime(2025, 1, 24, tzinfo=UTC)
        for (stated, event), arrival in zip(events, arrivals, strict=True):
            if (arrival == place and stated <= now) or (on is None and (arrival >= place or stated > NIGHTS_BEGIN)):
                world.now = max(now, stated)
                apply_event(world.context, event)
        if on and (synced_each_night or on == NIGHTS[-1]):
            ended: dict[str, Any] = FIRST | {"endDate": last.isoformat() if told <= now else None}
            known = [ended, *([moved] if told <= now else [])]
            night(world, on, known, present_alone=present_alone)
    assert days_of(world) == [
        ("S1", "2024-06-01", last.isoformat()),
        ("S2", (last + timedelta(days=1)).isoformat(), None),
    ]


NIGHTS_BEGIN = datetime(2025, 1, 17, tzinfo=UTC)


@pytest.mark.parametrize("present_alone", [True, False])
@pytest.mark.parametrize("order", [*permutations(("ended", "sync")), ("sync",)])
def test_one_that_ended_yesterday_ends_then(order: tuple[str, ...], *, present_alone: bool) -> None:
    world = World()
    apply_event(world.context, world.event("employee.created", created("H1"), datetime(2024, 6, 1, tzinfo=UTC)))
    apply_event(world.context, world.event("assignment.created", FIRST, datetime(2024, 6, 1, tzinfo=UTC)))
    ended = world.event("assignment.ended", FIRST | {"endDate": "2025-01-19"}, datetime(2025, 1, 19, 18, tzinfo=UTC))
    for step in order:
        if step == "sync":
            night(world, date(2025, 1, 20), [FIRST | {"endDate": "2025-01-19"}], present_alone=present_alone)
        else:
            apply_event(world.context, ended)
    assert days_of(world) == [("S1", "2024-06-01", "2025-01-19")]


def test_one_that_is_listed_again_has_never_ended() -> None:
    world = World()
    for day, listed in ((18, [FIRST]), (19, []), (20, []), (21, [FIRST])):
        night(world, date(2025, 1, day), listed, present_alone=True)
        expected = "2025-01-18" if not listed else None
        assert days_of(world) == [("S1", "2024-06-01", expected)]


def test_a_later_word_of_it_wins_over_its_absence() -> None:
    world = World()
    night(world, date(2025, 1, 18), [FIRST], present_alone=True)
    night(world, date(2025, 1, 20), [], present_alone=True)
    told = world.event("assignment.ended", FIRST | {"endDate": "2025-02-28"}, datetime(2025, 1, 20, 9, tzinfo=UTC))
    apply_event(world.context, told)
    assert days_of(world) == [("S1", "2024-06-01", "2025-02-28")]


def test_what_an_earlier_version_had_removed_counts_until_the_day_before() -> None:
    world = World()
    night(world, date(2025, 1, 18), [FIRST], present_alone=True)
    person = world.context.employees.get("H1")
    removed = next(iter(person.assignments["A1"]["removed"]))
    instant = datetime(2025, 1, 20, 3, tzinfo=UTC)
    gone = type(removed)(instant, instant, "~sync", value=True)
    world.context.employees.change("H1", lambda one: one.learn({}, {"A1": {"removed": gone}}, instant))
    world.now = instant
    assert days_of(world) == [("S1", "2024-06-01", "2025-01-19")]
