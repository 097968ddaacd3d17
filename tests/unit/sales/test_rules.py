"""INC-03: the record that breaks each rule, and the message that the operator reads."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.sales.models import RawRecord, Rejection, Sale
from shared.sales.rules import rules_for
from tests.unit.sales.world import BERLIN

RULES = rules_for(date(2025, 1, 15), BERLIN, known_stores=frozenset({"S1", "S2"}))
GOOD: dict[str, Any] = {
    "transactionId": "T1",
    "transactionDate": "2025-01-15T10:00:00+01:00",
    "employeeId": "E1",
    "storeId": "S1",
    "salesAmount": Decimal("129.90"),
    "unitsSold": 2,
    "productCategory": "Shoes",
    "productSku": "SKU-1",
}


def test_a_good_record_becomes_a_sale_in_cents() -> None:
    checked = RULES.check(RawRecord(1, GOOD))
    assert isinstance(checked, Sale)
    assert (checked.amount_minor, checked.units_sold) == (12990, 2)
    assert checked.instant == datetime(2025, 1, 15, 9, tzinfo=UTC)


ODD: dict[str, Any] = {
    "first instant that .NET knows": {"transactionDate": "0001-01-01T00:00:00Z"},
    "first instant, east of Greenwich": {"transactionDate": "0001-01-01T00:00:00+01:00"},
    "last instant": {"transactionDate": "9999-12-31T23:59:59.999-05:00"},
    "half a character": {"productCategory": "\ud800"},
    "units with an underscore": {"unitsSold": "1_0"},
    "units in other digits": {"unitsSold": "\u0663"},
    "all stores": {"storeId": "*"},
}


@pytest.mark.parametrize("zone", [BERLIN, ZoneInfo("America/New_York"), ZoneInfo("Pacific/Kiritimati")], ids=str)
@pytest.mark.parametrize("change", ODD.values(), ids=ODD.keys())
def test_what_no_sale_can_be_is_refused_by_its_field(change: dict[str, Any], zone: ZoneInfo) -> None:
    checked = rules_for(date(2025, 1, 15), zone).check(RawRecord(1, GOOD | change))
    assert isinstance(checked, Rejection)
    assert (checked.reason.value, checked.field) == ("SchemaInvalid", *change)


def test_a_return_that_brings_money_is_refused() -> None:
    """It would raise the sales while its units lower them."""
    back = {"salesAmount": Decimal("50.00"), "unitsSold": 1, "transactionType": "Return"}
    checked = RULES.check(RawRecord(1, GOOD | back))
    assert isinstance(checked, Rejection)
    assert (checked.reason.value, checked.field) == ("PositiveReturn", "salesAmount")


def test_units_that_came_back_are_not_sold() -> None:
    """INC-40: or a per-unit bonus would be paid for them."""
    back = {"salesAmount": Decimal("-129.90"), "unitsSold": 2, "transactionType": "Return"}
    checked = RULES.check(RawRecord(1, GOOD | back))
    assert isinstance(checked, Sale)
    assert (checked.amount_minor, checked.units_sold) == (-12990, -2)


@pytest.mark.parametrize(
    "change",
    [
        {"salesAmount": Decimal("-5.00"), "unitsSold": 0},
        {"salesAmount": Decimal("-5.00"), "transactionType": "Return"},
        {"salesAmount": 129},
        {"salesAmount": "129.90", "unitsSold": "2"},
        {"salesAmount": Decimal("1.2E+2")},
        {"transactionDate": "2025-01-14T23:00:00Z"},
        {"transactionDate": "2025-01-15T22:59:59.999Z"},
        {"productCategory": "", "somethingNew": 1},
        {"productSku": "x" * 40_000},
        {"productCategory": None, "productSku": None, "transactionType": None},
        {"productCategory": ["Shoes"], "productSku": 4711},
    ],
    ids=[
        "return-without-units",
        "return-by-type",
        "whole",
        "text-of-csv",
        "exponent",
        "day-begins",
        "day-ends",
        "extra",
        "long-text",
        "null",
        "no-text",
    ],
)
def test_what_is_unusual_and_right_is_accepted(change: dict[str, Any]) -> None:
    assert isinstance(RULES.check(RawRecord(1, GOOD | change)), Sale)


@pytest.mark.parametrize(
    ("change", "reason", "message"),
    [
        ({"salesAmount": Decimal("12.345")}, "AmountPrecision", "salesAmount: 12.345 has more than two decimals"),
        ({"salesAmount": "abc"}, "SchemaInvalid", "salesAmount: 'abc' is not a number"),
        ({"salesAmount": True}, "SchemaInvalid", "salesAmount: must be a decimal number"),
        ({"salesAmount": 12.34}, "SchemaInvalid", "salesAmount: must be a decimal number"),
        ({"salesAmount": "NaN"}, "SchemaInvalid", "salesAmount: 'NaN' is not an amount of money"),
        (
            {"salesAmount": Decimal("1E+20")},
            "SchemaInvalid",
            "salesAmount: 1E+20 is beyond 10 trillion, which no sale is",
        ),
        ({"unitsSold": -1}, "NegativeUnits", "unitsSold: -1 is negative"),
        ({"unitsSold": Decimal("1.5")}, "SchemaInvalid", "unitsSold: must be a whole number"),
        (
            {"salesAmount": Decimal("-5.00")},
            "NegativeAmount",
            "salesAmount: -5.00 is negative, and the record is not a return",
        ),
        (
            {"transactionDate": "2025-01-15T23:00:00Z"},
            "OutsideBusinessDay",
            "transactionDate: 2025-01-15T23:00:00.000Z is 2025-01-16 in Europe/Berlin, not 2025-01-15",
        ),
        (
            {"transactionDate": "2025-01-15T10:00:00"},
            "SchemaInvalid",
            "transactionDate: must have a UTC offset: 2025-01-31T12:00:00Z",
        ),
        ({"storeId": "S9"}, "UnknownStore", "storeId: 'S9' is not in the list of stores (ERP_KNOWN_STORES)"),
        ({"transactionId": ""}, "SchemaInvalid", "transactionId: must not be empty"),
        ({"employeeId": None}, "SchemaInvalid", "employeeId: must be text"),
    ],
)
def test_a_broken_rule_is_told_in_words(change: dict[str, Any], reason: str, message: str) -> None:
    rejection = RULES.check(RawRecord(1, GOOD | change))
    assert isinstance(rejection, Rejection)
    assert (rejection.reason.value, rejection.message) == (reason, message)


def test_a_missing_field_is_named() -> None:
    record = {name: value for name, value in GOOD.items() if name != "employeeId"}
    rejection = RULES.check(RawRecord(1, record))
    assert isinstance(rejection, Rejection)
    assert (rejection.field, rejection.message) == ("employeeId", "employeeId: is missing")


def test_a_record_of_another_store_than_asked_for_is_refused() -> None:
    rules = rules_for(date(2025, 1, 15), BERLIN, only_store="S2")
    rejection = rules.check(RawRecord(1, GOOD))
    assert isinstance(rejection, Rejection)
    assert rejection.message == "storeId: 'S1' was sent although only 'S2' was asked for"


@pytest.mark.parametrize(
    ("day", "hours"), [(date(2025, 3, 30), 23), (date(2025, 10, 26), 25)], ids=["spring", "autumn"]
)
def test_a_day_of_the_clock_change_has_its_own_length(day: date, hours: int) -> None:
    rules = rules_for(day, BERLIN)
    assert (rules.ends - rules.begins).total_seconds() == hours * 3600


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from([*GOOD, "transactionType", "other"]), anything))
def test_no_record_whatever_is_in_it_stops_the_import(fields: dict[str, Any]) -> None:
    checked = RULES.check(RawRecord(1, GOOD | fields))
    assert isinstance(checked, Sale | Rejection)
