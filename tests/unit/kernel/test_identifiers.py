"""What a UUIDv7 tells, and the key under which the newest comes first."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.kernel.identifiers import newest_first, time_of

MILLISECONDS = st.integers(0, 253_402_300_799_000)


def uuid7(milliseconds: int, rest: int = 0) -> str:
    """Return the UUIDv7 of an instant."""
    return str(UUID(int=milliseconds << 80 | 7 << 76 | 0b10 << 62 | rest))


def test_the_time_is_inside() -> None:
    assert time_of("017f22e2-79b0-7cc3-98c4-dc0c0c07398f") == datetime(2022, 2, 22, 19, 22, 22, tzinfo=UTC)  # RFC 9562


@given(MILLISECONDS, MILLISECONDS, st.integers(0, 2**62 - 1))
def test_the_newest_sorts_first(one: int, other: int, rest: int) -> None:
    first, second = uuid7(one, rest), uuid7(other, rest)
    assert (newest_first(first) < newest_first(second)) == (one > other)
    assert newest_first(first)[-36:] == first


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "0194694e-8c00-4000-8000-000000000000",
        "0194694E-8C00-7000-8000-000000000000",
        "{0194694e-8c00-7000-8000-000000000000}",
        "0194694e8c0070008000000000000000",
    ],
)
def test_what_is_no_uuid7_in_lower_case_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        time_of(text)
    with pytest.raises(ValueError, match=r".+"):
        newest_first(text)
