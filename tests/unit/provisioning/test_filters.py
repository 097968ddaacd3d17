"""INC-33: filters of RFC 7644, 3.4.2.2, and what is said of bad ones."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.provisioning.attributes import ENTERPRISE_SCHEMA, GROUP, USER, USER_SCHEMA, Kind
from shared.provisioning.conditions import Comparison, equalities
from shared.provisioning.filters import MAX_CHARACTERS, MAX_DEPTH, read_filter
from shared.provisioning.refusal import ScimRefused

ADA: dict[str, Any] = {
    "id": "u1",
    "schemas": [USER_SCHEMA, ENTERPRISE_SCHEMA],
    "meta": {"resourceType": "User", "lastModified": "2025-01-20T10:00:00.000Z"},
    "externalId": "Ext-1",
    "userName": "Ada@example.com",
    "title": "",
    "active": True,
    "name": {"familyName": "Lovelace"},
    "emails": [
        {"type": "work", "value": "a@example.com", "primary": True},
        {"type": "home", "value": "h@example.org"},
    ],
    ENTERPRISE_SCHEMA: {"department": "Shoes", "manager": {"value": "u9"}},
}
TEAM: dict[str, Any] = {"id": "g1", "displayName": "Team", "members": [{"value": "u1"}, {"value": "u2"}]}

MATCHES = [
    # One operator after the other.
    ('userName eq "ada@EXAMPLE.com"', True),
    ('userName ne "ada@EXAMPLE.com"', False),
    ('userName ne "bob"', True),
    ('userName co "EXAMPLE"', True),
    ('userName co "bob"', False),
    ('userName sw "ada@"', True),
    ('userName sw "da@"', False),
    ('userName ew ".COM"', True),
    ('userName ew ".org"', False),
    ("userName pr", True),
    ("nickName pr", False),
    ("title pr", False),
    ("name pr", True),
    ("emails pr", True),
    ("addresses pr", False),
    ('name.familyName gt "LOVE"', True),
    ('name.familyName gt "lovelace"', False),
    ('name.familyName ge "LOVELACE"', True),
    ('name.familyName lt "M"', True),
    ('name.familyName le "lovelace"', True),
    ('name.familyName lt "lovelace"', False),
    # Case, of names, operators and values.
    ('USERNAME EQ "ADA@example.com"', True),
    ('externalId eq "ext-1"', False),
    ('externalId eq "Ext-1"', True),
    ('id eq "U1"', False),
    ("ACTIVE eq TRUE AND userName PR", True),
    # Types.
    ("active eq true", True),
    ("active ne true", False),
    ('active eq "True"', True),
    ("active eq false", False),
    ('meta.lastModified gt "2025-01-20T09:59:59Z"', True),
    ('meta.lastModified lt "2025-01-20T10:30:00+01:00"', False),
    ('meta.lastModified le "2025-01-20T11:00:00+01:00"', True),
    ('meta.resourceType eq "User"', True),
    (f'schemas eq "{ENTERPRISE_SCHEMA}"', True),
    # No value.
    ("nickName eq null", True),
    ("nickName ne null", False),
    ("userName eq null", False),
    ("userName ne null", True),
    ('nickName ne "x"', True),
    ('nickName eq "x"', False),
    ('nickName gt "x"', False),
    # Joined: `and` binds more than `or`, `not` more than both.
    ('userName eq "x" or active eq true', True),
    ('userName eq "x" and active eq true', False),
    ('active eq true or userName eq "x" and userName eq "y"', True),
    ('(active eq true or userName eq "x") and userName eq "y"', False),
    ('not (userName eq "x")', True),
    ('not (userName eq "x") and active eq false', False),
    ('not (userName eq "x" or active eq true)', False),
    ("((active eq true))", True),
    # Several values.
    ('emails.value eq "h@example.org"', True),
    ('emails eq "h@example.org"', True),
    ('emails co "example.com"', True),
    ('emails.type ne "work"', True),
    ('emails[type eq "work"].value eq "h@example.org"', False),
    ('emails[type eq "home"].value eq "h@example.org"', True),
    ('emails[type eq "work" and value co "@example.com"]', True),
    ('emails[type eq "home" and value co "@example.com"]', False),
    ('emails[not (type eq "work")]', True),
    ('emails[type eq "other" or primary eq true].value sw "a@"', True),
    ('emails[primary eq "True"].Value eq "a@example.com"', True),
    ('userName sw "ada" and emails[type eq "work"]', True),
    # The extension.
    (f'{ENTERPRISE_SCHEMA}:department eq "shoes"', True),
    (f"{ENTERPRISE_SCHEMA}:manager pr", True),
    (f'{ENTERPRISE_SCHEMA}:manager.value eq "u9"', True),
    ('manager eq "u9"', True),
    (f'{USER_SCHEMA}:userName eq "ada@example.com"', True),
    # What is text is no operator.
    ('userName eq "a \\" and active eq \\"b"', False),
    ('userName eq "x) or (active eq true"', False),
]


@pytest.mark.parametrize(("text", "fits"), MATCHES, ids=[text for text, _ in MATCHES])
def test_a_filter_finds_what_it_describes(text: str, fits: bool) -> None:
    assert read_filter(USER, text).met_by(ADA) is fits


def test_entra_id_asks_whether_somebody_is_a_member() -> None:
    assert read_filter(GROUP, 'id eq "g1" and members eq "u2"').met_by(TEAM)
    assert not read_filter(GROUP, 'id eq "g1" and members eq "u3"').met_by(TEAM)


REFUSED = [
    (USER, "", "an attribute is missing"),
    (USER, "userName", "an operator after userName is missing"),
    (USER, "userName eq", "after userName eq a text"),
    (USER, "userName eq ada", "after userName eq a text"),
    (USER, "userName eq 5", "after userName eq a text"),
    (USER, 'userName eq "a', "does not end"),
    (USER, 'userName eq "\\q"', "is not one of JSON"),
    (USER, 'userName like "a"', "'like' is no operator"),
    (USER, 'shoeSize eq "1"', "there is no attribute 'shoeSize'"),
    (USER, 'name.shoeSize eq "1"', "there is no attribute 'name.shoeSize'"),
    (USER, 'urn:example:User:x eq "1"', "there is no attribute 'urn:example:User:x'"),
    (GROUP, 'userName eq "a"', "there is no attribute 'userName'"),
    (USER, 'userName eq "a" and', "an attribute is missing"),
    (USER, 'userName eq "a" userName eq "b"', "'userName' was not expected"),
    (USER, '(userName eq "a"', "')' is missing"),
    (USER, 'userName eq "a")', "')' was not expected"),
    (USER, 'not userName eq "a"', "'(' is missing"),
    (USER, "name eq true", "name has no value to compare"),
    (USER, 'addresses co "a"', "addresses has no value to compare"),
    (USER, 'active eq "perhaps"', "active is a boolean"),
    (USER, "userName eq true", "userName is a string"),
    (USER, "active gt true", "active cannot be compared by gt"),
    (USER, "userName gt null", "userName cannot be compared by gt"),
    (USER, 'meta.created co "2025"', "created cannot be compared by co"),
    (USER, 'meta.created gt "yesterday"', "created must be ISO 8601"),
    (USER, 'emails[type eq "work"', "']' is missing"),
    (USER, 'emails[size eq "work"]', "emails has no part 'size'"),
    (USER, 'emails[type eq "work"].size eq "x"', "emails has no part 'size'"),
    (USER, 'emails[type eq "work"].value', "an operator after value is missing"),
    (USER, 'name[familyName eq "x"]', "name has no values to choose from"),
    (USER, "(" * (MAX_DEPTH + 1), f"more than {MAX_DEPTH} parentheses"),
    (USER, "(" * MAX_CHARACTERS + ")", "characters are more than"),
]


@pytest.mark.parametrize(("kind", "text", "says"), REFUSED, ids=[text[:60] or "nothing" for _, text, _ in REFUSED])
def test_a_bad_filter_is_refused_with_what_is_wrong(kind: Kind, text: str, says: str) -> None:
    with pytest.raises(ScimRefused) as refused:
        read_filter(kind, text)
    assert (refused.value.status, refused.value.scim_type) == (400, "invalidFilter")
    assert says in refused.value.message


@given(st.text(max_size=60) | st.text(alphabet='()[]". eqandornotpru1', max_size=60))
def test_every_text_is_a_filter_or_is_refused(text: str) -> None:
    found = None
    with suppress(ScimRefused):
        found = read_filter(USER, text)
    assert found is None or found.met_by(ADA) in (True, False)


ATOMS = [('userName eq "x"', False), ("active eq true", True), ('emails[type eq "home"]', True), ("nickName pr", False)]
TREES = st.recursive(
    st.sampled_from(ATOMS),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda two: (f"({two[0][0]}) and ({two[1][0]})", two[0][1] and two[1][1])),
        st.tuples(inner, inner).map(lambda two: (f"({two[0][0]}) or ({two[1][0]})", two[0][1] or two[1][1])),
        inner.map(lambda one: (f"not ({one[0]})", not one[1])),
    ),
    max_leaves=12,
)


@given(TREES)
def test_joined_conditions_mean_what_they_mean_in_logic(tree: tuple[str, bool]) -> None:
    assert read_filter(USER, tree[0]).met_by(ADA) is tree[1]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('userName eq "a"', ["userName"]),
        ('title pr and (externalId eq "a" and id eq "b")', ["externalId", "id"]),
        ('userName eq "a" or id eq "b"', []),
        ('not (userName eq "a")', []),
        ('userName sw "a"', []),
    ],
)
def test_only_what_must_hold_is_looked_up(text: str, names: list[str]) -> None:
    found: list[Comparison] = list(equalities(read_filter(USER, text)))
    assert [one.attribute.name for one in found] == names
