"""Preconditions by RFC 9110, 13.1: lists, `*`, weak and strong tags."""

import pytest

from shared.kernel.entity_tags import ANY, Preconditions

TAG = 'W/"7"'


@pytest.mark.parametrize(
    ("header", "named"),
    [
        ('W/"7"', True),
        ('"7"', True),
        ("*", True),
        (" * ", True),
        ('"6", W/"7"', True),
        ('W/"6",W/"7" , "8"', True),
        (', "7",', True),
        ('"a,b", "7"', True),
        ('"6"', False),
        ('"6,7"', False),
        ("7", False),
        ('w/"7"', False),
        ('"7" "8"', False),
        ('"7", *', False),
        ("", False),
        (",", False),
    ],
)
def test_what_a_header_names(header: str, named: bool) -> None:
    assert Preconditions(if_match=header).allow_change(TAG) is named
    assert Preconditions(if_none_match=header).is_known(TAG) is named


@pytest.mark.parametrize(
    ("header", "allowed"),
    [('"6"', True), ('"6", "8"', True), ('W/"7"', False), ("*", False), ("7", False), ("", False)],
)
def test_a_change_of_what_is_not_expected_to_be_there_is_not_allowed(header: str, allowed: bool) -> None:
    assert Preconditions(if_none_match=header).allow_change(TAG) is allowed


def test_without_a_header_everything_may_be_changed_and_nothing_is_known() -> None:
    assert ANY.allow_change(TAG)
    assert not ANY.is_known(TAG)
    assert not Preconditions(if_match='"7"').is_known(TAG)


def test_a_long_header_that_is_no_list_is_refused_at_once() -> None:
    assert not Preconditions(if_match='"a",' * 20_000 + "x").allow_change(TAG)
