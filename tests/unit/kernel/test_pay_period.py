"""Every day belongs to exactly one pay period, and the name of a period reads back."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.kernel.errors import InvalidRequest
from shared.kernel.pay_period import PayCalendar, begun_period, own_period, parse_period, period_of

CALENDARS = st.sampled_from(list(PayCalendar))
DAYS = st.dates(date(2000, 1, 10), date(2060, 12, 31))


@given(DAYS, CALENDARS)
def test_a_day_belongs_to_its_period_and_to_no_neighbour(day: date, calendar: PayCalendar) -> None:
    period = period_of(day, calendar)
    before = period_of(period.first_day - timedelta(days=1), calendar)
    after = period_of(period.last_day + timedelta(days=1), calendar)
    assert day in period
    assert day not in before
    assert day not in after
    assert before.last_day + timedelta(days=1) == period.first_day
    assert period.last_day + timedelta(days=1) == after.first_day
    assert before < period < after


@given(DAYS, CALENDARS)
def test_all_days_of_a_period_have_the_same_period(day: date, calendar: PayCalendar) -> None:
    period = period_of(day, calendar)
    length = (period.last_day - period.first_day).days + 1
    assert {period_of(period.first_day + timedelta(days=offset), calendar) for offset in range(length)} == {period}


@given(DAYS, CALENDARS)
def test_a_name_reads_back(day: date, calendar: PayCalendar) -> None:
    period = period_of(day, calendar)
    assert parse_period(period.name) == period


@pytest.mark.parametrize(
    ("day", "calendar", "name", "first", "last"),
    [
        (date(2025, 1, 15), PayCalendar.MONTH, "2025-01", date(2025, 1, 1), date(2025, 1, 31)),
        (date(2024, 2, 29), PayCalendar.MONTH, "2024-02", date(2024, 2, 1), date(2024, 2, 29)),
        (date(2025, 12, 31), PayCalendar.MONTH, "2025-12", date(2025, 12, 1), date(2025, 12, 31)),
        (date(2025, 1, 15), PayCalendar.TWO_WEEKS, "2025-W03", date(2025, 1, 13), date(2025, 1, 26)),
        (date(2024, 12, 30), PayCalendar.TWO_WEEKS, "2025-W01", date(2024, 12, 30), date(2025, 1, 12)),
        (date(2026, 12, 31), PayCalendar.TWO_WEEKS, "2026-W53", date(2026, 12, 28), date(2027, 1, 3)),
        (date(2027, 1, 4), PayCalendar.TWO_WEEKS, "2027-W01", date(2027, 1, 4), date(2027, 1, 17)),
    ],
)
def test_known_periods(day: date, calendar: PayCalendar, name: str, first: date, last: date) -> None:
    period = period_of(day, calendar)
    assert (period.name, period.first_day, period.last_day) == (name, first, last)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "2025",
        "2025-1",
        "2025-00",
        "2025-13",
        "2025-W02",
        "2025-W54",
        "2025-W55",
        "2025-W53",
        "2025-W00",
        "x2025-01",
        "1999-12",
        "9999-12",
        "0001-01",
        "\uff12025-01",
    ],
)
def test_a_name_that_names_no_period_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_period(name)


@pytest.mark.parametrize(
    ("name", "calendar", "reason"),
    [
        (
            "2025-W03",
            PayCalendar.MONTH,
            "period: 2025-W03 is of another pay calendar (PAY_CALENDAR), here it is 2025-01",
        ),
        (
            "2025-01",
            PayCalendar.TWO_WEEKS,
            "period: 2025-01 is of another pay calendar (PAY_CALENDAR), here it is 2025-W01",
        ),
        ("January", PayCalendar.MONTH, "period: 'January' is no pay period: write 2025-01 or 2025-W03"),
        ("2025-03", PayCalendar.MONTH, "period: 2025-03 has not begun: its first day is 2025-03-01"),
        ("2031-07", PayCalendar.MONTH, "period: 2031-07 has not begun: its first day is 2031-07-01"),
    ],
)
def test_what_is_paid_is_a_period_of_our_calendar_that_has_begun(name: str, calendar: PayCalendar, reason: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        begun_period(name, calendar, datetime(2025, 2, 28, 9, 59, tzinfo=UTC))
    assert refused.value.message == reason
    assert [one.field for one in refused.value.details] == ["period"]


def test_a_period_begins_with_the_day_of_the_first_time_zone() -> None:
    assert begun_period("2025-03", PayCalendar.MONTH, datetime(2025, 2, 28, 10, tzinfo=UTC)).name == "2025-03"
    assert own_period("2031-07", PayCalendar.MONTH).name == "2031-07"
