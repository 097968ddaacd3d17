"""INC-40: what a plan pays, worked out by hand to the cent."""

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.incentives.calculate import Assignment, Calculated, SalesDay, calculate
from shared.incentives.plan import Plan, Prorate, Tier, TierMode
from shared.incentives.plan_file import load_plans
from shared.kernel.money import parse_amount, to_minor
from shared.kernel.pay_period import parse_period
from tests.unit.incentives.world import FIRST, LAST, PERIOD, assigned, plan, sold

ROOT = Path(__file__).resolve().parents[3]
JANUARY = parse_period(PERIOD)
TIERS = (Tier(0, Decimal("0.01")), Tier(500_000, Decimal("0.02")), Tier(1_500_000, Decimal("0.035")))
WHOLE = {"tiers": TIERS, "tier_mode": TierMode.WHOLE}


def pay(given: Plan, sales: list[SalesDay], *assignments: Assignment) -> Calculated:
    found = calculate(given, JANUARY, sales, assignments or (assigned(),))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("changes", "cents", "units", "gross", "net"),
    [
        pytest.param({}, 1_234_56, 1, 12_35, 12_35, id="one rate: 12.3456 is 12.35"),
        pytest.param({}, 50, 1, 1, 1, id="half a cent is a cent"),
        pytest.param({}, 49, 1, 0, 0, id="less than half a cent is none"),
        pytest.param(
            {"tiers": TIERS}, 500_000, 1, 5_000, 5_000, id="marginal: at the bound the next tier is not reached"
        ),
        pytest.param(
            {"tiers": TIERS}, 500_050, 1, 5_001, 5_001, id="marginal: 50 cents into the second tier pay 1 cent"
        ),
        # 5,000.00 at 1 % = 50.00; 10,000.00 at 2 % = 200.00; 5,000.00 at 3.5 % = 175.00
        pytest.param({"tiers": TIERS}, 2_000_000, 1, 42_500, 42_500, id="marginal: three tiers"),
        pytest.param(WHOLE, 500_000, 1, 5_000, 5_000, id="whole: at the bound the lower rate"),
        pytest.param(WHOLE, 500_001, 1, 10_000, 10_000, id="whole: a cent more pays the higher rate on everything"),
        pytest.param(WHOLE, 2_000_000, 1, 70_000, 70_000, id="whole: the highest rate on everything"),
        pytest.param({"per_unit_bonus_minor": 25}, 10_000, 7, 275, 275, id="per-unit bonus: 1.00 and 7 x 0.25"),
        pytest.param({"cap_minor": 10_000}, 2_000_000, 1, 20_000, 10_000, id="capped"),
        pytest.param({"cap_minor": 20_000}, 2_000_000, 1, 20_000, 20_000, id="exactly the cap"),
        pytest.param(
            {"cap_minor": 100, "per_unit_bonus_minor": 25}, 10_000, 7, 275, 100, id="the cap holds for the bonus too"
        ),
        pytest.param({}, 0, 0, 0, 0, id="nothing"),
        pytest.param({}, -5_000, 0, 0, 0, id="more returned than sold"),
        pytest.param(
            {"per_unit_bonus_minor": 25}, 10_000, -6, -50, 0, id="returned units take the bonus back, never more"
        ),
        pytest.param({"per_unit_bonus_minor": 25}, -5_000, 2, 50, 50, id="the bonus does not ask for the amount"),
        pytest.param({"tiers": (Tier(0, Decimal("0.333333")),)}, 100, 1, 33, 33, id="a rate of six decimals"),
    ],
)
def test_worked_examples(changes: dict[str, Any], cents: int, units: int, gross: int, net: int) -> None:
    found = pay(plan(**changes), [sold(cents, units=units)])
    assert (found.gross_minor, found.net_minor) == (gross, net)


# Sales of 20,000.00 while assigned for 10 of 31 days.
@pytest.mark.parametrize(
    ("prorate", "changes", "gross", "net"),
    [
        pytest.param(Prorate.NONE, {"tiers": TIERS}, 42_500, 42_500, id="none"),
        # 425.00 x 10/31 = 137.0967...
        pytest.param(Prorate.PAYOUT, {"tiers": TIERS}, 42_500, 13_710, id="payout"),
        # min(425.00, 310.00) x 10/31 = 100.00: the cap comes first
        pytest.param(Prorate.PAYOUT, {"tiers": TIERS, "cap_minor": 31_000}, 42_500, 10_000, id="payout after the cap"),
        # Bounds 1,612.90 and 4,838.71: 16.13 + 64.52 (2 % of 3,225.81) + 530.65 (3.5 % of 15,161.29)
        pytest.param(Prorate.THRESHOLDS, {"tiers": TIERS}, 61_130, 61_130, id="thresholds"),
        # Cap 310.00 x 10/31 = 100.00
        pytest.param(
            Prorate.THRESHOLDS, {"tiers": TIERS, "cap_minor": 31_000}, 61_130, 10_000, id="thresholds and cap"
        ),
    ],
)
def test_prorating_by_assignment_days(prorate: Prorate, changes: dict[str, Any], gross: int, net: int) -> None:
    working = assigned(date(2025, 1, 10), date(2025, 1, 19))
    found = pay(plan(prorate=prorate, **changes), [sold(2_000_000)], working)
    assert (found.gross_minor, found.net_minor) == (gross, net)
    assert (found.breakdown["eligibleDays"], found.breakdown["days"]) == (10, 31)


def test_versions_that_share_a_period_share_bounds_and_cap() -> None:
    """Otherwise a new version in mid-period would double the cap."""
    shared = {"cap_minor": 31_000, "prorate": Prorate.THRESHOLDS}
    versions = [
        plan(version=1, effective_to=date(2025, 1, 15), **shared),
        plan(version=2, effective_from=date(2025, 1, 16), **shared),
    ]
    sales = [sold(9_000_000, date(2025, 1, 3)), sold(9_000_000, date(2025, 1, 20))]
    found = [pay(version, sales) for version in versions]
    assert [one.net_minor for one in found] == [15_000, 16_000]
    assert [(one.breakdown["firstDay"], one.breakdown["lastDay"]) for one in found] == [
        ("2025-01-01", "2025-01-15"),
        ("2025-01-16", "2025-01-31"),
    ]


def test_a_payout_is_shared_by_the_days_that_the_version_pays() -> None:
    """Its sales are those of its own days: somebody who was there on all of them gets all of it."""
    found = pay(plan(effective_from=date(2025, 1, 16), prorate=Prorate.PAYOUT), [sold(10_000, date(2025, 1, 20))])
    assert (found.net_minor, found.breakdown["eligibleDays"], found.breakdown["days"]) == (100, 16, 16)


@pytest.mark.parametrize(
    ("changes", "assignments", "counted"),
    [
        pytest.param({}, [assigned()], 4, id="everybody"),
        pytest.param({"roles": frozenset({"SalesAssociate"})}, [assigned()], 4, id="the role"),
        pytest.param({"roles": frozenset({"StoreManager"})}, [assigned()], None, id="another role"),
        pytest.param({"stores": frozenset({"S1"})}, [assigned()], 4, id="the store: sales elsewhere count too"),
        pytest.param({"stores": frozenset({"S2"})}, [assigned()], None, id="another store"),
        pytest.param({"stores": frozenset({"S1"}), "any_store": False}, [assigned()], 2, id="sales in the store alone"),
        pytest.param({}, [assigned(date(2025, 1, 10), date(2025, 1, 20))], 2, id="both days inclusive"),
        pytest.param({}, [assigned(date(2025, 1, 11), date(2025, 1, 19))], 0, id="assigned between the sales"),
        pytest.param({}, [assigned(date(2024, 5, 1), date(2024, 12, 31))], None, id="gone before the period"),
        pytest.param({}, [assigned(date(2025, 2, 1))], None, id="comes after the period"),
        pytest.param({}, [], None, id="no assignment"),
        pytest.param({"effective_to": date(2025, 1, 10)}, [assigned()], 3, id="the plan ends"),
        pytest.param({"effective_from": date(2025, 1, 20)}, [assigned()], 1, id="the plan begins"),
        pytest.param({"effective_to": date(2024, 12, 31)}, [assigned()], None, id="a plan of the past"),
        pytest.param({"effective_from": date(2025, 2, 1)}, [assigned()], None, id="a plan of the future"),
        pytest.param(
            {"roles": frozenset({"SalesAssociate"})},
            [assigned(last=date(2025, 1, 9)), assigned(date(2025, 1, 10), role="StoreManager")],
            2,
            id="another role in mid-period",
        ),
        pytest.param(
            {"any_store": False},
            [assigned(last=date(2025, 1, 9)), assigned(date(2025, 1, 10), store="S2")],
            2,
            id="another store in mid-period",
        ),
    ],
)
def test_who_is_eligible_on_which_days(
    changes: dict[str, Any], assignments: list[Assignment], counted: int | None
) -> None:
    """Sales of 1.00 each on the 1st in S1, the 2nd in S2, the 10th in S2, the 20th in S1: how many of them count."""
    days = ((1, "S1"), (2, "S2"), (10, "S2"), (20, "S1"))
    sales = [sold(100, date(2025, 1, day), store=store) for day, store in days]
    found = calculate(plan(**changes), JANUARY, sales, assignments)
    assert (found and found.breakdown["salesTotal"]) == (None if counted is None else f"{counted}.00")


def test_the_breakdown_says_which_sales_did_not_count_and_why() -> None:
    sales = [sold(100, date(2025, 1, 2)), sold(200, date(2025, 1, 20), store="S9"), sold(300, date(2025, 1, 21))]
    found = pay(plan(any_store=False), sales, assigned(date(2025, 1, 10)))
    shown = [(one["date"], one["sales"], one["reason"]) for one in found.breakdown["excludedDays"]]
    assert shown == [("2025-01-02", "1.00", "NotEligible"), ("2025-01-20", "2.00", "AnotherStore")]
    assert found.breakdown["salesDays"] == [{"date": "2025-01-21", "storeId": "S1", "sales": "3.00", "units": 1}]


def test_the_breakdown_says_which_tier_paid_what() -> None:
    found = pay(plan(tiers=TIERS, cap_minor=40_000), [sold(2_000_000)])
    assert found.breakdown["tiers"] == [
        {"above": "0.00", "upTo": "5000.00", "rate": "0.01", "sales": "5000.00", "amount": "50.00"},
        {"above": "5000.00", "upTo": "15000.00", "rate": "0.02", "sales": "10000.00", "amount": "200.00"},
        {"above": "15000.00", "upTo": None, "rate": "0.035", "sales": "5000.00", "amount": "175.00"},
    ]
    assert (found.breakdown["cap"], found.breakdown["capApplied"], found.breakdown["net"]) == ("400.00", True, "400.00")


def test_the_example_of_the_documentation() -> None:
    """docs/incentive-plans.md: Ada's January under the associates' plan of this project."""
    (associates, _) = load_plans(ROOT / "plans", "EUR").plans
    found = pay(associates, [sold(2_000_000, units=40)], assigned(date(2025, 1, 10), date(2025, 1, 19)))
    assert [(part["upTo"], part["amount"]) for part in found.breakdown["tiers"]] == [
        ("1612.90", "16.13"),
        ("4838.71", "64.52"),
        (None, "530.65"),
    ]
    assert (found.breakdown["unitBonus"], found.breakdown["gross"], found.breakdown["net"]) == (
        "10.00",
        "621.30",
        "483.87",
    )


# What must hold for every plan.

RATES = st.integers(0, 1_000_000).map(lambda millionths: Decimal(millionths).scaleb(-6))


@st.composite
def plans(draw: st.DrawFn, /, **fixed: Any) -> Plan:
    bounds = sorted({0, *draw(st.lists(st.integers(1, 5_000_000), max_size=4))})
    given = {
        "tiers": tuple(Tier(bound, draw(RATES)) for bound in bounds),
        "tier_mode": draw(st.sampled_from(TierMode)),
        "per_unit_bonus_minor": draw(st.integers(0, 500)),
        "cap_minor": draw(st.none() | st.integers(0, 1_000_000)),
        "prorate": draw(st.sampled_from(Prorate)),
        "any_store": draw(st.booleans()),
    }
    return plan(**(given | fixed))


DAYS = st.dates(FIRST, LAST)
SALES = st.lists(
    st.builds(SalesDay, DAYS, st.sampled_from(["S1", "S2"]), st.integers(-500_000, 2_000_000), st.integers(-5, 50)),
    max_size=12,
)


@st.composite
def stretches(draw: st.DrawFn) -> list[Assignment]:
    """Return assignments that follow each other without a gap, cut anywhere."""
    first, last = sorted((draw(DAYS), draw(DAYS)))
    cuts = sorted(day for day in draw(st.sets(DAYS, max_size=3)) if first < day <= last)
    starts = [first, *cuts]
    ends = [*(date.fromordinal(day.toordinal() - 1) for day in cuts), last]
    return [assigned(start, end) for start, end in zip(starts, ends, strict=True)]


def cents(text: str) -> int:
    return to_minor(parse_amount(text))


@given(plans(), SALES, stretches())
def test_net_is_never_above_the_cap_nor_below_zero(
    given: Plan, sales: list[SalesDay], places: list[Assignment]
) -> None:
    found = calculate(given, JANUARY, sales, places)
    assert found is not None
    assert found.net_minor >= 0
    assert found.net_minor <= max(found.gross_minor, 0)
    if given.cap_minor is not None:
        assert found.net_minor <= given.cap_minor


@given(plans(), SALES, stretches())
def test_the_breakdown_adds_up(given: Plan, sales: list[SalesDay], places: list[Assignment]) -> None:
    found = calculate(given, JANUARY, sales, places)
    assert found is not None
    shown = found.breakdown
    parts = sum(cents(part["amount"]) for part in shown["tiers"])
    assert parts + cents(shown["unitBonus"]) == found.gross_minor == cents(shown["gross"])
    assert sum(cents(day["sales"]) for day in shown["salesDays"]) == cents(shown["salesTotal"])
    assert sum(day["units"] for day in shown["salesDays"]) == shown["units"]
    assert len(shown["salesDays"]) + len(shown["excludedDays"]) == len(sales)
    assert cents(shown["net"]) == found.net_minor
    if given.tier_mode is TierMode.MARGINAL:
        assert sum(cents(part["sales"]) for part in shown["tiers"]) == max(cents(shown["salesTotal"]), 0)


@given(plans(), SALES, stretches(), st.randoms(use_true_random=False))
def test_the_same_input_in_any_order_gives_the_same(
    given: Plan, sales: list[SalesDay], places: list[Assignment], draw: Any
) -> None:
    unique = list({(sale.day, sale.store_id): sale for sale in sales}.values())
    mixed, moved = list(unique), list(places)
    draw.shuffle(mixed)
    draw.shuffle(moved)
    assert calculate(given, JANUARY, unique, places) == calculate(given, JANUARY, mixed, moved)


@given(plans(), SALES, stretches())
def test_an_assignment_that_is_cut_in_pieces_pays_the_same(
    given: Plan, sales: list[SalesDay], places: list[Assignment]
) -> None:
    whole = [assigned(places[0].first_day, places[-1].last_day)]
    assert calculate(given, JANUARY, sales, places) == calculate(given, JANUARY, sales, whole)


@given(plans(), st.integers(0, 3_000_000), st.integers(0, 3_000_000), stretches())
def test_who_sells_more_is_not_paid_less(given: Plan, one: int, more: int, places: list[Assignment]) -> None:
    """Where all sales are paid at one rate, only if a higher tier has no lower rate."""
    rates = [tier.rate for tier in given.tiers]
    if given.tier_mode is TierMode.WHOLE and rates != sorted(rates):
        given = plan(tiers=given.tiers, cap_minor=given.cap_minor, prorate=given.prorate)
    day = places[0].first_day
    lower, higher = (calculate(given, JANUARY, [sold(amount, day)], places) for amount in (one, one + more))
    assert lower is not None
    assert higher is not None
    assert lower.net_minor <= higher.net_minor


@given(plans(prorate=Prorate.PAYOUT, any_store=True), st.integers(0, 3_000_000), st.integers(1, 30))
def test_the_shares_of_two_parts_of_the_period_make_the_whole(given: Plan, amount: int, days: int) -> None:
    """What the first days and the others pay for the same sales comes to what the whole pays, to a cent of rounding."""
    cut = date(2025, 1, days)
    sales_at = (cut, date(2025, 1, days + 1))
    parts = [
        calculate(given, JANUARY, [sold(amount, day)], [place])
        for day, place in zip(sales_at, (assigned(FIRST, cut), assigned(sales_at[1], LAST)), strict=True)
    ]
    whole = calculate(given, JANUARY, [sold(amount, cut)], [assigned(FIRST, LAST)])
    assert whole is not None
    assert abs(sum(part.net_minor for part in parts if part) - whole.net_minor) <= 1
