"""INC-33: whatever a client sends is read as the schema says, or refused in SCIM's words."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.provisioning.attributes import ENTERPRISE_SCHEMA, GROUP, USER, Kind
from shared.provisioning.patch import patched
from shared.provisioning.reading import read_json, read_resource
from shared.provisioning.refusal import ScimRefused

READ: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "names in any case": ({"USERNAME": "a", "Name": {"familyname": "b"}}, {"name": {"familyName": "b"}}),
    "the server's and unknown attributes": (
        {"id": "x", "meta": {}, "schemas": ["x"], "password": "p", "shoeSize": 44, "urn:example:x": {"a": "b"}},
        {},
    ),
    "null and nothing": ({"title": None, "emails": [], "name": {}, "roles": None, "addresses": [{}]}, {}),
    "boolean as text": (
        {"active": "True", "emails": [{"value": "a", "primary": "false"}]},
        {"active": True, "emails": [{"value": "a", "primary": False}]},
    ),
    "values as text": (
        {"roles": ["Admin", ""], "emails": "a@example.com"},
        {"roles": [{"value": "Admin"}], "emails": [{"value": "a@example.com"}]},
    ),
    "a value that comes twice": (
        {
            "emails": [
                {"value": "a", "type": "work"},
                {"value": "a", "type": "home"},
                {"value": "a", "type": "work", "display": "x"},
            ]
        },
        {"emails": [{"value": "a", "type": "home"}, {"value": "a", "type": "work", "display": "x"}]},
    ),
    "two that are primary": (
        {"emails": [{"value": "a", "primary": True}, {"value": "b", "primary": True}]},
        {"emails": [{"value": "a", "primary": False}, {"value": "b", "primary": True}]},
    ),
    "extension": (
        {ENTERPRISE_SCHEMA.upper(): {"DEPARTMENT": "Shoes", "manager": [{"value": "u9"}], "x": 1}},
        {ENTERPRISE_SCHEMA: {"department": "Shoes", "manager": {"value": "u9"}}},
    ),
    "an extension that is none": ({ENTERPRISE_SCHEMA: "Shoes"}, {}),
    "values as they came": (
        {"phoneNumbers": [{"value": " +1 (555) 0 "}], "title": "é\u202e"},
        {"phoneNumbers": [{"value": " +1 (555) 0 "}], "title": "é\u202e"},
    ),
}


@pytest.mark.parametrize(("given", "read"), READ.values(), ids=READ)
def test_a_user_is_read_as_the_schema_says(given: dict[str, Any], read: dict[str, Any]) -> None:
    assert read_resource(USER, {"userName": "a", **given}) == {"userName": "a", **read}


REFUSED: dict[str, tuple[Kind, dict[str, Any], str]] = {
    "no userName": (USER, {"displayName": "x"}, "userName is required"),
    "userName of spaces": (USER, {"userName": "  "}, "userName is required"),
    "no displayName": (GROUP, {"externalId": "x"}, "displayName is required"),
    "number": (USER, {"userName": 7}, "userName must be a string"),
    "truth": (USER, {"userName": "a", "active": 1}, "active must be a boolean"),
    "object for text": (USER, {"userName": "a", "title": {"value": "x"}}, "title must be a string"),
    "text for object": (USER, {"userName": "a", "name": "Ada"}, "name must be made of objects"),
    "number for a member": (GROUP, {"displayName": "a", "members": [7]}, "members must be made of objects"),
    "list in a list": (GROUP, {"displayName": "a", "members": [[{"value": "u1"}]]}, "members must be made of objects"),
}


@pytest.mark.parametrize(("kind", "given", "says"), REFUSED.values(), ids=REFUSED)
def test_what_the_schema_does_not_allow_is_refused_by_name(kind: Kind, given: dict[str, Any], says: str) -> None:
    with pytest.raises(ScimRefused) as refused:
        read_resource(kind, given)
    assert (refused.value.scim_type, refused.value.message) == ("invalidValue", says)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'"' * 3, b"[" * 100_000], ids=range(7))
def test_a_body_that_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(ScimRefused) as refused:
        read_json(body)
    assert refused.value.scim_type == "invalidSyntax"


NAMES = st.sampled_from(
    [
        "userName",
        "displayName",
        "active",
        "emails",
        "members",
        "name",
        "manager",
        "value",
        "type",
        "primary",
        "$ref",
        "id",
    ]
) | st.text(max_size=5)
PATHS = st.sampled_from(
    [
        "members",
        'members[value eq "u1"]',
        'emails[type eq "work"].value',
        "emails.primary",
        "name.givenName",
        "manager",
        ENTERPRISE_SCHEMA,
        f"{ENTERPRISE_SCHEMA}:department",
        "active",
        "userName",
        "displayName",
        "meta",
        "",
    ]
) | st.text(max_size=10)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
OPERATIONS = st.fixed_dictionaries(
    {"op": st.sampled_from(["Add", "replace", "REMOVE"]) | JSON},
    optional={"path": PATHS | JSON, "value": JSON},
)


@given(
    st.sampled_from([USER, GROUP]), st.lists(OPERATIONS | JSON, max_size=4), st.dictionaries(NAMES, JSON, max_size=4)
)
def test_whatever_comes_is_read_or_refused_and_what_was_read_stays_as_it_is(
    kind: Kind, operations: list[Any], given_attributes: dict[str, Any]
) -> None:
    resource: dict[str, Any] = {"userName": "a"} if kind is USER else {"displayName": "a", "members": [{"value": "u1"}]}
    with suppress(ScimRefused):
        resource = read_resource(kind, {**resource, **given_attributes})
    with suppress(ScimRefused):
        resource = patched(kind, resource, {"Operations": operations})
    assert read_resource(kind, resource) == resource


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (b'{"userName": "a", "userName": "b"}', "userName"),
        (b'{"userName": "a", "username": "b"}', "username"),
        (b'{"emails": [{"value": "a", "Value": "b"}]}', "Value"),
        (b'{"Operations": [{"op": "add", "OP": "remove"}]}', "OP"),
    ],
)
def test_an_attribute_that_is_given_twice_is_refused_by_name(body: bytes, name: str) -> None:
    """RFC 7643, 2.1: a name is the same in any case."""
    with pytest.raises(ScimRefused, match=f"{name}.* more than once"):
        read_json(body)


@pytest.mark.parametrize("body", [b'{"a": NaN}', b'{"a": %s}' % (b"9" * 5000), b"[" * 100_000, b'{"a": "\xe4"}'])
def test_what_has_no_one_meaning_is_refused(body: bytes) -> None:
    with pytest.raises(ScimRefused, match="not JSON in UTF-8"):
        read_json(body)
