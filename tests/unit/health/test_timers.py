"""INC-72, INC-73: when a timer is due, and when it is missing."""

import logging
from datetime import UTC, datetime, timedelta

import pytest
from croniter import croniter
from hypothesis import given
from hypothesis import strategies as st

from functions import scheduled
from functions.timers import WORK
from shared.health.timers import TIMERS, missing_timers, probe_timers, tell_missing
from shared.kernel.timer import EARLY, Heartbeat, Timer

NOON = datetime(2025, 1, 15, 12, 0, tzinfo=UTC)
HALF_PAST = NOON + timedelta(seconds=31)
by_name = {timer.name: timer for timer in TIMERS}
every_timer = pytest.mark.parametrize("timer", TIMERS, ids=lambda timer: timer.name)


@every_timer
@given(now=st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_the_arithmetic_of_a_timer_says_what_its_schedule_says(timer: Timer, now: datetime) -> None:
    schedule = croniter(timer.schedule, now + EARLY + timedelta(microseconds=1), second_at_beginning=True)
    assert timer.due(now) == schedule.get_prev(datetime)
    assert timer.due(now) + timer.every == croniter(timer.schedule, timer.due(now), second_at_beginning=True).get_next(
        datetime
    )


@every_timer
def test_every_timer_has_its_work(timer: Timer) -> None:
    assert callable(getattr(scheduled, WORK[timer.name]))
    assert timedelta(0) < timer.grace <= timedelta(hours=1)


@pytest.mark.parametrize(
    ("early", "day"), [(9, 15), (11, 14)], ids=["a clock that is ahead: today's run", "yesterday's run, by hand"]
)
def test_a_run_that_begins_a_little_early_is_that_of_the_coming_due_time(early: int, day: int) -> None:
    timer = by_name["ImportErpSalesData"]
    assert timer.due(datetime(2025, 1, 15, 1, tzinfo=UTC) - timedelta(seconds=early)).day == day


@pytest.mark.parametrize(
    ("beat", "now", "missing"),
    [
        (Heartbeat("SyncEmployees", NOON), NOON + timedelta(hours=15, minutes=59), False),
        (Heartbeat("SyncEmployees", NOON), NOON + timedelta(hours=16, minutes=1), True),
        (
            Heartbeat("WatchImports", NOON, succeeded_at=HALF_PAST),
            NOON + timedelta(minutes=15),
            False,
        ),
        (
            Heartbeat("WatchImports", NOON, succeeded_at=HALF_PAST),
            NOON + timedelta(minutes=16),
            True,
        ),
        (Heartbeat("MeasureHub", NOON, succeeded_at=NOON - timedelta(days=9)), NOON + timedelta(minutes=5), False),
    ],
    ids=["before its first due time and grace", "never succeeded", "in time", "late", "expected anew by a deployment"],
)
def test_a_timer_is_missing_after_its_interval_and_grace(beat: Heartbeat, now: datetime, missing: bool) -> None:
    assert missing_timers([beat], now) == ([beat.name] if missing else [])


def test_health_and_the_log_name_the_timer_that_is_missing(caplog: pytest.LogCaptureFixture) -> None:
    beats = [Heartbeat("MeasureHub", NOON), Heartbeat("SyncEmployees", NOON)]
    later = NOON + timedelta(hours=1)
    assert probe_timers(beats, later) == "no success in time: MeasureHub"
    assert probe_timers(beats, NOON) is None
    with caplog.at_level(logging.ERROR):
        tell_missing(beats, later)
    (line,) = caplog.records
    assert (line.__dict__["alert"], line.__dict__["timer"]) == ("high", "MeasureHub")
