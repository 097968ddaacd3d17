"""INC-05, INC-23: whose an ERP employee ID is on a business day, and which days are looked at again when it moves."""

from datetime import UTC, date, datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.sales.employees import learn_owners, map_employees, resume_mappings
from shared.sales.owners import MOST_CLAIMS, Claim, Owners, days_that_changed
from shared.sales.runs import Trigger
from shared.sales.start import StartRequest, start_import
from shared.sales.trace import trace_sales
from tests.unit.sales.world import Killed, World

FIRST = date(2025, 1, 1)
NOON = datetime(2025, 1, 1, 12, tzinfo=UTC)
DAYS = [date(2025, 1, day) for day in (13, 14, 15, 16)]

claims = st.builds(
    Claim,
    st.integers(0, 6).map(lambda number: FIRST + timedelta(days=number)),
    st.integers(0, 6).map(lambda number: NOON + timedelta(hours=number)),
    st.sampled_from(("a", "b")),
    st.sampled_from(("H1", "H2", "H3")),
    st.sampled_from((True, True, False)),
)


def claim(day: date, who: str, hours: int = 0, *, holds: bool = True) -> Claim:
    return Claim(day, NOON + timedelta(hours=hours), "event", who, holds)


@given(st.lists(claims, max_size=8), st.randoms(use_true_random=False))
def test_claims_come_in_any_order_and_any_number_of_times(told: list[Claim], random: Random) -> None:
    at_once = Owners().with_claims(told)
    again = [*told, *told]
    random.shuffle(again)
    one_by_one = Owners()
    for one in again:
        one_by_one = one_by_one.with_claims([one])
    assert one_by_one == at_once


@given(st.lists(claims, max_size=6), st.lists(claims, max_size=2))
def test_exactly_from_the_first_to_the_last_day_with_another_owner_is_looked_at(
    told: list[Claim], more: list[Claim]
) -> None:
    before = Owners().with_claims(told)
    after = before.with_claims(more)
    days = [FIRST + timedelta(days=number) for number in range(-3, 10)]
    changed = [day for day in days if before.on(day) != after.on(day)]
    found = days_that_changed(before, after)
    assert [day for day in days if found and found.first <= day <= found.last] == (
        [day for day in days if changed[0] <= day <= changed[-1]] if changed else []
    )


@pytest.mark.parametrize(
    ("told", "owners"),
    [
        ([], [None, None, None]),
        ([claim(DAYS[1], "H1")], ["H1", "H1", "H1"]),
        ([claim(DAYS[1], "H1"), claim(DAYS[2], "H2")], ["H1", "H1", "H2"]),
        ([claim(DAYS[2], "H1"), claim(DAYS[2], "H2", 1)], ["H2", "H2", "H2"]),
        ([claim(DAYS[0], "H1"), claim(DAYS[1], "H2", 1), claim(DAYS[1], "H2", 2, holds=False)], ["H1", "H1", "H1"]),
        ([claim(DAYS[0], "H1"), claim(DAYS[1], "H2", 2), claim(DAYS[1], "H2", 1, holds=False)], ["H1", "H2", "H2"]),
        ([claim(DAYS[0], "H1", holds=False)], [None, None, None]),
    ],
    ids=["nobody", "first-owner", "changes-hands", "same-day", "taken-back", "told-once-more", "never-was"],
)
def test_the_owner_is_that_of_the_day(told: list[Claim], owners: list[str | None]) -> None:
    known = Owners().with_claims(told)
    assert [known.on(day) for day in DAYS[:3]] == owners


def imported(world: World, *days: date) -> dict[date, str]:
    """Import a sale of E1 on each day; return the runs."""
    runs = {}
    for day in days:
        world.erp.sell(day, f"T-{day}", "E1", "10.00")
        runs[day] = start_import(world.context, StartRequest(day, Trigger.API, "somebody"))
    world.work()
    return runs


@pytest.mark.parametrize(
    ("told", "moved"),
    [
        (claim(DAYS[2], "H2"), DAYS[2:]),
        (claim(DAYS[0] - timedelta(days=9), "H2"), []),
        (claim(DAYS[3] + timedelta(days=9), "H2"), []),
        (claim(DAYS[1], "H1", 2), []),
    ],
    ids=["since", "before-the-first-owner", "in-the-future", "nothing-new"],
)
def test_exactly_the_days_that_moved_are_published_again(told: Claim, moved: list[date]) -> None:
    world = World()
    learn_owners(world.context, {"E1": [claim(DAYS[0] - timedelta(days=3), "H1")]})
    runs = imported(world, *DAYS)
    assert learn_owners(world.context, {"E1": [told]}) == {runs[day] for day in moved}
    world.work()
    expected = {"H1": 4 - len(moved), "H2": len(moved)}
    assert {who: found[2] for who, found in world.metrics().items()} == {k: v for k, v in expected.items() if v}


def test_an_id_that_nobody_was_to_have_is_held_again() -> None:
    world = World()
    learn_owners(world.context, {"E1": [claim(DAYS[0], "H1")]})
    run_id = imported(world, DAYS[0])[DAYS[0]]
    learn_owners(world.context, {"E1": [claim(DAYS[0], "H1", 1, holds=False)]})
    world.work()
    assert (world.metrics(), world.context.runs.get(run_id).held) == ({}, 1)
    learn_owners(world.context, {"E1": [claim(DAYS[3], "H2")]})
    world.work()
    assert (world.metrics(), world.context.runs.get(run_id).held) == ({"H2": (1000, 1, 1)}, 0)


def test_an_operator_maps_from_today_on_and_what_he_repeats_says_nothing_new() -> None:
    world = World()
    map_employees(world.context, {"E1": "H1"}, since=DAYS[0])
    imported(world, *DAYS)
    assert map_employees(world.context, {"E1": "H2"}) == set()  # on 20 January
    world.now += timedelta(days=1)
    map_employees(world.context, {"E1": "H2"})
    world.work()
    assert world.context.mappings.find(["E1"])["E1"].turns == {DAYS[0]: "H1", date(2025, 1, 20): "H2"}
    assert world.metrics() == {"H1": (4000, 4, 4)}


def die_at_the_first_message(operation: str, _name: str) -> None:
    if operation == "send":
        raise Killed


def test_what_an_operator_moved_before_the_worker_died_is_finished_by_the_watchdog() -> None:
    world = World()
    map_employees(world.context, {"E1": "H1"}, since=DAYS[0])
    imported(world, *DAYS)
    world.hook = die_at_the_first_message
    with pytest.raises(Killed):
        map_employees(world.context, {"E1": "H2"}, since=DAYS[2])
    world.work()
    assert world.metrics() == {"H1": (4000, 4, 4)}
    assert resume_mappings(world.context) == 1
    world.work()
    assert world.metrics() == {"H1": (2000, 2, 2), "H2": (2000, 2, 2)}
    assert resume_mappings(world.context) == 0


def test_a_worker_does_not_forget_what_another_one_moved_meanwhile() -> None:
    """The other one dies before he has queued anything; the first one goes on and ends."""
    world = World()
    map_employees(world.context, {"E1": "H1"}, since=DAYS[0])
    runs = imported(world, *DAYS)

    def another_one_comes(operation: str, _name: str) -> None:
        if operation == "send":
            world.hook = die_at_the_first_message
            with pytest.raises(Killed):
                map_employees(world.context, {"E1": "H3"}, since=DAYS[2])
            world.hook = lambda _operation, _name: None

    world.hook = another_one_comes
    map_employees(world.context, {"E1": "H2"}, since=DAYS[1])
    world.work()
    assert resume_mappings(world.context) == 1
    asked = {message.data["runId"] for message in world.queues.messages("import-slices")}
    assert asked == {runs[day] for day in DAYS[1:]}
    world.work()
    assert world.metrics() == {"H1": (1000, 1, 1), "H2": (1000, 1, 1), "H3": (2000, 2, 2)}


def test_why_was_i_paid_this_shows_each_day_to_its_owner_alone() -> None:
    """An ID that changed hands: the former owner sees his days, the present one his. He goes on under another one."""
    world = World()
    map_employees(world.context, {"E1": "H1"}, since=DAYS[0])
    map_employees(world.context, {"E1": "H2", "E9": "H1"}, since=DAYS[2])
    world.erp.sell(DAYS[3], "T-9", "E9", "1.00")
    imported(world, *DAYS)
    own = [(DAYS[0], [f"T-{DAYS[0]}"]), (DAYS[1], [f"T-{DAYS[1]}"]), (DAYS[3], ["T-9"])]
    for who, days in (("H1", own), ("H2", [(day, [f"T-{day}"]) for day in DAYS[2:]])):
        traced = trace_sales(world.context, who, "2025-01")
        assert [(one.day, [sale.transaction_id for sale in one.transactions]) for one in traced] == days
        assert all(one.unexplained_minor == 0 for one in traced)


def test_an_id_that_changes_hands_every_day_stays_a_row() -> None:
    world = World()
    days = [FIRST + timedelta(days=number) for number in range(MOST_CLAIMS + 50)]
    told = [Claim(day, NOON, f"{day}-" + "\U0001f600" * 110, f"{day}-" + "é" * 110) for day in days]
    learn_owners(world.context, {"E1": told})
    assert [*world.context.mappings.find(["E1"])["E1"].turns] == days[50:]
