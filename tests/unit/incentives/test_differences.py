"""INC-40, INC-42: what is approved is not altered; what it would come to is told each time it changes, and proposed."""

from datetime import date

import pytest

from shared.incentives.amend import Correction, amend
from shared.incentives.calculation import Calculation, State
from shared.incentives.differences import difference_of, differences_in, shown_difference
from shared.incentives.settle import settle
from shared.kernel.errors import Conflict
from shared.kernel.message import Message
from tests.unit.incentives.world import (
    ADMIN,
    APPROVER,
    PERIOD,
    Killed,
    World,
    actor,
    approve,
    plan,
    reject,
    sold,
    submit,
)


def approved(cents: int = 10_000) -> tuple[World, Calculation]:
    """Return a world in which somebody's calculation is approved: one per cent of what was sold."""
    world = World()
    world.hire("H1")
    world.sell("H1", sold(cents))
    world.calculate()
    world.approve(world.one("H1").calculation_id)
    return world, world.one("H1")


def sells(world: World, cents: int) -> None:
    world.sell("H1", sold(cents))
    world.calculate()


def told(world: World) -> list[Message]:
    return [one for one in world.queues.messages("notifications") if one.type == "calculation.differing"]


def test_one_amount_then_another_then_the_first_again_are_three_notices() -> None:
    world, one = approved()
    for cents in (5_000, 5_000, 7_000, 7_000, 5_000, 5_000):
        sells(world, cents)
    messages = told(world)
    assert len({message.id for message in messages}) == len(messages) == 3
    assert [message.data["amounts"] for message in messages] == [
        f"{one.calculation_id}: 1.00, now {now}" for now in ("0.50", "0.70", "0.50")
    ]


def test_what_comes_back_to_what_was_approved_differs_no_more_and_is_told_when_it_differs_again() -> None:
    world, _ = approved()
    sells(world, 5_000)
    sells(world, 10_000)
    assert differences_in(world.all()) == []
    assert world.one("H1").present_net == ""
    sells(world, 5_000)
    assert len({message.id for message in told(world)}) == 2


@pytest.mark.parametrize("now", [10_000, 7_000], ids=["back", "further"])
def test_an_amendment_to_what_the_sales_came_to_is_not_approved_where_they_come_to_something_else(now: int) -> None:
    world, one = approved()
    sells(world, 5_000)
    found = difference_of(world.context, world.one("H1"))
    assert found
    assert found.proposal
    key = amend(world.context, one.calculation_id, found.proposal, "admin").calculation_id
    sells(world, now)
    (outcome,) = world.approve(key)
    assert outcome.code == Conflict.code
    assert f"to 0.50, and by the present sales it comes to {now / 10_000:.2f}" in outcome.reason
    assert sum(each.net_minor for each in world.of("H1") if each.counts) == 100
    sells(world, 5_000)
    assert [each.state for each in world.approve(key)] == [State.APPROVED]
    assert world.calculate().differing == 0


def test_an_amendment_that_was_overtaken_is_rejected_and_another_one_made() -> None:
    world, one = approved()
    sells(world, 5_000)
    key = amend(world.context, one.calculation_id, Correction(50, "the sales"), "admin").calculation_id
    sells(world, 7_000)
    submit(world.context, [key], ADMIN)
    assert [each.state for each in reject(world.context, [key], APPROVER, "overtaken")] == [State.REJECTED]
    again = amend(world.context, one.calculation_id, Correction(70, "the sales"), "admin").calculation_id
    assert [each.state for each in world.approve(again)] == [State.APPROVED]
    assert sum(each.net_minor for each in world.of("H1") if each.counts) == 70


def test_an_amendment_for_another_reason_is_approved_whatever_the_sales_come_to() -> None:
    world, one = approved()
    sells(world, 5_000)
    key = amend(world.context, one.calculation_id, Correction(80, "agreed"), "admin").calculation_id
    sells(world, 7_000)
    assert [each.state for each in world.approve(key)] == [State.APPROVED]


@pytest.mark.parametrize("exported", [False, True], ids=["approved", "exported"])
def test_the_proposed_amendment_puts_it_right_as_it_stands(*, exported: bool) -> None:
    world, one = approved()
    if exported:
        settle(world.context, PERIOD, {one.calculation_id: ""}, "export-1")
    sells(world, 5_000)
    before = world.one("H1")
    assert before.same_result(one)
    found = difference_of(world.context, before)
    assert found
    reason = "By the sales of 2025-01 as they are now it is 0.50, not 1.00"
    assert shown_difference(found) == {
        "comesTo": "1.00",
        "presentNet": "0.50",
        "proposedAmendment": {"correctedNet": "0.50", "difference": "-0.50", "reason": reason},
    }
    (message,) = told(world)
    shown = {"id": one.calculation_id, "status": before.state.value, **shown_difference(found)}
    assert message.data["differing"] == [shown]
    assert found.proposal
    amendment = amend(world.context, one.calculation_id, found.proposal, "admin")
    assert difference_of(world.context, before) == found, "nobody has approved it yet"
    world.approve(amendment.calculation_id)
    assert difference_of(world.context, before) is None
    assert world.calculate().differing == 0
    assert sum(each.net_minor for each in world.of("H1")) == 50
    sells(world, 7_000)
    again = difference_of(world.context, world.context.calculations.get(one.calculation_id))
    assert again
    assert shown_difference(again)["proposedAmendment"]["difference"] == "0.20"


def test_what_waits_for_a_decision_is_not_amended_but_rejected() -> None:
    world = World()
    world.hire("H1")
    world.sell("H1", sold(10_000))
    world.calculate()
    submit(world.context, [world.one("H1").calculation_id], ADMIN)
    sells(world, 5_000)
    (found,) = differences_in(world.all())
    assert shown_difference(found) == {"comesTo": "1.00", "presentNet": "0.50", "proposedAmendment": None}


def test_calculations_that_were_cut_in_another_way_are_proposed_to_come_to_the_whole_once() -> None:
    """Two versions paid halves of January and were approved; then one version holds for all of it."""
    world = World(plan(effective_to=date(2025, 1, 15)), plan(version=2, effective_from=date(2025, 1, 16)))
    world.hire("H1")
    world.sell("H1", sold(10_000, date(2025, 1, 3)), sold(20_000, date(2025, 1, 20)))
    world.calculate()
    world.approve(*(one.calculation_id for one in world.of("H1")))
    world.plans = [plan(version=3)]
    world.sell("H1", sold(10_000, date(2025, 1, 3)), sold(30_000, date(2025, 1, 20)))
    world.calculate()
    for found in differences_in(world.all()):
        assert found.proposal
        amendment = amend(world.context, found.calculation.calculation_id, found.proposal, "admin")
        world.approve(amendment.calculation_id)
    assert sum(one.net_minor for one in world.of("H1") if one.counts) == 400
    assert differences_in(world.all()) == []


@pytest.mark.parametrize("victim", range(1, 40))
def test_a_run_that_dies_anywhere_tells_what_it_found_and_tells_it_once(victim: int) -> None:
    world, _ = approved()
    left = victim

    def die(_operation: str, _place: str) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            world.hook = lambda _operation, _place: None
            raise Killed

    world.sell("H1", sold(5_000))
    world.start()
    world.hook = die
    while world.deliver():
        pass
    world.hook = lambda _operation, _place: None
    assert {str(message.data["amounts"]).endswith(": 1.00, now 0.50") for message in told(world)} == {True}
    assert len({message.id for message in told(world)}) == 1
    world.calculate()
    assert len({message.id for message in told(world)}) == 1


def test_amounts_are_counted_one_after_the_other() -> None:
    world = World()
    world.hire("H1")
    versions = []
    for cents in (10_000, 20_000, 10_000):
        sells(world, cents)
        versions.append(world.one("H1").amount_version)
    world.sell("H1", sold(4_000), sold(6_000, date(2025, 1, 16)))  # the same amount for other sales
    world.calculate()
    assert [*versions, world.one("H1").amount_version] == [1, 2, 3, 3]


def test_what_is_approved_already_is_refused_for_its_state_and_not_for_its_amount() -> None:
    world, one = approved()
    sells(world, 5_000)
    (outcome,) = approve(world.context, [one.calculation_id], actor("another"))
    assert (outcome.state, outcome.code) == (State.APPROVED, "Conflict")
    assert "is Approved, to approve it must be PendingApproval" in outcome.reason
