"""A content of any length stands in the cells of a row, and comes back as it was."""

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.kernel.long_cells import long_cells, read_long_cells
from tests.fakes.tables import MemoryTables

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
)


@given(JSON)
def test_what_was_put_in_comes_out(content: Any) -> None:
    assert read_long_cells("days", long_cells("days", content) | {"other": 1}) == content


@pytest.mark.parametrize("size", [0, 13_998, 13_999, 60_000, 300_000])
@pytest.mark.parametrize("letter", ["a", "\u00fc", "\U0001f600"])
def test_what_hardly_compresses_is_stored_in_as_many_cells_as_it_takes(size: int, letter: str) -> None:
    content = letter * 10 + Random(size).randbytes(size).hex()
    table = MemoryTables().table("Any")
    table.insert("p", "k", long_cells("days", content))
    row = table.get("p", "k")
    assert row is not None
    assert read_long_cells("days", row.values) == content


def test_a_shorter_content_leaves_nothing_of_a_longer_one() -> None:
    table = MemoryTables().table("Any")
    table.insert("p", "k", long_cells("days", Random(1).randbytes(200_000).hex()))
    row = table.get("p", "k")
    assert row is not None
    table.replace(row, long_cells("days", "short"))
    row = table.get("p", "k")
    assert row is not None
    assert row.values == {"days": '"short"'}


def test_what_no_row_can_hold_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="days: "):
        long_cells("days", Random(1).randbytes(1_000_000).hex())
