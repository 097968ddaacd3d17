"""INC-40: a period is calculated as often as wanted; a draft is replaced, what is further than a draft never."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.incentives.amend import Correction, amend
from shared.incentives.calculation import State
from shared.incentives.calculation_id import calculation_id, ids_of_employee, period_of_id
from tests.unit.incentives.world import (
    ADMIN,
    APPROVER,
    PERIOD,
    World,
    a_world,
    approve,
    assigned,
    plan,
    reject,
    sold,
    submit,
)


def test_who_sold_something_and_is_eligible_gets_a_draft() -> None:
    world = a_world()
    world.sell("H4", sold(40_000))  # nobody the hub knows
    run = world.calculate()
    assert world.amounts() == {"H1": (100, State.DRAFT), "H2": (200, State.DRAFT)}
    assert (run.status, run.created, run.replaced, run.unchanged) == ("Succeeded", 2, 0, 0)
    assert (run.not_eligible, run.net_minor, run.differing) == (2, 300, 0)
    found = world.one("H1")
    assert (found.plan_version, found.created_by, found.breakdown["planName"]) == (
        "associates@1",
        "Calculation",
        "Associates",
    )
    assert [kind for kind, _ in world.told()] == ["calculation.completed"]


def test_the_same_again_changes_nothing_and_tells_nobody() -> None:
    world = a_world()
    world.calculate()
    before = world.all()
    run = world.calculate()
    assert world.all() == before
    assert (run.created, run.replaced, run.unchanged) == (0, 0, 2)
    assert len(world.told()) == 1


def test_a_draft_is_replaced_and_its_audit_trail_goes_on() -> None:
    world = a_world()
    world.calculate()
    world.sell("H1", sold(15_000))
    run = world.calculate()
    assert (run.replaced, run.unchanged) == (1, 1)
    found = world.one("H1")
    assert found.net_minor == 150
    assert [(one.action, one.by) for one in found.history] == [
        ("Create", "Calculation"),
        ("Recalculate", "Calculation"),
    ]


@pytest.mark.parametrize("state", [State.PENDING, State.APPROVED, State.EXPORTED])
def test_what_is_further_than_a_draft_is_left_and_counted(state: State) -> None:
    world = a_world()
    world.calculate()
    one = world.one("H1").calculation_id
    if state is State.PENDING:
        submit(world.context, [one], ADMIN)
    else:
        world.approve(one)
    if state is State.EXPORTED:
        from shared.incentives.settle import settle

        settle(world.context, PERIOD, {one: ""}, "export-1")
    before = world.one("H1")
    world.sell("H1", sold(99_900))
    run = world.calculate()
    assert replace(world.one("H1"), present_net="", present_run="") == before
    assert (run.differing, run.replaced, run.unchanged) == (1, 0, 1)


def test_what_waits_on_sales_that_were_corrected_cannot_be_approved_and_is_told() -> None:
    """INC-42: an approver sees an amount that the present sales no longer lead to."""
    world = a_world()
    world.calculate()
    one = world.one("H1").calculation_id
    submit(world.context, [one], ADMIN)
    world.sell("H1", sold(5_000))
    run = world.calculate()
    assert (run.differing_ids, world.one("H1").present_net) == ((one,), "0.50")
    (told,) = [data for kind, data in world.told() if kind == "calculation.differing"]
    assert (told["count"], told["calculationIds"]) == (1, one)
    (refused,) = approve(world.context, [one], APPROVER)
    assert (refused.code, refused.state) == ("Conflict", "PendingApproval")
    assert "by the present sales it would come to 0.50" in refused.reason
    reject(world.context, [one], APPROVER, "outdated")
    (refused,) = submit(world.context, [one], ADMIN)
    assert refused.code == "Conflict"
    world.calculate()
    assert [outcome.state for outcome in world.approve(one)] == ["Approved"]
    assert world.amounts()["H1"] == (50, State.APPROVED)


def test_what_waits_can_be_approved_when_the_sales_are_as_they_were() -> None:
    world = a_world()
    world.calculate()
    one, before = world.one("H1"), world.sales["H1"]
    submit(world.context, [one.calculation_id], ADMIN)
    world.sell("H1", sold(5_000))
    world.calculate()
    world.sell("H1", *before)
    world.calculate()
    assert approve(world.context, [one.calculation_id], APPROVER)[0].state == "Approved"


def test_what_was_approved_and_differs_is_told_once_however_often_it_is_calculated() -> None:
    world = a_world()
    world.calculate()
    world.approve(world.one("H1").calculation_id)
    for amount in (5_000, 5_000, 7_000):
        world.sell("H1", sold(amount))
        world.calculate()
    messages = [one for one in world.queues.messages("notifications") if one.type == "calculation.differing"]
    assert len(messages) == len({one.id for one in messages}) == 2


def test_what_was_rejected_is_replaced_when_it_comes_to_something_else_and_stays_rejected_otherwise() -> None:
    world = a_world()
    world.calculate()
    one = world.one("H1").calculation_id
    submit(world.context, [one], ADMIN)
    reject(world.context, [one], APPROVER, "wrong team")
    world.calculate()
    assert world.one("H1").state is State.REJECTED
    world.sell("H1", sold(5_000))
    world.calculate()
    assert world.amounts()["H1"] == (50, State.DRAFT)
    assert [one.action for one in world.one("H1").history] == ["Create", "Submit", "Reject", "Recalculate"]


def test_an_approved_one_that_was_amended_to_the_new_amount_differs_no_more() -> None:
    world = a_world()
    world.calculate()
    one = world.one("H1").calculation_id
    world.approve(one)
    world.sell("H1", sold(12_500))
    assert world.calculate().differing == 1
    amendment = amend(world.context, one, Correction(125, "more sales"), "admin")
    assert world.calculate().differing == 1
    world.approve(amendment.calculation_id)
    run = world.calculate()
    assert (run.differing, run.unchanged) == (0, 2)


def not_sold(world: World) -> None:
    world.sales.pop("H1")


def not_known(world: World) -> None:
    world.people.pop("H1")


def not_eligible(world: World) -> None:
    world.hire("H1", assigned(role="Cashier"))


@pytest.mark.parametrize("change", [not_sold, not_known, not_eligible], ids=lambda change: change.__name__)
def test_a_draft_that_nothing_leads_to_any_more_comes_to_zero_with_its_audit_trail(
    change: Callable[[World], None],
) -> None:
    world = a_world()
    world.calculate()
    change(world)
    run = world.calculate()
    assert (run.withdrawn, run.replaced, run.net_minor) == (1, 1, 200)
    found = world.one("H1")
    assert (found.net_minor, found.gross_minor, found.state) == (0, 0, State.DRAFT)
    assert found.breakdown["withdrawn"] == "there are no sales, or no eligible day, any more"
    assert [one.action for one in found.history] == ["Create", "Recalculate"]
    again = world.calculate()
    assert (again.withdrawn, again.replaced) == (0, 0)
    world.sell("H1", sold(10_000))
    world.hire("H1")
    world.calculate()
    assert world.amounts()["H1"] == (100, State.DRAFT)


def test_what_was_rejected_and_leads_to_nothing_cannot_be_submitted_at_its_old_amount() -> None:
    world = a_world()
    world.calculate()
    one = world.one("H1").calculation_id
    submit(world.context, [one], ADMIN)
    reject(world.context, [one], APPROVER, "left the company")
    world.sales.pop("H1")
    world.calculate()
    assert world.amounts()["H1"] == (0, State.DRAFT)


def test_an_approved_one_that_nothing_leads_to_any_more_is_counted() -> None:
    world = a_world()
    world.calculate()
    world.approve(world.one("H1").calculation_id)
    world.sales.pop("H1")
    run = world.calculate()
    assert (run.differing, world.amounts()["H1"]) == (1, (100, State.APPROVED))


def test_two_plans_pay_one_person_each_for_itself() -> None:
    world = World(plan(), plan(plan_id="boost", per_unit_bonus_minor=50, tiers=plan().tiers, cap_minor=150))
    world.hire("H1")
    world.sell("H1", sold(10_000, units=3))
    world.calculate()
    assert {one.plan_version: one.net_minor for one in world.of("H1")} == {"associates@1": 100, "boost@1": 150}


def test_a_new_version_for_the_same_days_replaces_the_draft_of_the_one_before() -> None:
    world = World(plan())
    world.hire("H1")
    world.sell("H1", sold(10_000))
    world.calculate()
    world.plans = [plan(version=2, cap_minor=50)]
    world.calculate()
    found = world.one("H1")
    assert (found.plan_version, found.net_minor) == ("associates@2", 50)


def test_days_that_an_approved_calculation_paid_are_not_paid_again_by_a_version_that_begins_later() -> None:
    """Version 1 paid all of January and was approved; then version 2 takes over from the 16th."""
    world = World(plan())
    world.hire("H1")
    world.sell("H1", sold(10_000, date(2025, 1, 3)), sold(20_000, date(2025, 1, 20)))
    world.calculate()
    world.approve(world.one("H1").calculation_id)
    world.plans = [plan(effective_to=date(2025, 1, 15)), plan(version=2, effective_from=date(2025, 1, 16))]
    run = world.calculate()
    assert [(one.net_minor, one.state) for one in world.of("H1")] == [(300, State.APPROVED)]
    assert (run.created, run.differing) == (0, 1)


def test_drafts_are_cut_anew_when_a_version_begins_in_mid_period() -> None:
    world = World(plan())
    world.hire("H1")
    world.sell("H1", sold(10_000, date(2025, 1, 3)), sold(20_000, date(2025, 1, 20)))
    world.calculate()
    world.plans = [plan(effective_to=date(2025, 1, 15)), plan(version=2, effective_from=date(2025, 1, 16))]
    world.calculate()
    assert {one.plan_version: one.net_minor for one in world.of("H1")} == {"associates@1": 100, "associates@2": 200}


def test_a_draft_that_is_submitted_while_it_is_calculated_stays_as_it_was_submitted() -> None:
    world = a_world()
    world.calculate()
    one = world.one("H1").calculation_id
    world.sell("H1", sold(99_900))

    def submit_meanwhile(operation: str, place: str) -> None:
        if (operation, place) == ("transact", "Calculations"):
            world.hook = lambda _operation, _place: None
            submit(world.context, [one], ADMIN)

    run_id = world.start()
    world.hook = submit_meanwhile
    world.deliver()
    assert world.amounts()["H1"] == (100, State.PENDING)
    assert world.context.runs.get(run_id).replaced == 0
    assert world.calculate().differing == 1


def test_the_slower_of_two_runs_does_not_leave_what_was_sold_before() -> None:
    """A run reads the sales; then more is sold, and another run reads, writes and ends; only then the first writes."""
    world = a_world()
    first, second = world.start(), world.start()
    reads = 0

    def overtake(operation: str, place: str) -> None:
        nonlocal reads
        if (operation, place) == ("transact", "Calculations"):
            world.hook = lambda _operation, _place: None
            world.sell("H1", sold(50_000))
            world.deliver()
            reads += 1

    world.hook = overtake
    world.deliver()
    assert reads == 1
    assert world.amounts() == {"H1": (500, State.DRAFT), "H2": (200, State.DRAFT)}
    assert {world.context.runs.get(run).status for run in (first, second)} == {"Succeeded"}


def test_sales_that_never_hold_still_put_the_run_off_and_it_ends_later() -> None:
    world = a_world()
    run_id = world.start()
    amount = 10_000

    def sell_more(operation: str, place: str) -> None:
        nonlocal amount
        if (operation, place) == ("transact", "Calculations"):
            amount += 100
            world.sell("H1", sold(amount))

    world.hook = sell_more
    world.deliver()
    assert world.context.runs.get(run_id).status == "Running"
    world.hook = lambda _operation, _place: None
    world.now = world.now.replace(hour=8)
    while world.deliver():
        pass
    assert world.context.runs.get(run_id).status == "Succeeded"
    assert world.amounts()["H1"] == (amount // 100, State.DRAFT)


NAMES = st.text(min_size=1, max_size=20)


@given(st.sampled_from(["2025-01", "2024-12", "2025-W03", "2026-W53", "2025-W01"]), NAMES, NAMES, NAMES)
def test_an_id_tells_its_period_and_lies_among_those_of_its_employee(
    period: str, who: str, one: str, other: str
) -> None:
    ids = [calculation_id(period, who, source) for source in (one, other)]
    assert (ids[0] == ids[1]) == (one == other)
    first, last = ids_of_employee(period, who)
    for found in ids:
        assert period_of_id(found).name == period
        assert first <= found <= last
        assert found[:-8] == first[:-8]


def test_employees_whose_digests_are_the_same_do_not_share_an_id(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their part of the ID is made equal here: what one plan pays them must not become one row."""
    from shared.incentives import calculation_id as module

    real = module._digest
    monkeypatch.setattr(module, "_digest", lambda text, bits: 7 if text in ("A", "B") else real(text, bits))
    assert calculation_id(PERIOD, "A", "plan:x:2025-01-01") != calculation_id(PERIOD, "B", "plan:x:2025-01-01")
