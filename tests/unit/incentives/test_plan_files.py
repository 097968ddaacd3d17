"""INC-40: mistakes in a plan file fail by name when it is loaded."""

from datetime import date
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest

from shared.incentives.plan import Plan, Prorate, Tier, TierMode
from shared.incentives.plan_file import Plans, load_plans, warn_of_unknown_stores
from shared.kernel.errors import ConfigurationError
from shared.kernel.pay_period import parse_period
from tests.unit.incentives.world import World, plan

ROOT = Path(__file__).resolve().parents[3]
GOOD = """\
id: associates
version: 1
name: Associates
currency: EUR
effective_from: 2024-01-01
tiers:
  - above: 0
    rate: 0.01
  - above: 5000.00
    rate: 0.02
"""


def load(folder: Path, **files: str) -> Plans:
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return load_plans(folder, "EUR")


def problems(folder: Path, **files: str) -> list[tuple[str, str]]:
    with pytest.raises(ConfigurationError) as caught:
        load(folder, **files)
    return [(problem.field.removeprefix(f"{folder.name}/"), problem.message) for problem in caught.value.problems]


def test_a_plan_is_read_with_every_field(tmp_path: Path) -> None:
    more = """\
effective_to: 2025-12-31
tier_mode: whole
per_unit_bonus: 0.25
cap: 1500
eligibility:
  roles: [SalesAssociate, Trainee]
  stores: [S001]
any_store: false
prorate: payout
"""
    assert load(tmp_path, one=GOOD + more).plans == (
        Plan(
            plan_id="associates",
            version=1,
            name="Associates",
            currency="EUR",
            effective_from=date(2024, 1, 1),
            effective_to=date(2025, 12, 31),
            tiers=(Tier(0, Decimal("0.01")), Tier(500_000, Decimal("0.02"))),
            tier_mode=TierMode.WHOLE,
            per_unit_bonus_minor=25,
            cap_minor=150_000,
            roles=frozenset({"SalesAssociate", "Trainee"}),
            stores=frozenset({"S001"}),
            any_store=False,
            prorate=Prorate.PAYOUT,
        ),
    )


def test_the_plans_of_the_project_load() -> None:
    found = load_plans(ROOT / "plans", "EUR").for_period(parse_period("2025-01"))
    assert [one.plan_id for one in found] == ["store-associates", "store-managers"]


def changed(line: str, by: str) -> str:
    assert line in GOOD
    return GOOD.replace(line, by)


@pytest.mark.parametrize(
    ("text", "field", "message"),
    [
        ("", "", "is empty, or no mapping"),
        ("- a\n- b\n", "", "is empty, or no mapping"),
        ("id: [\n", "", "line 2: expected the node content, but found '<stream end>'"),
        ("id: a\x01\n", "", "is not YAML"),
        ("id: a\n---\nid: b\n", "", "line 2: but found another document"),
        (GOOD + "cap: 1\ncap: 2\n", ":cap", "stands twice"),
        (changed("id: associates\n", ""), ":id", "is missing"),
        (
            changed("id: associates", "id: Sales Associates"),
            ":id",
            "must match the pattern ^[a-z0-9][a-z0-9-]{0,62}$",
        ),
        (changed("version: 1\n", ""), ":version", "is missing"),
        (changed("version: 1", "version: 0"), ":version", "must be at least 1"),
        (
            changed("version: 1", "version: one"),
            ":version",
            "must be a whole number",
        ),
        (changed("name: Associates\n", ""), ":name", "is missing"),
        (changed("currency: EUR\n", ""), ":currency", "is missing"),
        (changed("currency: EUR", "currency: euro"), ":currency", "must match the pattern ^[A-Z]{3}$"),
        (changed("currency: EUR", "currency: USD"), ":currency", "must be EUR, the currency of the sales"),
        (changed("effective_from: 2024-01-01\n", ""), ":effective_from", "is missing"),
        (changed("2024-01-01", "20240101"), ":effective_from", "must be a day: 2025-01-31"),
        (changed("2024-01-01", "2024-02-30"), ":effective_from", "2024-02-30 is not a day of the calendar"),
        (changed("2024-01-01", "2024-01-01T00:00:00"), ":effective_from", "must be a day: 2025-01-31"),
        (GOOD + "effective_to: soon\n", ":effective_to", "must be a day: 2025-01-31"),
        (GOOD + "effective_to: 2023-12-31\n", ":effective_to", "lies before effective_from"),
        (GOOD + "tier_mode: sliding\n", ":tier_mode", "must be 'marginal' or 'whole'"),
        (GOOD + "prorate: daily\n", ":prorate", "must be 'none', 'payout' or 'thresholds'"),
        (GOOD + "any_store: perhaps\n", ":any_store", "must be true or false"),
        (GOOD + "bonus: 1\n", ":bonus", "is not a known field"),
        (GOOD + "cap: -1\n", ":cap", "must not be negative"),
        (GOOD + "cap: none\n", ":cap", "'none' is not a number"),
        (GOOD + "cap: 1e99\n", ":cap", "'1e99' is not a sensible amount"),
        (GOOD + "per_unit_bonus: 0.255\n", ":per_unit_bonus", "0.255 has more than two decimals"),
        (GOOD + "per_unit_bonus: 1_000\n", ":per_unit_bonus", "'1_000' is not a number"),
        (GOOD + "eligibility:\n  role: [A]\n", ":eligibility.role", "is not a known field"),
        (GOOD + "eligibility:\n  roles: A\n", ":eligibility.roles", "must be a list"),
        (GOOD + "eligibility:\n  roles: ['']\n", ":eligibility.roles.0", "must not be empty"),
        (GOOD + "eligibility:\n  stores: ['']\n", ":eligibility.stores.0", "must not be empty"),
        (GOOD.partition("tiers:")[0], ":tiers", "is missing"),
        (
            GOOD.partition("tiers:")[0] + "tiers: []\n",
            ":tiers",
            "must not be empty",
        ),
        (changed("above: 0\n", "above: 100\n"), ":tiers", "the first must begin above 0"),
        (changed("above: 5000.00", "above: 0"), ":tiers", "each must begin above the one before"),
        (changed("above: 5000.00", "above: 5000.001"), ":tiers.1.above", "5000.001 has more than two decimals"),
        (changed("    rate: 0.02\n", ""), ":tiers.1.rate", "is missing"),
        (changed("rate: 0.02", "rate: 2"), ":tiers.1.rate", "must be a share from 0 to 1: 0.05 is five per cent"),
        (changed("rate: 0.02", "rate: -0.02"), ":tiers.1.rate", "must be a share from 0 to 1: 0.05 is five per cent"),
        (changed("rate: 0.02", "rate: 2 %"), ":tiers.1.rate", "'2 %' is not a number"),
        (changed("rate: 0.02", "rate: 0.0200001"), ":tiers.1.rate", "must have at most 6 decimals"),
        (changed("rate: 0.02", "rate: 0.02\n    from: 1"), ":tiers.1.from", "is not a known field"),
    ],
    ids=lambda value: None if not isinstance(value, str) or "\n" in value else value[:40],
)
def test_a_mistake_is_told_by_file_and_field(tmp_path: Path, text: str, field: str, message: str) -> None:
    assert problems(tmp_path, bad=text) == [(f"bad.yaml{field}", message)]


def test_all_mistakes_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    found = problems(tmp_path, one=GOOD + "cap: -1\nprorate: daily\n", two="", three=GOOD)
    assert [field for field, _ in found] == ["one.yaml:cap", "one.yaml:prorate", "two.yaml"]


def test_a_file_that_is_not_utf_8_is_told(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_bytes(GOOD.encode() + b"# caf\xe9\n")
    assert problems(tmp_path) == [("bad.yaml", "is not UTF-8")]


def test_a_folder_without_plans_and_a_file_by_another_ending_are_told(tmp_path: Path) -> None:
    (tmp_path / "plan.yml").write_text(GOOD)
    assert problems(tmp_path) == [
        ("INCENTIVE_PLANS", f"the folder {tmp_path.name} holds no *.yaml"),
        ("plan.yml", "is not read: its name must end in .yaml"),
    ]


def test_two_versions_must_differ_and_not_pay_the_same_days(tmp_path: Path) -> None:
    second = changed("version: 1", "version: 2")
    folder = tmp_path.name
    assert problems(tmp_path, a=GOOD, b=GOOD) == [
        ("b.yaml:version", f"associates version 1 is {folder}/a.yaml already")
    ]
    assert problems(tmp_path, a=GOOD, b=second) == [
        ("b.yaml:effective_from", f"pays days that {folder}/a.yaml pays already")
    ]
    following = second.replace("2024-01-01", "2025-01-16")
    both = load(tmp_path, a=GOOD + "effective_to: 2025-01-15\n", b=following)
    assert [one.version for one in both.for_period(parse_period("2025-01"))] == [1, 2]
    assert [one.version for one in both.for_period(parse_period("2025-02"))] == [2]


def test_a_version_that_was_used_is_never_changed() -> None:
    """What it paid must stay explicable. It may be renamed, and it may end."""
    world = World(plan())
    world.hire("H1")
    world.calculate()
    world.plans = [plan(name="Another name", effective_to=date(2025, 6, 30))]
    assert world.calculate().status == "Succeeded"
    world.plans = [plan(cap_minor=100)]
    with pytest.raises(ConfigurationError) as caught:
        world.calculate()
    assert [(one.field, one.message) for one in caught.value.problems] == [
        (
            "plan associates version 1",
            (
                "says something else than when it was first used, 2025-02-01T06:00:01.000Z: "
                "give the changed plan a new version"
            ),
        )
    ]
    world.plans = [plan(version=2, cap_minor=100)]
    assert world.calculate().status == "Succeeded"
    kept = world.context.plan_versions.find("associates@1")
    assert kept is not None
    assert (kept["cap"], kept["tiers"]) == (None, [{"above": "0.00", "rate": "0.01"}])


def test_a_plan_may_name_thousands_of_stores(tmp_path: Path) -> None:
    """Its version is kept whole, however long it is."""
    names = [f"Store {number} of the north" for number in range(4_500)]
    more = "eligibility:\n  stores:\n" + "".join(f"    - {name}\n" for name in names)
    (found,) = load(tmp_path, a=GOOD + more).plans
    world = World(found)
    world.calculate()
    kept = world.context.plan_versions.find("associates@1")
    assert kept
    assert kept["stores"] == sorted(names)


def test_a_plan_that_is_too_long_to_be_kept_is_refused_when_it_is_loaded(tmp_path: Path) -> None:
    draw = Random(1)
    names = ("".join(chr(draw.randrange(0x4E00, 0x9FFF)) for _ in range(128)) for _ in range(4_000))
    more = "eligibility:\n  stores:\n" + "".join(f"    - {name}\n" for name in names)
    ((field, message),) = problems(tmp_path, a=GOOD + more)
    assert (field, message.partition(" (")[0]) == ("a.yaml", "is too long to be kept")


def test_a_plan_that_pays_in_a_store_that_is_not_known_is_told_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    plans = Plans((plan(stores=frozenset({"S1", "S2", "S9"})), plan(plan_id="other")))
    warn_of_unknown_stores(plans, frozenset({"S1", "S2"}))
    (told,) = [record.getMessage() for record in caplog.records]
    assert told == "plan associates@1 pays in stores that are not known (ERP_KNOWN_STORES): S9"
    caplog.clear()
    warn_of_unknown_stores(plans, frozenset())
    assert not caplog.records
