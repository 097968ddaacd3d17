"""INC-23: effective dates count as HR says them, whenever it says them."""

from datetime import UTC, date, datetime, timedelta
from itertools import permutations
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.kernel.clock import day_bounds
from shared.workforce.apply import apply_event
from shared.workforce.facts import SHOWN, Fact, add_facts, from_json, timeline, to_json, value_at
from tests.unit.workforce.world import World, created

BERLIN = ZoneInfo("Europe/Berlin")
Told = tuple[int, int | None, str | None]
"""Stated on a day of January, effective on a day of January, the value."""


def noon(day: int) -> datetime:
    return datetime(2025, 1, day, 12, tzinfo=UTC)


def fact(told: Told, source: str = "event") -> Fact:
    stated, effective, value = told
    since = day_bounds(date(2025, 1, effective or stated), BERLIN)[0]
    return Fact(since, noon(stated), source, value)


def days(facts: list[Fact]) -> str:
    """Return the values of the 9th to the 31st, a letter a day, a dot for none."""
    return "".join(str(value_at(facts, noon(day)) or ".")[0] for day in range(9, 32))


S1, S2, S3 = "1", "2", "3"
EXAMPLES: dict[str, tuple[list[Told], str]] = {
    # told on the, effective on the, value -> the 9th to the 31st
    "told-late": ([(2, None, S1), (20, 10, S2)], "1" + "2" * 22),
    "told-late-before-a-change": ([(2, None, S1), (15, None, S3), (20, 10, S2)], "1" + "2" * 5 + "3" * 17),
    "told-late-for-the-day-of-a-change": ([(2, None, S1), (15, None, S3), (20, 15, S2)], "1" * 6 + "2" * 17),
    "announced": ([(2, None, S1), (10, 28, S2)], "1" * 19 + "2" * 4),
    "taken-back": ([(2, None, S1), (10, 28, S2), (20, None, S1)], "1" * 23),
    "taken-back-for-its-day": ([(2, None, S1), (10, 28, S2), (20, 28, S1)], "1" * 23),
    "taken-back-with-the-date-of-that-day": ([(2, None, S1), (10, 28, S2), (20, 20, S1)], "1" * 23),
    "announced-again-after-that": ([(2, None, S1), (10, 28, S2), (20, None, S1), (21, 30, S2)], "1" * 21 + "22"),
    "another-change-before-the-announced-one": (
        [(2, None, S1), (10, 28, S2), (20, None, S3)],
        "1" * 11 + "3" * 8 + "2" * 4,
    ),
    "an-earlier-one-announced-later": ([(2, None, S1), (10, 28, S2), (12, 20, S3)], "1" * 11 + "3" * 8 + "2" * 4),
    "replaced-before-its-day": ([(2, None, S1), (10, 28, S2), (12, 28, S3)], "1" * 19 + "3" * 4),
    "the-past-repeated-leaves-what-is-announced": (
        [(2, None, S1), (10, 28, S2), (20, 9, S1)],
        "1" * 19 + "2" * 4,
    ),
    "nothing-known-before": ([(20, None, S1), (21, 10, S2)], "1" + "2" * 22),
    "on-the-day-on-which-it-became-known": ([(10, None, S1), (10, None, S2)], "1" + "2" * 22),
    "nothing-is-a-value": ([(2, None, S1), (10, 28, None), (20, None, S1)], "1" * 23),
    "announced-while-there-was-nothing": ([(10, 28, S1), (20, None, None)], "." * 23),
}


LEFT_OPEN = ("nothing-known-before", "on-the-day-on-which-it-became-known")


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_change_holds_from_its_day_whenever_it_is_told(name: str) -> None:
    told, expected = EXAMPLES[name]
    facts = [fact(one, f"event-{number}") for number, one in enumerate(told)]
    found = []
    for order in permutations(facts):
        known: dict[str, tuple[Fact, ...]] = {}
        for one in [*order, *order]:
            known = add_facts(known, {"storeId": one}, noon(31))
        found.append(days([*known["storeId"]]))
    # What the first statement leaves open before its day stands with it.
    assert {one.replace(".", "1") if name in LEFT_OPEN else one for one in found} == {expected}


def change(world: World, stated: int, effective: int, old: str | None, new: str) -> bytes:
    changed = {"field": "role", "oldValue": old, "newValue": new}
    data = {"employeeId": "H1", "changes": [changed], "effectiveDate": f"2025-01-{effective}"}
    return world.event("employee.updated", data, noon(stated))


@pytest.mark.parametrize(
    ("then", "expected"),
    [
        ((15, 28, "A", "B"), "A" * 19 + "B" * 4),
        ((15, 17, "A", "B"), "A" * 8 + "B" * 15),
        ((15, 28, "B", "B"), "A" * 11 + "B" * 12),
        ((15, 28, None, "B"), "A" * 11 + "B" * 12),
        ((22, 28, "A", "B"), "A" * 11 + "B" * 12),
    ],
    ids=["later", "earlier", "repeated", "not-said-from-what", "it-has-happened"],
)
def test_an_announced_change_is_put_off_where_hr_says_what_it_replaces(
    then: tuple[int, int, str | None, str], expected: str
) -> None:
    for order in permutations(range(3)):
        world = World()
        events = [
            world.event("employee.created", created("H1", role="A"), noon(2)),
            change(world, 10, 20, "A", "B"),
            change(world, *then),
        ]
        for number in order:
            apply_event(world.context, events[number])
        found = world.context.employees.get("H1")
        assert "".join(found.at(noon(day)).role for day in range(9, 32)) == expected


def test_an_erp_id_that_is_to_change_hands_later_than_announced_does_so() -> None:
    for order in permutations(range(2)):
        world = World()
        for who, erp_id in (("H1", "E1"), ("H2", "E2")):
            apply_event(world.context, world.event("employee.created", created(who, erpEmployeeId=erp_id), noon(2)))
        field = {"field": "erpEmployeeId", "oldValue": "E2", "newValue": "E1"}
        events = [
            world.event(
                "employee.updated", {"employeeId": "H2", "changes": [field], "effectiveDate": f"2025-01-{day}"}, told
            )
            for day, told in ((20, noon(10)), (28, noon(15)))
        ]
        for number in order:
            apply_event(world.context, events[number])
        owners = [world.mapped("E1", on=date(2025, 1, day))["E1"] for day in (19, 20, 27, 28)]
        assert owners == ["H1", "H1", "H1", "H2"]


def test_a_full_sync_takes_no_announcement_back() -> None:
    told = [fact((2, None, S1)), fact((10, 28, S2)), fact((20, None, S1), SHOWN)]
    assert days(told) == "1" * 19 + "2" * 4
    drifted = [*told[:2], fact((20, None, S3), SHOWN)]
    assert days(drifted) == "1" * 11 + "3" * 8 + "2" * 4


def test_what_a_full_sync_saw_before_the_events_came_is_no_change_of_its_own() -> None:
    early = [fact((2, None, S1)), fact((20, None, S2), SHOWN), fact((21, 18, S3))]
    assert days([*early, fact((15, None, S2))]) == "1" * 6 + "2" * 3 + "3" * 14


def test_rows_of_earlier_versions_count_by_their_instant() -> None:
    """They hold the instant of the statement as its beginning."""
    stored = {
        "role": [
            ["2024-06-01T12:00:00.000000+00:00", "2024-06-01T12:00:00.000000+00:00", "a", "Associate"],
            ["2025-01-15T12:00:00.000000+00:00", "2025-01-15T12:00:00.000000+00:00", "b", "Cashier"],
        ]
    }
    known = from_json(stored)
    assert to_json(known) == stored
    corrected = add_facts(known, {"role": fact((20, 15, "Manager"))}, noon(31))
    assert days([*corrected["role"]]) == "A" * 6 + "M" * 17


facts = st.builds(
    lambda stated, effective, value, source: fact((stated, effective, value), source),
    st.integers(1, 20),
    st.none() | st.integers(1, 31),
    st.sampled_from((S1, S2, None)),
    st.sampled_from(("a", "b", SHOWN)),
)


@given(st.lists(facts, max_size=8), st.randoms(use_true_random=False))
def test_facts_come_in_any_order_and_any_number_of_times(told: list[Fact], random: object) -> None:
    again = [*told, *told]
    random.shuffle(again)  # type: ignore[attr-defined]
    known: dict[str, tuple[Fact, ...]] = {}
    for one in again:
        known = add_facts(known, {"role": one}, noon(20))
    assert timeline(known.get("role", ())) == timeline(set(told))


def test_what_was_forgotten_changes_nothing_that_is_kept() -> None:
    known: dict[str, tuple[Fact, ...]] = {}
    begin = datetime(2023, 1, 1, tzinfo=UTC)
    told = [
        Fact(begin + timedelta(days=day), begin + timedelta(days=day), f"{day}", f"{day}") for day in range(0, 900, 30)
    ]
    for one in told:
        known = add_facts(known, {"role": one}, begin + timedelta(days=900))
    assert [one.value for one in known["role"]] == [f"{day}" for day in range(480, 900, 30)]
