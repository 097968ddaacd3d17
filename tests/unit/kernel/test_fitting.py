"""Outside text where only some of it fits."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.kernel.fitting import MAX_MESSAGE_ID, fitting, shortened
from shared.kernel.keys import join_key


@pytest.mark.parametrize("text", ["x", "calculations-inbox-plain 2.csv", "%2F", "a/b?c#d", "~" * 150])
def test_what_fits_stays_as_it_is(text: str) -> None:
    assert fitting(text, MAX_MESSAGE_ID) == text


@given(st.text(), st.text())
def test_whatever_it_is_it_fits_and_stays_different(one: str, other: str) -> None:
    found = fitting(one, MAX_MESSAGE_ID)
    assert re.fullmatch(r"[\x20-\x7e]{1,150}", found)
    assert (found == fitting(other, MAX_MESSAGE_ID)) == (one == other)
    join_key(found, "0" * 32)


def test_what_does_not_fit_can_still_be_recognised() -> None:
    found = fitting("calculations-inbox-Pr\u00e4mien M\u00e4rz.csv", 150)
    assert found.startswith("calculations-inbox-Pr-mien-M-rz.csv~")
    assert fitting("\ud800", 150).startswith("~")
    assert shortened("\u00e4" * 100, 100) == "\u00e4" * 100
    assert len(shortened("\u00e4" * 101, 100)) == 100
