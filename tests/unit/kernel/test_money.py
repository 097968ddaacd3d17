"""Money is exact, or refused."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.kernel.money import amount_text, from_minor, parse_amount, to_minor

MINOR = st.integers(-(2**63), 2**63 - 1)


@given(MINOR)
def test_minor_units_survive_the_round_trip(minor: int) -> None:
    assert to_minor(from_minor(minor)) == minor
    assert to_minor(parse_amount(amount_text(minor))) == minor


@given(MINOR)
def test_text_has_two_decimals_and_no_exponent(minor: int) -> None:
    whole, _, cents = amount_text(minor).partition(".")
    assert len(cents) == 2
    assert whole.lstrip("-").isdigit()


@given(st.lists(MINOR, max_size=50))
def test_a_sum_of_decimals_is_the_sum_of_minor_units(amounts: list[int]) -> None:
    assert to_minor(sum(map(from_minor, amounts), Decimal(0))) == sum(amounts)


@pytest.mark.parametrize(
    ("text", "minor"), [("0", 0), ("12.3", 1230), ("-12.34", -1234), ("1E+2", 10000), ("0.10", 10), ("1.500", 150)]
)
def test_amounts_are_read(text: str, minor: int) -> None:
    assert to_minor(parse_amount(text)) == minor


@pytest.mark.parametrize(
    "text",
    [
        "",
        "abc",
        "1,50",
        "NaN",
        "sNaN",
        "Infinity",
        "-inf",
        "1.2.3",
        "0x10",
        "1_0",
        "\u0661\u0662",
        "1E+999999",
        "1E-99",
    ],
)
def test_text_that_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a"):
        parse_amount(text)


@pytest.mark.parametrize("amount", ["0.001", "12.345", "-0.009", "NaN", "Infinity"])
def test_what_is_no_whole_number_of_cents_is_refused(amount: str) -> None:
    with pytest.raises(ValueError, match=r"more than two decimals|not an amount"):
        to_minor(Decimal(amount))
