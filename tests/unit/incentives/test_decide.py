"""INC-42: who may decide what, in which state; what is told and kept of it."""

from collections.abc import Callable

import pytest

from shared.incentives.amend import Correction, amend
from shared.incentives.approvers import Actor
from shared.incentives.calculation import TRANSITIONS, Action, Calculation, State
from shared.incentives.decide import Outcome
from shared.incentives.post import post
from shared.incentives.settle import settle
from shared.kernel.errors import Busy, Conflict
from shared.kernel.identities import Identities, identities_of
from tests.unit.incentives.world import ADMIN, APPROVER, PERIOD, World, actor, approve, plan, reject, sold, submit

Act = Callable[[World, str], list[Outcome]]
ANOTHER = actor("another")


def called(name: str = "", mail: str = "") -> Identities:
    return identities_of(names=[name], addresses=[mail])


def a_world(*plans: object) -> World:
    world = World(*plans)  # type: ignore[arg-type]
    for number in range(1, 4):
        world.hire(f"H{number}", identities=called(f"user-{number}", f"h{number}@retail.example"))
        world.sell(f"H{number}", sold(10_000 * number))
    world.calculate()
    while world.queues.receive("notifications"):
        pass
    return world


ACTS: dict[Action, Act] = {
    Action.SUBMIT: lambda world, one: submit(world.context, [one], ADMIN),
    Action.APPROVE: lambda world, one: approve(world.context, [one], APPROVER, "fine"),
    Action.REJECT: lambda world, one: reject(world.context, [one], APPROVER, "no"),
}
ROADS: dict[State, list[Act]] = {
    State.DRAFT: [],
    State.PENDING: [ACTS[Action.SUBMIT]],
    State.APPROVED: [ACTS[Action.SUBMIT], lambda world, one: approve(world.context, [one], ANOTHER)],
    State.REJECTED: [ACTS[Action.SUBMIT], lambda world, one: reject(world.context, [one], ANOTHER, "no")],
}


def at(state: State) -> tuple[World, str]:
    """Return a world with a calculation in a state, by other people than those who act."""
    world = a_world()
    one = world.one("H1").calculation_id
    for act in ROADS.get(state, [ACTS[Action.SUBMIT], lambda world, one: approve(world.context, [one], APPROVER)]):
        act(world, one)
    if state is State.EXPORTED:
        settle(world.context, PERIOD, {one: ""}, "export-1")
    assert world.one("H1").state is state
    return world, one


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("action", ACTS)
def test_what_may_be_done_in_which_state(action: Action, state: State) -> None:
    world, one = at(state)
    before = world.one("H1")
    (outcome,) = ACTS[action](world, one)
    allowed, leads_to = TRANSITIONS[action]
    if state in allowed:
        assert (outcome.state, outcome.code) == (leads_to.value, "")
        assert world.one("H1").history[:-1] == before.history
    elif action is Action.SUBMIT and state is State.PENDING:
        assert (outcome.state, outcome.code) == ("PendingApproval", "")  # the same admin did it before
        assert world.one("H1") == before
    else:
        assert (outcome.state, outcome.code) == (state.value, "Conflict")
        assert f"is {state}" in outcome.reason
        assert world.one("H1") == before


def test_the_audit_trail_says_who_did_what_when_and_why() -> None:
    world = a_world()
    one = world.one("H1").calculation_id
    submit(world.context, [one], ADMIN)
    reject(world.context, [one], APPROVER, "wrong team")
    submit(world.context, [one], ADMIN)
    approve(world.context, [one], APPROVER, "now it is right")
    settle(world.context, PERIOD, {one: "no bank account"}, "export-1")
    settle(world.context, PERIOD, {one: ""}, "export-2")
    assert [(change.action, change.by, change.state.value, change.note) for change in world.one("H1").history] == [
        ("Create", "Calculation", "Draft", ""),
        ("Submit", "admin", "PendingApproval", ""),
        ("Reject", "approver", "Rejected", "wrong team"),
        ("Submit", "admin", "PendingApproval", ""),
        ("Approve", "approver", "Approved", "now it is right"),
        ("Refuse", "PayrollExport", "Approved", "export-1: no bank account"),
        ("Export", "PayrollExport", "Exported", "export-2"),
    ]


# Nobody approves a calculation for himself.


@pytest.mark.parametrize(
    "actor",
    [
        Actor("H1"),
        Actor("h1"),
        Actor("someone", called("user-1")),
        Actor("someone", called(mail="H1@Retail.Example")),
        Actor("someone", address="h1@retail.example"),
    ],
    ids=["employee ID", "in another case", "user ID", "e-mail address", "address alone"],
)
def test_nobody_approves_what_he_is_paid_whatever_his_token_calls_him(actor: Actor) -> None:
    world = a_world()
    ids = [world.one(f"H{number}").calculation_id for number in (1, 2)]
    submit(world.context, ids, ADMIN)
    outcomes = approve(world.context, ids, actor)
    assert [(one.state, one.code) for one in outcomes] == [("PendingApproval", "Forbidden"), ("Approved", "")]
    assert outcomes[0].reason == f"calculation {ids[0]} is your own: somebody else must approve it"


def test_nor_in_bulk_where_everybody_is_looked_up_at_once() -> None:
    world = World(plan())
    for number in range(30):
        world.hire(f"H{number:02d}", identities=called(f"user-{number}"))
        world.sell(f"H{number:02d}", sold(10_000))
    world.calculate()
    ids = [one.calculation_id for one in world.all()]
    submit(world.context, ids, ADMIN)
    reads = 0

    def note(operation: str, place: str) -> None:
        nonlocal reads
        reads += (operation, place) == ("read", "Employees")

    world.hook = note
    outcomes = approve(world.context, ids, Actor("someone", called("user-7")))
    assert [one.calculation_id for one in outcomes if one.code] == [world.one("H07").calculation_id]
    assert sum(one.state == "Approved" for one in outcomes) == 29
    assert reads == 1


def test_one_whom_the_hub_does_not_know_any_more_still_does_not_approve_his_own() -> None:
    world = a_world()
    one = world.one("H1").calculation_id
    submit(world.context, [one], ADMIN)
    world.people.pop("H1")
    assert approve(world.context, [one], Actor("h1"))[0].code == "Forbidden"
    assert approve(world.context, [one], APPROVER)[0].state == "Approved"


def test_nobody_approves_an_amount_that_he_brought_in() -> None:
    world = a_world()
    record = {"id": "X1", "employeeId": "H2", "period": PERIOD, "gross": "5.00", "net": "5.00"}
    posted = post(world.context, [record], "admin")[0].outcome.calculation_id
    submit(world.context, [posted], ADMIN)
    outcome = approve(world.context, [posted], ADMIN)[0]
    assert (outcome.code, outcome.reason) == (
        "Forbidden",
        f"you brought in calculation {posted}: somebody else must approve it",
    )
    one = world.one("H1").calculation_id
    world.approve(one)
    amendment = amend(world.context, one, Correction(500, "more"), "approver").calculation_id
    submit(world.context, [amendment], ANOTHER)
    assert approve(world.context, [amendment], APPROVER)[0].code == "Forbidden"
    assert approve(world.context, [amendment], ADMIN)[0].state == "Approved"


def test_nobody_approves_an_amendment_of_his_own() -> None:
    world = a_world()
    one = world.one("H1").calculation_id
    world.approve(one)
    amendment = amend(world.context, one, Correction(500, "more"), "admin").calculation_id
    submit(world.context, [amendment], ADMIN)
    assert approve(world.context, [amendment], Actor("x", called("user-1")))[0].code == "Forbidden"


# Many at once.


def test_one_that_cannot_be_decided_does_not_stop_the_others() -> None:
    world = a_world()
    one, two, three = (world.one(f"H{number}").calculation_id for number in (1, 2, 3))
    submit(world.context, [one, two], ADMIN)
    outcomes = approve(world.context, [three, one, "no ID", one, "01940000-0000-7000-8000-000000000000", two], APPROVER)
    assert [(outcome.calculation_id, outcome.state, outcome.code) for outcome in outcomes] == [
        (three, "Draft", "Conflict"),
        (one, "Approved", ""),
        ("no ID", "", "NotFound"),
        ("01940000-0000-7000-8000-000000000000", "", "NotFound"),
        (two, "Approved", ""),
    ]


def test_one_message_tells_of_all_that_were_decided() -> None:
    world = a_world()
    ids = sorted(world.one(f"H{number}").calculation_id for number in (1, 2, 3))
    submit(world.context, ids, ADMIN)
    approve(world.context, ids[:2], APPROVER)
    reject(world.context, ids[2:], APPROVER, "no")
    told = world.told()
    assert [kind for kind, _ in told] == ["approval.required", "approval.approved", "approval.rejected"]
    data = told[0][1]
    assert (data["ids"], data["count"], data["total"], data["by"]) == (ids, 3, "6.00", "admin")


def test_a_decision_that_is_repeated_is_told_again_under_the_same_id_and_changes_nothing() -> None:
    """The process may have died after the decision and before it was told."""
    world = a_world()
    one = world.one("H1").calculation_id
    for _ in range(2):
        assert submit(world.context, [one], ADMIN)[0].state == "PendingApproval"
    for _ in range(2):
        assert approve(world.context, [one], APPROVER, "fine")[0].state == "Approved"
    assert [change.action for change in world.one("H1").history] == ["Create", "Submit", "Approve"]
    messages = world.queues.messages("notifications")
    assert [message.id for message in messages[::2]] == [message.id for message in messages[1::2]]
    assert len({message.id for message in messages}) == 2
    assert approve(world.context, [one], ANOTHER)[0].code == "Conflict"


def test_the_same_decision_on_a_later_round_is_told_under_another_id() -> None:
    world = a_world()
    one = world.one("H1").calculation_id
    for _ in range(2):
        submit(world.context, [one], ADMIN)
        reject(world.context, [one], APPROVER, "no")
    assert len({message.id for message in world.queues.messages("notifications")}) == 4


def test_two_who_decide_at_the_same_moment_do_not_both_win() -> None:
    world = a_world()
    one = world.one("H1").calculation_id
    submit(world.context, [one], ADMIN)

    def reject_first(operation: str, _place: str) -> None:
        if operation == "transact":
            world.hook = lambda _operation, _place: None
            reject(world.context, [one], ANOTHER, "no")

    world.hook = reject_first
    (outcome,) = approve(world.context, [one], APPROVER)
    assert (outcome.code, outcome.state) == ("PreconditionFailed", "Rejected")
    assert [change.action for change in world.one("H1").history] == ["Create", "Submit", "Reject"]


def test_a_row_that_others_change_all_the_time_is_busy_and_nothing_is_told() -> None:
    world = a_world()
    one = world.one("H1").calculation_id

    def change_it(operation: str, _place: str) -> None:
        if operation in ("transact", "replace"):
            hook, world.hook = world.hook, lambda _operation, _place: None
            world.context.calculations.change(PERIOD, [one], lambda _key, standing: standing)
            world.hook = hook

    world.hook = change_it
    with pytest.raises(Busy):
        submit(world.context, [one], ADMIN)
    assert world.told() == []


# Amendments.


def approved(world: World) -> Calculation:
    one = world.one("H1")
    world.approve(one.calculation_id)
    return one


@pytest.mark.parametrize(("corrected", "difference"), [(150, 50), (40, -60), (0, -100), (-20, -120)])
@pytest.mark.parametrize("exported", [False, True], ids=["approved", "exported"])
def test_an_amendment_is_the_difference_itself_to_be_approved(
    corrected: int, difference: int, *, exported: bool
) -> None:
    world = a_world()
    one = approved(world)
    if exported:
        settle(world.context, PERIOD, {one.calculation_id: ""}, "export-1")
    found = amend(world.context, one.calculation_id, Correction(corrected, "a sale was missing"), "admin")
    assert (found.net_minor, found.state, found.amends, found.created_by) == (
        difference,
        State.DRAFT,
        one.calculation_id,
        "admin",
    )
    assert found.breakdown["reason"] == found.history[0].note == "a sale was missing"
    assert world.approve(found.calculation_id)[0].state == "Approved"
    assert sum(each.net_minor for each in world.of("H1")) == corrected


def test_a_second_amendment_counts_from_what_the_first_made_of_it() -> None:
    world = a_world()
    one = approved(world)
    for corrected in (150, 70, 100):
        found = amend(world.context, one.calculation_id, Correction(corrected, "again"), "admin")
        world.approve(found.calculation_id)
        assert sum(each.net_minor for each in world.of("H1")) == corrected


def test_the_same_amendment_again_is_the_same_and_another_one_waits() -> None:
    world = a_world()
    one = approved(world).calculation_id
    first = amend(world.context, one, Correction(150, "once"), "admin")
    assert amend(world.context, one, Correction(150, "twice"), "admin") == first
    with pytest.raises(Conflict, match="let it be decided on first"):
        amend(world.context, one, Correction(160, "more"), "admin")
    world.approve(first.calculation_id)
    with pytest.raises(Exception, match="there is nothing to amend"):
        amend(world.context, one, Correction(150, "thrice"), "admin")


@pytest.mark.parametrize("state", [State.DRAFT, State.PENDING, State.REJECTED])
def test_only_what_was_approved_is_amended(state: State) -> None:
    world, one = at(state)
    with pytest.raises(Conflict, match=f"is {state}: only what was approved is amended"):
        amend(world.context, one, Correction(1, "x"), "admin")


def test_an_amendment_is_not_amended_itself() -> None:
    world = a_world()
    one = approved(world).calculation_id
    amendment = amend(world.context, one, Correction(150, "x"), "admin").calculation_id
    world.approve(amendment)
    with pytest.raises(Conflict, match=f"is an amendment itself: amend {one}"):
        amend(world.context, amendment, Correction(1, "x"), "admin")


def test_an_amendment_that_was_rejected_is_not_submitted_again() -> None:
    """Another one may have been made since, which counts from the amount without it."""
    world = a_world()
    one = approved(world).calculation_id
    first = amend(world.context, one, Correction(150, "x"), "admin").calculation_id
    submit(world.context, [first], ADMIN)
    reject(world.context, [first], APPROVER, "no")
    second = amend(world.context, one, Correction(110, "y"), "admin").calculation_id
    (outcome,) = submit(world.context, [first], ADMIN)
    assert (outcome.code, outcome.reason) == (
        "Conflict",
        f"amendment {first} was rejected: amend calculation {one} again",
    )
    world.approve(second)
    assert sum(each.net_minor for each in world.of("H1") if each.counts) == 110


def test_two_who_amend_at_the_same_moment_make_one_amendment() -> None:
    world = a_world()
    one = approved(world).calculation_id

    def amend_first(operation: str, _place: str) -> None:
        if operation == "transact":
            world.hook = lambda _operation, _place: None
            amend(world.context, one, Correction(110, "y"), "another")

    world.hook = amend_first
    with pytest.raises(Conflict, match="is being amended by somebody else"):
        amend(world.context, one, Correction(150, "x"), "admin")
    assert sorted(each.net_minor for each in world.of("H1")) == [10, 100]


# What payroll did.


def test_payroll_marks_once_however_often_it_says_so() -> None:
    world = a_world()
    ids = [world.one(f"H{number}").calculation_id for number in (1, 2)]
    world.approve(*ids)
    reasons = {ids[0]: "", ids[1]: "no bank account"}
    for _ in range(3):
        assert settle(world.context, PERIOD, reasons, "export-1") == 2
    first, second = world.one("H1"), world.one("H2")
    assert (first.state, first.export_id) == (State.EXPORTED, "export-1")
    assert (second.state, second.export_id, second.payroll_reason) == (State.APPROVED, "", "no bank account")
    assert [len(one.history) for one in (first, second)] == [4, 4]
    assert settle(world.context, PERIOD, {ids[1]: "no bank account"}, "export-2") == 1
    assert [change.note for change in world.one("H2").history[-2:]] == [
        "export-1: no bank account",
        "export-2: no bank account",
    ]
    assert settle(world.context, PERIOD, {ids[1]: ""}, "export-3") == 1
    assert (world.one("H2").export_id, world.one("H2").payroll_reason) == ("export-3", "")


def test_payroll_marks_nothing_that_is_not_approved_or_was_exported_by_another_export() -> None:
    world = a_world()
    one, two = (world.one(f"H{number}").calculation_id for number in (1, 2))
    world.approve(one)
    assert settle(world.context, PERIOD, {one: "", two: "", "gone": ""}, "export-1") == 1
    assert settle(world.context, PERIOD, {one: ""}, "export-2") == 0
    assert settle(world.context, PERIOD, {one: "refused after all"}, "export-1") == 0
    assert (world.one("H1").export_id, world.one("H2").state) == ("export-1", State.DRAFT)
    assert settle(world.context, PERIOD, {}, "export-3") == 0
