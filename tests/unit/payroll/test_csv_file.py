"""INC-54: the CSV is read back by Python's csv as it was meant, and no spreadsheet runs what a person is called."""

import csv
import io
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.payroll.csv_file import HEADER, csv_content, neutral
from shared.payroll.records import PayRecord

RECORD = PayRecord("E1", "1001", "Ann", "Lee", 123_456, "INCENT", ("C1", "C2"), date(2025, 1, 31))
STARTS = ["=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20"]
names = st.text(max_size=30) | st.builds(
    str.__add__, st.sampled_from([*STARTS, " =", "  @", '"', ",", ";", "'"]), st.text(max_size=10)
)


def rows(*records: PayRecord) -> list[list[str]]:
    content = csv_content(records, "2025-01", "2025-02-05")
    return list(csv.reader(io.StringIO(content.decode(), newline=""), strict=True))


def test_the_bytes() -> None:
    content = csv_content([RECORD, replace(RECORD, amount_minor=-5, calculation_ids=("C3",))], "2025-01", "2025-02-05")
    assert content == (
        b"EmployeeNumber,FirstName,LastName,IncentiveAmount,EarningsCode,PayPeriod,CalculationIds,ExportDate\r\n"
        b'1001,Ann,Lee,1234.56,INCENT,2025-01,"C1,C2",2025-02-05\r\n'
        b"1001,Ann,Lee,-0.05,INCENT,2025-01,C3,2025-02-05\r\n"
    )


@pytest.mark.parametrize(
    "name",
    ["Lee, Ann", 'Ann "Annie"', "Ann\nLee", "Ann\r\nLee", "Äöü ß", "李", "O'Neil", "a;b|c\td", "", "  "],
    ids=["comma", "quote", "newline", "CRLF", "umlauts", "Chinese", "apostrophe", "other separators", "empty", "blank"],
)
def test_a_name_is_read_back_as_it_is(name: str) -> None:
    [_, row] = rows(replace(RECORD, last_name=name))
    assert row[2] == name


@pytest.mark.parametrize("start", [*STARTS, " =", "   +"], ids=ascii)
def test_what_a_spreadsheet_would_run_gets_an_apostrophe(start: str) -> None:
    name = f"{start}HYPERLINK(1)"
    assert neutral(name) == f"'{name}"
    [_, row] = rows(replace(RECORD, employee_number=name, first_name=name, last_name=name, earnings_code=name))
    assert [row[0], row[1], row[2], row[4]] == [f"'{name}"] * 4


def test_a_negative_amount_is_a_number_and_stays_one() -> None:
    [_, row] = rows(replace(RECORD, amount_minor=-123))
    assert row[3] == "-1.23"


@given(names, names, names, st.integers(-(10**11), 10**11), st.lists(st.uuids().map(str), min_size=1, max_size=5))
@example("=1+1", 'Ann, "Jr"\r\n', "\uff1dcmd|' /C calc'!A0", -5, ["C1"])
def test_everything_is_read_back(number: str, first: str, last: str, cents: int, ids: list[str]) -> None:
    record = replace(
        RECORD,
        employee_number=number,
        first_name=first,
        last_name=last,
        amount_minor=cents or 1,
        calculation_ids=tuple(ids),
    )
    header, row = rows(record)
    assert tuple(header) == HEADER
    read = dict(zip(header, row, strict=True))
    for name, meant in (("EmployeeNumber", number), ("FirstName", first), ("LastName", last)):
        assert read[name] in (meant, f"'{meant}")
        assert not read[name].lstrip(" ").startswith(tuple(STARTS))
    assert int(read["IncentiveAmount"].replace(".", "")) == (cents or 1)
    assert read["CalculationIds"].split(",") == ids


def test_who_is_paid_nothing_is_left_out() -> None:
    assert rows(replace(RECORD, amount_minor=0)) == [list(HEADER)]
