"""INC-50, INC-73: the timer after the approval deadline, in both pay calendars and across time changes."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.incentives.calculation import State
from shared.kernel.pay_period import PayCalendar, parse_period
from shared.payroll.export import ExportStatus
from shared.payroll.schedule import deadline_of, due_periods, export_what_is_due
from tests.unit.payroll.world import World

MONTH, TWO_WEEKS = PayCalendar.MONTH, PayCalendar.TWO_WEEKS


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.mark.parametrize(
    ("calendar", "period", "deadline", "due"),
    [
        (MONTH, "2025-01", "5 18:00", "2025-02-05T17:00:00Z"),
        (MONTH, "2025-02", "30 18:00", "2025-03-30T16:00:00Z"),
        (MONTH, "2025-06", "0 00:30", "2025-06-29T22:30:00Z"),
        (TWO_WEEKS, "2025-W03", "3 12:00", "2025-01-29T11:00:00Z"),
        (TWO_WEEKS, "2020-W53", "3 12:00", "2021-01-06T11:00:00Z"),
    ],
    ids=["winter", "after the change to summer time", "just after midnight", "two weeks", "the single week 53"],
)
def test_the_deadline_is_in_the_business_time_zone(calendar: PayCalendar, period: str, deadline: str, due: str) -> None:
    world = World(calendar=calendar, deadline=deadline)
    assert deadline_of(world.context, parse_period(period)) == at(due)


@pytest.mark.parametrize(
    ("calendar", "deadline", "now", "due"),
    [
        (MONTH, "5 18:00", "2025-02-05T16:59:59Z", ["2024-10", "2024-11", "2024-12"]),
        (MONTH, "5 18:00", "2025-02-05T17:00:00Z", ["2024-11", "2024-12", "2025-01"]),
        (MONTH, "45 18:00", "2025-02-05T17:00:00Z", ["2024-09", "2024-10", "2024-11"]),
        (MONTH, "0 00:30", "2025-01-30T23:29:59Z", ["2024-10", "2024-11", "2024-12"]),
        (MONTH, "0 00:30", "2025-01-30T23:30:00Z", ["2024-11", "2024-12", "2025-01"]),
        (TWO_WEEKS, "3 12:00", "2025-01-29T11:00:00Z", ["2024-W51", "2025-W01", "2025-W03"]),
        (TWO_WEEKS, "3 12:00", "2021-01-06T10:59:59Z", ["2020-W47", "2020-W49", "2020-W51"]),
        (TWO_WEEKS, "3 12:00", "2021-01-06T11:00:00Z", ["2020-W49", "2020-W51", "2020-W53"]),
    ],
)
def test_the_periods_whose_deadline_has_passed(calendar: PayCalendar, deadline: str, now: str, due: list[str]) -> None:
    world = World(calendar=calendar, deadline=deadline)
    assert [one.name for one in due_periods(world.context, at(now))][-3:] == due


@pytest.fixture
def world() -> World:
    """A minute before the deadline of January."""
    world = World()
    world.hire("E1", "E2")
    world.now = at("2025-02-05T16:59:00Z")
    return world


def fire(world: World, after: timedelta = timedelta(0)) -> list[str]:
    """Let the timer fire and all work be done."""
    world.now += after
    started = export_what_is_due(world.context)
    world.work()
    return started


def told(world: World) -> list[tuple[str, str]]:
    """Return what was told of January."""
    found = [one for one in world.told("export.blocked") if one.subject == "2025-01"]
    return [(str(one.data["period"]), str(one.data["severity"])) for one in found]


def reason_of(world: World) -> str:
    return next(str(one.data["reason"]) for one in world.told("export.blocked") if one.subject == "2025-01")


def test_it_exports_once_after_the_deadline_however_often_it_fires(world: World) -> None:
    world.calculation("E1", 100)
    assert fire(world) == []
    [export_id] = fire(world, timedelta(minutes=1))
    export = world.context.exports.get(export_id)
    assert (export.trigger, export.started_by, export.status) == ("Timer", "ExportPayroll", ExportStatus.COMPLETED)
    assert [fire(world, timedelta(hours=1)) for _ in range(30)] == [[]] * 30
    assert told(world) == []


def test_what_was_approved_after_an_early_export_is_exported_at_the_deadline(world: World) -> None:
    world.calculation("E1", 100)
    early = world.export()
    world.calculation("E2", 200)
    [delta] = fire(world, timedelta(hours=1))
    assert delta != early.export_id
    assert world.paid() == {"E1": 100, "E2": 200}


def test_after_an_early_export_with_nothing_new_the_timer_is_quiet(world: World) -> None:
    world.calculation("E1", 100)
    world.export()
    assert [fire(world, timedelta(hours=20)) for _ in range(4)] == [[]] * 4
    assert told(world) == []


def test_what_waits_for_a_decision_is_told_once_a_day_and_critical_after_25_hours(world: World) -> None:
    world.calculation("E1", 100)
    world.calculation("E2", 200, state=State.PENDING)
    for _ in range(24):
        assert fire(world, timedelta(hours=1)) == []
    assert told(world) == [("2025-01", "high"), ("2025-01", "high")]  # of two days
    for _ in range(3):
        fire(world, timedelta(hours=1))
    assert told(world)[2:] == [("2025-01", "critical")]
    assert "1 calculations of 2025-01 wait for a decision" in reason_of(world)


def test_a_period_that_could_not_be_exported_is_not_forgotten_for_the_next(world: World) -> None:
    world.calculation("E1", 100)
    pending = world.calculation("E2", 200, state=State.PENDING)
    fire(world, timedelta(hours=1))
    world.now = at("2025-03-06T12:00:00Z")
    world.calculation("E1", 1_000, period="2025-02")
    fire(world)
    assert world.paid() == {"E1": 1_000}
    assert ("2025-01", "critical") in told(world)
    world.set_state(pending, State.APPROVED)
    assert len(fire(world, timedelta(hours=1))) == 1
    assert world.paid() == {"E1": 1_100, "E2": 200}


def test_what_is_decided_half_a_year_later_is_paid_and_told_until_then(world: World) -> None:
    """INC-56: nobody is missed, however many periods have passed."""
    world.calculation("E1", 100)
    pending = world.calculation("E2", 200, state=State.PENDING)
    world.now = at("2025-07-20T12:00:00Z")
    fire(world)
    assert (world.paid(), told(world)) == ({}, [("2025-01", "critical")])
    world.set_state(pending, State.APPROVED)
    assert len(fire(world, timedelta(hours=1))) == 1
    assert world.paid() == {"E1": 100, "E2": 200}
    amended = world.calculation("E1", 50, source="late", amends=pending)
    fire(world, timedelta(days=1))
    reasons = [str(one.data["reason"]) for one in world.told("export.blocked") if one.subject == "2025-01"]
    assert reasons[-1].startswith("1 approved calculations are in no export")
    assert amended


def test_drafts_that_nobody_submitted_are_told_for_three_periods(world: World) -> None:
    world.calculation("E1", 100)
    world.calculation("E2", 200, state=State.DRAFT)
    world.calculation("E3", 0, state=State.DRAFT)
    fire(world, timedelta(hours=1))
    fire(world, timedelta(hours=1))
    assert told(world) == [("2025-01", "high")]
    assert reason_of(world).startswith("1 calculations with an amount were never submitted")
    fire(world, timedelta(days=60))
    before = len(told(world))
    assert before == 2
    fire(world, timedelta(days=30))
    assert len(told(world)) == before


def test_who_payroll_refused_is_told_every_day_and_not_sent_again_by_itself(world: World) -> None:
    world.calculation("E1", 100)
    world.calculation("E2", 200)
    world.client.ledger.reject(["E2"], 1, "no bank account")
    fire(world, timedelta(hours=1))
    for _ in range(48):
        assert fire(world, timedelta(hours=1)) == []
    assert len(told(world)) == 3
    assert set(told(world)) == {("2025-01", "high")}
    assert "1 approved calculations are in no export" in reason_of(world)
    world.export()
    before = len(told(world))
    fire(world, timedelta(days=1))
    assert len(told(world)) == before


def test_an_export_that_stands_still_is_critical_after_25_hours(world: World) -> None:
    world.calculation("E1", 100)
    world.client.change = lambda answer: answer | {"recordsAccepted": 7}
    [export_id] = fire(world, timedelta(hours=1))
    fire(world, timedelta(hours=20))
    assert told(world) == []
    fire(world, timedelta(hours=5))
    assert told(world) == [("2025-01", "critical")]
    assert reason_of(world) == f"export {export_id} is Stopped, its next step is Verify"


def test_a_period_without_any_calculation_is_told_and_never_critical(world: World) -> None:
    """Perhaps nothing was calculated by mistake; a hub that is new has no incentives at all."""
    fire(world, timedelta(hours=2))
    assert told(world) == []
    fire(world, timedelta(hours=24))
    assert told(world) == [("2025-01", "high")]


def test_another_trouble_on_the_same_day_is_told_too(world: World) -> None:
    """What the first export left behind was told in the morning; the delta leaves somebody behind as well."""
    world.calculation("E1", 100)
    world.client.ledger.reject(["E1"], 5, "no bank account")
    fire(world, timedelta(hours=1))
    for _ in range(2):
        fire(world, timedelta(hours=1))
        assert len(told(world)) == 1
    world.export()
    for _ in range(2):
        fire(world, timedelta(hours=1))
        assert len(told(world)) == 2
