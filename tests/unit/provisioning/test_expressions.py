"""INC-33: filters."""

import pytest

from shared.provisioning.attributes import USER
from shared.provisioning.expressions import matches, read_filter
from shared.provisioning.refusal import ScimRefused

ADA = {
    "id": "u1",
    "externalId": "Ext-1",
    "userName": "Ada@example.com",
    "active": True,
    "emails": [{"type": "work", "value": "a@example.com"}, {"type": "home", "value": "h@example.com"}],
}


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ('userName eq "ada@EXAMPLE.com"', True),
        ('username EQ "ada@example.com" and active eq true', True),
        ('userName eq "ada@example.com" and active eq false', False),
        ('active eq "True"', True),
        ('externalId eq "ext-1"', False),
        ('id eq "u1"', True),
        ('emails.value eq "h@example.com"', True),
        ('emails[type eq "work"].value eq "h@example.com"', False),
        ('emails[type eq "home"].value eq "h@example.com"', True),
        ('displayName eq "x"', False),
        ('userName eq "a \\" and active eq \\"b"', False),
    ],
)
def test_a_filter_finds_what_it_describes(text: str, fits: bool) -> None:
    assert matches(read_filter(USER, text), ADA) is fits


@pytest.mark.parametrize(
    "text",
    [
        "",
        "userName",
        'userName co "a"',
        'a eq "b" or c eq "d"',
        'shoeSize eq "1"',
        'userName eq "a" and',
        "name eq true",
    ],
)
def test_what_is_not_supported_is_refused(text: str) -> None:
    with pytest.raises(ScimRefused) as refused:
        read_filter(USER, text)
    assert (refused.value.status, refused.value.scim_type) == (400, "invalidFilter")
