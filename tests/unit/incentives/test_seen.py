"""INC-42: what was seen is what is decided, one by one and for a whole period; a lost answer can be asked for again."""

import weakref
from collections.abc import Iterator
from datetime import timedelta

import pytest

from shared.incentives import decide
from shared.incentives.calculation import Action, Calculation, State
from shared.incentives.post import post
from shared.incentives.seen import Seen, etag_of
from shared.incentives.settle import settle
from shared.incentives.untold_decisions import Decision
from shared.incentives.whole_period import Chosen, Total, choose
from shared.kernel.errors import PreconditionFailed, PreconditionRequired
from tests.unit.incentives.world import (
    ADMIN,
    APPROVER,
    PERIOD,
    Killed,
    World,
    actor,
    approve,
    reject,
    seen_now,
    sold,
    submit,
)

CLERK = actor("clerk")


def posted(net: str = "100.00") -> tuple[World, str]:
    """Return a world in which an amount waits for approval, and its ID."""
    world = World()
    world.hire("H1")
    bring_in(world, net)
    one = world.one("H1").calculation_id
    submit(world.context, [one], CLERK)
    return world, one


def bring_in(world: World, net: str) -> None:
    world.now += timedelta(minutes=1)
    record = {"id": "X1", "employeeId": "H1", "period": PERIOD, "gross": net, "net": net}
    post(world.context, [record], "importer")


def replaced_meanwhile(world: World, one: str, net: str) -> None:
    reject(world.context, [one], CLERK, "wrong")
    bring_in(world, net)
    submit(world.context, [one], CLERK)


@pytest.mark.parametrize("by_amount", [False, True], ids=["etag", "amount"])
def test_what_was_replaced_since_it_was_seen_is_not_approved_and_it_is_said_what_changed(*, by_amount: bool) -> None:
    world, one = posted()
    seen = {one: Seen(net_minor=100_00)} if by_amount else seen_now(world.context, [one])
    replaced_meanwhile(world, one, "9900.00")
    (outcome,) = decide.approve(world.context, [one], APPROVER, seen=seen)
    assert (outcome.state, outcome.code) == ("PendingApproval", "PreconditionFailed")
    assert "it is PendingApproval and comes to 9900.00" in outcome.reason
    assert outcome.refusal
    told = [(one.field, one.message) for one in outcome.refusal.details]
    assert told[:2] == [("status", "PendingApproval"), ("net", "9900.00")]
    changes = [message.split(" at ")[0] for field, message in told if field == "change"]
    whole = ["Reject by clerk", "Recalculate by importer", "Submit by clerk"]
    assert changes == (whole[-1:] if by_amount else whole)
    assert approve(world.context, [one], APPROVER)[0].state == "Approved"


def test_the_same_amount_on_a_later_round_is_another_version() -> None:
    """100.00, then 9900.00, then 100.00 again: an etag from the first round is none of the third."""
    world, one = posted()
    seen = seen_now(world.context, [one])
    replaced_meanwhile(world, one, "9900.00")
    replaced_meanwhile(world, one, "100.00")
    assert decide.approve(world.context, [one], APPROVER, seen=seen)[0].code == "PreconditionFailed"


@pytest.mark.parametrize("action", ["submit", "approve", "reject"])
def test_without_what_was_seen_nothing_is_decided(action: str) -> None:
    world, one = posted()
    if action == "submit":
        reject(world.context, [one], APPROVER, "no")
    before = world.one("H1")
    for seen in ({}, {one: Seen()}):
        (outcome,) = {
            "submit": lambda seen: decide.submit(world.context, [one], ADMIN, seen=seen),
            "approve": lambda seen: decide.approve(world.context, [one], APPROVER, seen=seen),
            "reject": lambda seen: decide.reject(world.context, [one], APPROVER, "no", seen=seen),
        }[action](seen)
        assert (outcome.code, outcome.state) == ("PreconditionRequired", before.state)
        assert outcome.refusal
        assert {each.field: each.message for each in outcome.refusal.details} == {
            "status": before.state,
            "net": "100.00",
            "etag": etag_of(before),
        }
    assert world.one("H1") == before


def test_whoever_gives_both_an_etag_and_an_amount_means_both() -> None:
    world, one = posted()
    etag = etag_of(world.one("H1"))
    for seen in (Seen(frozenset({etag}), 99_00), Seen(frozenset({"7-0123456789abcdef"}), 100_00)):
        assert decide.approve(world.context, [one], APPROVER, seen={one: seen})[0].code == "PreconditionFailed"
    seen_of = {one: Seen(frozenset({"another", etag}), 100_00)}
    assert decide.approve(world.context, [one], APPROVER, seen=seen_of)[0].state == "Approved"


def test_a_decision_whose_answer_was_lost_is_answered_again_whatever_happened_since() -> None:
    world, one = posted()
    seen = seen_now(world.context, [one])
    for _ in range(3):
        assert decide.approve(world.context, [one], APPROVER, "fine", seen=seen)[0].state == "Approved"
    settle(world.context, PERIOD, {one: ""}, "export-1")
    assert decide.approve(world.context, [one], APPROVER, "fine", seen=seen)[0] == decide.Outcome(one, "Exported")
    assert [each.action for each in world.one("H1").history].count("Approve") == 1
    for by, note in ((actor("another"), "fine"), (APPROVER, "another note")):
        assert decide.approve(world.context, [one], by, note, seen=seen)[0].code == "PreconditionFailed"


def test_a_repeat_by_amount_is_no_approval_of_another_amount() -> None:
    world, one = posted()
    decide.approve(world.context, [one], APPROVER, seen={one: Seen(net_minor=100_00)})
    assert decide.approve(world.context, [one], APPROVER, seen={one: Seen(net_minor=100_00)})[0].state == "Approved"
    assert decide.approve(world.context, [one], APPROVER, seen={one: Seen(net_minor=50_00)})[0].code


# A whole period.


def a_period(people: int = 5) -> World:
    """Return a world in which calculations of 1.00, 2.00, ... wait for approval."""
    world = World()
    for number in range(1, people + 1):
        world.hire(f"H{number}")
        world.sell(f"H{number}", sold(10_000 * number))
    world.calculate()
    ids = [one.calculation_id for one in world.all()]
    submit(world.context, ids, CLERK)
    world.now += timedelta(minutes=1)
    return world


def approve_all(world: World, expected: Total, most: int = 1000) -> tuple[Chosen, list[decide.Outcome]]:
    decision = Decision(Action.APPROVE, APPROVER.subject)
    chosen = choose(world.context, PERIOD, decision, expected, most)
    outcomes = decide.approve(world.context, chosen.seen, APPROVER, seen=chosen.seen)
    world.now += timedelta(minutes=1)
    return chosen, [*outcomes, *chosen.done]


def test_a_period_is_decided_on_as_a_whole_when_count_and_total_are_those_that_were_seen() -> None:
    world = a_period()
    chosen, outcomes = approve_all(world, Total(5, 15_00))
    assert [one.state for one in outcomes] == ["Approved"] * 5
    assert chosen.remaining(outcomes) == Total(0, 0)


@pytest.mark.parametrize("expected", [Total(5, 14_99), Total(4, 15_00), Total(0, 0)])
def test_a_period_that_is_not_what_was_seen_is_left_alone(expected: Total) -> None:
    world = a_period()
    with pytest.raises(PreconditionFailed, match=r"5 calculations .* wait to be approved, over 15\.00") as refused:
        approve_all(world, expected)
    told = [(one.field, one.message) for one in refused.value.details]
    assert told[:2] == [("count", "5"), ("totalNet", "15.00")]
    assert "Submit by clerk" in dict(told)["change"]
    assert {one.state for one in world.all()} == {State.PENDING}


@pytest.mark.parametrize("expected", [Total(), Total(5), Total(None, 15_00)])
def test_a_period_of_which_nothing_is_said_is_answered_with_what_there_is(expected: Total) -> None:
    world = a_period()
    with pytest.raises(PreconditionRequired) as refused:
        approve_all(world, expected)
    assert [(one.field, one.message) for one in refused.value.details] == [("count", "5"), ("totalNet", "15.00")]


def test_the_same_request_again_answers_as_done_and_changes_nothing() -> None:
    world = a_period()
    ids = sorted(one.calculation_id for one in world.all())
    approve(world.context, ids[:1], APPROVER)
    world.now += timedelta(minutes=1)
    waits = [one.net_minor for one in world.all() if one.state is State.PENDING]
    first = approve_all(world, Total(4, sum(waits)))[1]
    before = world.all()
    settle(world.context, PERIOD, {ids[-1]: ""}, "export-1")
    again = approve_all(world, Total(4, sum(waits)))[1]
    assert sorted(one.calculation_id for one in again) == sorted(one.calculation_id for one in first) == ids[1:]
    assert {one.state for one in again} == {"Approved", "Exported"}
    assert [len(one.history) for one in before][:-1] == [len(one.history) for one in world.all()][:-1]


def test_a_period_with_more_than_one_request_takes_is_done_by_the_same_request_again() -> None:
    world = a_period()
    done = []
    for _ in range(4):
        chosen, outcomes = approve_all(world, Total(5, 15_00), most=2)
        done.append(len(chosen.seen))
        assert {one.state for one in outcomes} == {"Approved"}
    assert done == [2, 2, 1, 0]
    assert {one.state for one in world.all()} == {State.APPROVED}


def test_the_remainder_that_an_answer_tells_is_what_the_next_request_says() -> None:
    world = a_period()
    expected = Total(5, 15_00)
    for _ in range(3):
        chosen, outcomes = approve_all(world, expected, most=2)
        expected = chosen.remaining(outcomes)
    assert expected == Total(0, 0)
    assert {one.state for one in world.all()} == {State.APPROVED}


def test_what_was_submitted_since_is_not_taken_for_the_rest_of_a_repeat() -> None:
    """5 of 15.00 were approved. 5 of 15.00 in all are there again, 2 of them new: nobody saw those."""
    world = a_period(3)
    approve_all(world, Total(3, 6_00))
    for number in (4, 5):
        world.hire(f"H{number}")
        world.sell(f"H{number}", sold({4: 40_000, 5: 50_000}[number]))
    world.calculate()
    submit(world.context, [one.calculation_id for one in world.all() if one.state is State.DRAFT], CLERK)
    with pytest.raises(PreconditionFailed):
        approve_all(world, Total(5, 15_00))


@pytest.mark.parametrize("victim", range(1, 12))
def test_a_request_for_a_period_that_dies_anywhere_is_finished_by_its_repeat(victim: int) -> None:
    world = a_period(120)  # two transactions
    expected = Total(120, sum(one.net_minor for one in world.all()))
    left = victim

    def die(operation: str, _place: str) -> None:
        nonlocal left
        left -= operation in ("transact", "insert", "delete", "send")
        if left == 0:
            world.hook = lambda _operation, _place: None
            raise Killed

    world.hook = die
    try:
        approve_all(world, expected)
    except Killed:
        world.now += timedelta(minutes=1)
    world.hook = lambda _operation, _place: None
    _, outcomes = approve_all(world, expected)
    assert len(outcomes) == 120
    assert {one.state for one in world.all()} == {State.APPROVED}
    assert {len(one.history) for one in world.all()} == {3}


@pytest.mark.parametrize("repeated", [False, True], ids=["first", "its repeat"])
def test_a_period_is_looked_at_one_calculation_at_a_time(monkeypatch: pytest.MonkeyPatch, *, repeated: bool) -> None:
    """Breakdowns are large: of a period of any size, those that the answer shows are in memory, at most."""
    world = a_period(60)
    expected = Total(60, sum(one.net_minor for one in world.all()))
    if repeated:
        approve_all(world, expected)
    alive, peak = weakref.WeakValueDictionary[int, Calculation](), 0
    of_period = world.context.calculations.of_period

    def watched(period: str) -> Iterator[Calculation]:
        nonlocal peak
        for one in of_period(period):
            alive[id(one)] = one
            peak = max(peak, len(alive))
            yield one

    monkeypatch.setattr(world.context.calculations, "of_period", watched)
    chosen = choose(world.context, PERIOD, Decision(Action.APPROVE, APPROVER.subject), expected, 5)
    assert len(chosen.seen) + len(chosen.done) == 5
    assert peak <= 5 + 2
