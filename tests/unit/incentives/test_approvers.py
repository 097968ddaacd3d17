"""INC-42: who may approve: nobody their own, nobody whom nobody knows, and nobody alone."""

from dataclasses import replace

import pytest

from shared.incentives.approvers import Actor
from shared.incentives.decide import Outcome
from shared.kernel.identities import Identities, identities_of
from tests.unit.incentives.world import ADMIN, APPROVER, World, actor, approve, reject, sold, submit

ADA = identities_of(addresses=["Ada.Abel@retail.example "], numbers=[4711], names=[815])
CLERK = actor("clerk")


def a_world() -> World:
    """Return a world in which the calculation of Ada, H1, waits for approval, and there is Bob, H2."""
    world = World()
    world.hire("H1", identities=ADA)
    world.hire("H2", identities=identities_of(addresses=["bob@retail.example"], names=["user-bob"]))
    world.sell("H1", sold(10_000))
    world.calculate()
    submit(world.context, [world.one("H1").calculation_id], CLERK)
    return world


def click(world: World, by: Actor) -> Outcome:
    """Let somebody approve the calculation of Ada."""
    return approve(world.context, [world.one("H1").calculation_id], by)[0]


def signed_in(**called: list[object]) -> Actor:
    return Actor("pairwise-subject", identities_of(**called))


@pytest.mark.parametrize(
    "called",
    [
        {"addresses": ["ADA.ABEL@RETAIL.EXAMPLE"]},
        {"addresses": ["ada.abel@retail.example"]},
        {"names": ["ada.abel@retail.example\u00a0"]},
        {"numbers": [" 4711"]},
        {"numbers": ["0004711"]},
        {"numbers": ["815"]},
        {"addresses": ["another@retail.example"], "numbers": ["h1"]},
    ],
)
def test_nobody_approves_their_own_however_their_token_writes_it(called: dict[str, list[object]]) -> None:
    outcome = click(a_world(), signed_in(**called))
    assert (outcome.state, outcome.code) == ("PendingApproval", "Forbidden")
    assert "is your own" in outcome.reason


def test_whom_nothing_tells_apart_from_the_employee_may_not_approve_and_learns_why() -> None:
    outcome = click(a_world(), signed_in(names=["aabel@retail.onmicrosoft.example", "an object ID"]))
    assert (outcome.state, outcome.code) == ("PendingApproval", "Forbidden")
    assert "nobody can tell whether calculation" in outcome.reason
    assert "Have yours provisioned, or let somebody else approve it" in outcome.reason


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (identities_of(addresses=["ada.abel@retail.example"], names=["an object ID"]), "is your own"),
        (identities_of(numbers=["4711"], names=["an object ID"]), "is your own"),
        (identities_of(names=["815", "an object ID"]), "is your own"),
        (identities_of(names=["an object ID"]), "nobody can tell"),
    ],
)
def test_the_directory_is_asked_who_somebody_is(entry: Identities, reason: str) -> None:
    world = a_world()
    world.directory = lambda called: entry if called.share(entry) else Identities()
    outcome = click(world, signed_in(names=["an object ID"]))
    assert (outcome.state, outcome.code) == ("PendingApproval", "Forbidden")
    assert reason in outcome.reason


@pytest.mark.parametrize(
    ("called", "entry"),
    [
        ({"addresses": ["eve@retail.example"]}, Identities()),
        ({"numbers": ["HQ-7"]}, Identities()),
        ({"names": ["oid"]}, identities_of(names=["oid"], addresses=["eve@retail.example"])),
        ({"names": ["oid"]}, identities_of(names=["oid"], numbers=["HQ-7"])),
        # Bob is an employee, and not the one concerned.
        ({"names": ["User-Bob"]}, Identities()),
    ],
    ids=["address", "number", "address in the directory", "number in the directory", "another employee"],
)
def test_whoever_is_known_to_be_somebody_else_approves(called: dict[str, list[object]], entry: Identities) -> None:
    world = a_world()
    world.directory = lambda _called: entry
    assert click(world, signed_in(**called)).state == "Approved"


def test_of_an_employee_without_an_address_the_number_is_compared() -> None:
    world = a_world()
    world.hire("H1")
    assert click(world, signed_in(addresses=["eve@retail.example"])).code == "Forbidden"
    assert click(world, signed_in(addresses=["eve@retail.example"], numbers=["HQ-7"])).state == "Approved"


@pytest.mark.parametrize(
    ("by", "reason"),
    [
        (CLERK, "you submitted calculation"),
        (Actor("x", CLERK.identities), "you submitted calculation"),
        (Actor("another", identities_of(addresses=["CLERK@retail.example"])), "you submitted calculation"),
        (ADMIN, "you ran the calculation of"),
    ],
    ids=["who submitted it", "under another subject", "by the same address", "who ran it"],
)
def test_four_eyes(by: Actor, reason: str) -> None:
    world = a_world()
    outcome = click(world, by)
    assert (outcome.state, outcome.code) == ("PendingApproval", "Forbidden")
    assert reason in outcome.reason
    assert "HUB_FOUR_EYES" in outcome.reason
    assert click(world, APPROVER).state == "Approved"


def test_whoever_submitted_it_first_may_approve_what_somebody_else_submitted_again() -> None:
    world = a_world()
    one = world.one("H1").calculation_id
    reject(world.context, [one], APPROVER, "look again")
    submit(world.context, [one], APPROVER)
    assert click(world, APPROVER).code == "Forbidden"
    assert click(world, CLERK).state == "Approved"


def test_four_eyes_can_be_switched_off_and_ones_own_never() -> None:
    world = a_world()
    world.context = replace(world.context, four_eyes=False)
    assert click(world, signed_in(numbers=["4711"])).code == "Forbidden"
    assert click(world, CLERK).state == "Approved"


def test_four_eyes_hold_in_bulk_too() -> None:
    world = World()
    for number in range(30):
        world.hire(f"H{number:02d}")
        world.sell(f"H{number:02d}", sold(10_000))
    world.calculate()
    ids = [one.calculation_id for one in world.all()]
    submit(world.context, ids[:10], CLERK)
    submit(world.context, ids[10:], ADMIN)
    assert [one.code for one in approve(world.context, ids, CLERK)] == ["Forbidden"] * 10 + [""] * 20
    assert {one.code for one in approve(world.context, ids[:10], ADMIN)} == {"Forbidden"}
