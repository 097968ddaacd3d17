"""Any outside identifier can be part of a table key."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from shared.kernel.keys import MAX_KEY_CHARACTERS, end_of_prefix, join_key, span_of, split_key, storage_order

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


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
AT_A_BORDER = st.sampled_from(["\ud7ff", "\U00010000", "\U0001f600", "\U0010ffff", "\ue000", "\uffff", "|", "z"])


@given(TEXT | AT_A_BORDER, TEXT, AT_A_BORDER | st.just(""))
def test_a_prefix_scan_takes_all_that_begins_with_the_prefix_and_nothing_else(
    start: str, other: str, last: str
) -> None:
    prefix = f"p{start}{last}"
    before = storage_order(end_of_prefix(prefix))
    assert storage_order(prefix) < before
    for key in (
        prefix + other,
        prefix + last + other,
        prefix + "\uffff" + other,
        other,
        f"p{other}",
        f"p{start}{other}",
    ):
        inside = storage_order(prefix) <= storage_order(key) < before
        assert inside == key.startswith(prefix)


@pytest.mark.parametrize("prefix", ["", "\uffff"])
def test_a_prefix_that_nothing_can_follow_bounds_no_scan(prefix: str) -> None:
    with pytest.raises(ValueError, match="something can follow"):
        end_of_prefix(prefix)


@given(st.lists(TEXT | AT_A_BORDER, min_size=1, max_size=8))
def test_a_span_holds_all_of_its_keys(keys: list[str]) -> None:
    first, before = span_of(keys)
    assert all(storage_order(first) <= storage_order(key) < storage_order(before) for key in keys)


def test_a_key_that_is_too_long_is_refused() -> None:
    assert len(join_key("x" * MAX_KEY_CHARACTERS)) == MAX_KEY_CHARACTERS
    for part in ("x" * (MAX_KEY_CHARACTERS + 1), "/" * 200, "€" * 400):
        with pytest.raises(ValueError, match="longer than"):
            join_key(part)
