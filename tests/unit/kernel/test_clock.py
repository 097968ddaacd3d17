"""Instants and business days, over the days on which clocks change."""

from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.kernel.clock import business_day, day_bounds, from_iso, to_iso, utc_now

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Kiritimati"]).map(
    ZoneInfo
)
DAYS = st.dates(date(1990, 1, 1), date(2040, 12, 31))


@pytest.mark.parametrize(
    ("day", "hours"),
    [(date(2025, 1, 15), 24), (date(2025, 3, 30), 23), (date(2025, 10, 26), 25)],
    ids=["ordinary", "spring forward", "fall back"],
)
def test_a_business_day_has_23_to_25_hours(day: date, hours: int) -> None:
    begin, end = day_bounds(day, BERLIN)
    assert end - begin == timedelta(hours=hours)
    assert begin.utcoffset() == end.utcoffset() == timedelta(0)


def test_midnight_in_berlin_belongs_to_the_next_day() -> None:
    assert business_day(datetime(2025, 1, 14, 23, tzinfo=UTC), BERLIN) == date(2025, 1, 15)
    assert business_day(datetime(2025, 1, 14, 22, 59, 59, tzinfo=UTC), BERLIN) == date(2025, 1, 14)


@given(DAYS, ZONES)
def test_days_follow_each_other_without_gap(day: date, zone: ZoneInfo) -> None:
    begin, end = day_bounds(day, zone)
    assert end == day_bounds(day + timedelta(days=1), zone)[0]
    assert business_day(begin, zone) == day
    assert business_day(end - timedelta(microseconds=1), zone) == day
    assert business_day(end, zone) == day + timedelta(days=1)


def test_iso_text_is_utc_with_milliseconds() -> None:
    two_hours_east = timezone(timedelta(hours=2))
    assert to_iso(datetime(2025, 1, 15, 3, 0, 0, 999999, two_hours_east)) == "2025-01-15T01:00:00.999Z"


@given(st.datetimes(timezones=st.just(UTC)))
def test_iso_text_reads_back(instant: datetime) -> None:
    assert from_iso(to_iso(instant)) == instant.replace(microsecond=instant.microsecond // 1000 * 1000)


@pytest.mark.parametrize("text", ["", "yesterday", "2025-01-15", "2025-01-15T01:00:00", "2025-13-01T00:00:00Z"])
def test_an_instant_without_offset_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        from_iso(text)


def test_now_is_aware() -> None:
    assert utc_now().utcoffset() == timedelta(0)
