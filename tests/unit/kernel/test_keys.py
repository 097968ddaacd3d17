"""Any outside identifier can be part of a table key."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from shared.kernel.keys import AFTER, MAX_KEY_CHARACTERS, join_key, split_key

PARTS = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=30), min_size=1, max_size=4)


@given(PARTS)
def test_parts_come_back(parts: list[str]) -> None:
    assert split_key(join_key(*parts)) == parts


@given(PARTS, PARTS)
def test_different_parts_make_different_keys(one: list[str], other: list[str]) -> None:
    assume(one != other)
    assert join_key(*one) != join_key(*other)


@given(PARTS)
def test_a_key_holds_nothing_that_azure_forbids(parts: list[str]) -> None:
    key = join_key(*parts)
    assert not set(key) & set("/\\#?")
    assert not any(ord(character) < 32 or 127 <= ord(character) < 160 for character in key)
    assert key.count("|") == len(parts) - 1


@given(PARTS, st.text(st.characters(exclude_categories=["Cs"], max_codepoint=0xFFFE), max_size=20))
def test_a_prefix_scan_takes_all_that_begins_with_the_prefix(parts: list[str], last: str) -> None:
    prefix = join_key(*parts, "")
    key = join_key(*parts, last)
    units = [text.encode("utf-16-be") for text in (prefix, key, prefix + AFTER)]
    assert units[0] <= units[1] < units[2]


def test_a_key_that_is_too_long_is_refused() -> None:
    assert len(join_key("x" * MAX_KEY_CHARACTERS)) == MAX_KEY_CHARACTERS
    for part in ("x" * (MAX_KEY_CHARACTERS + 1), "/" * 200, "€" * 400):
        with pytest.raises(ValueError, match="longer than"):
            join_key(part)
