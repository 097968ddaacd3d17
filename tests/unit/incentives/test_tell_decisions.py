"""INC-60: whatever was decided is told, whoever dies in between, and nothing else is."""

from contextlib import suppress
from datetime import timedelta

import pytest

from shared.incentives import decide
from shared.incentives.calculation import State
from shared.incentives.settle import settle
from shared.incentives.tell_decisions import tell_what_was_decided
from tests.unit.incentives.world import (
    ADMIN,
    APPROVER,
    PERIOD,
    Killed,
    World,
    a_world,
    approve,
    reject,
    seen_now,
    submit,
)


def submitted() -> tuple[World, list[str]]:
    """Return a world in which two calculations wait for approval, and their IDs."""
    world = a_world()
    world.calculate()
    ids = sorted(one.calculation_id for one in world.all())
    submit(world.context, ids, ADMIN)
    while world.queues.receive("notifications"):
        pass
    world.now += timedelta(hours=1)
    return world, ids


def approve_and_die(world: World, ids: list[str], at: int) -> int:
    """Approve until the operation with a number, and die there; return how many were left to it."""
    left = at
    seen = seen_now(world.context, ids)

    def die_once(_operation: str, _place: str) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise Killed

    world.hook = die_once
    with suppress(Killed):
        decide.approve(world.context, ids, APPROVER, seen=seen)
    world.hook = lambda _operation, _place: None
    return left


@pytest.mark.parametrize("exported", [False, True], ids=["approved", "and exported meanwhile"])
@pytest.mark.parametrize("victim", range(1, 11))
def test_an_approval_that_dies_anywhere_is_told_when_nobody_repeats_it(victim: int, *, exported: bool) -> None:
    world, ids = submitted()
    assert approve_and_die(world, ids, victim) <= 0, "nothing was left to be killed at: shorten the range"
    stored = world.one("H1").state is State.APPROVED
    if stored and exported:
        settle(world.context, PERIOD, dict.fromkeys(ids, ""), "export-1")
    world.now += timedelta(minutes=14)
    assert tell_what_was_decided(world.context) == 0
    world.now += timedelta(minutes=2)
    tell_what_was_decided(world.context)
    told = {message.id: message for message in world.queues.messages("notifications")}
    assert [message.type for message in told.values()] == ["approval.approved"] * stored
    assert [(one.data["ids"], one.data["total"]) for one in told.values()] == [(ids, "3.00")] * stored
    assert tell_what_was_decided(world.context) == 0


def test_a_repeat_tells_under_the_same_id_as_the_one_that_died() -> None:
    world, ids = submitted()
    seen = seen_now(world.context, ids)
    approve_and_die(world, ids, 6)
    assert {one.state for one in decide.approve(world.context, ids, APPROVER, seen=seen)} == {"Approved"}
    world.now += timedelta(minutes=16)
    assert tell_what_was_decided(world.context) == 1
    first, second = world.queues.messages("notifications")
    assert (first.type, first.id) == ("approval.approved", second.id)


def test_of_those_who_decided_at_once_each_is_told_what_he_decided() -> None:
    world, ids = submitted()

    def reject_the_first(operation: str, _place: str) -> None:
        if operation == "transact":
            world.hook = lambda _operation, _place: None
            reject(world.context, ids[:1], ADMIN, "too much")

    world.hook = reject_the_first
    approve(world.context, ids, APPROVER)
    told = {message.type: message.data["ids"] for message in world.queues.messages("notifications")}
    assert told == {"approval.rejected": ids[:1], "approval.approved": ids[1:]}
    world.now += timedelta(minutes=16)
    assert tell_what_was_decided(world.context) == 0
