"""INC-33: PATCH as Entra ID sends it, and as RFC 7644 writes it."""

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.provisioning.attributes import ENTERPRISE_SCHEMA, GROUP, USER, Kind
from shared.provisioning.patch import PATCH_SCHEMA, patched
from shared.provisioning.reading import read_resource
from shared.provisioning.refusal import ScimRefused

ADA: dict[str, Any] = {
    "userName": "ada@example.com",
    "active": True,
    "emails": [{"type": "work", "value": "ada@example.com", "primary": True}],
    ENTERPRISE_SCHEMA: {"department": "Shoes"},
}
TEAM: dict[str, Any] = {"displayName": "Team", "members": [{"value": "u1"}, {"value": "u2"}]}


def patch(kind: Kind, resource: dict[str, Any], *operations: dict[str, Any]) -> dict[str, Any]:
    return patched(kind, resource, {"schemas": [PATCH_SCHEMA], "Operations": list(operations)})


@pytest.mark.parametrize(
    ("operation", "changed"),
    [
        ({"op": "Replace", "path": "active", "value": "False"}, {"active": False}),
        ({"op": "Replace", "value": {"active": False}}, {"active": False}),
        (
            {"op": "Replace", "path": 'emails[type eq "work"].value', "value": "b@example.com"},
            {"emails": [{"type": "work", "value": "b@example.com", "primary": True}]},
        ),
        (
            {"op": "Add", "path": 'emails[type eq "home"].value', "value": "h@example.com"},
            {"emails": [*ADA["emails"], {"type": "home", "value": "h@example.com"}]},
        ),
        ({"op": "Add", "path": "name.givenName", "value": "Ada"}, {"name": {"givenName": "Ada"}}),
        ({"op": "Add", "value": {"name.familyName": "Abel"}}, {"name": {"familyName": "Abel"}}),
        (
            {"op": "Replace", "path": f"{ENTERPRISE_SCHEMA}:department", "value": "Hats"},
            {ENTERPRISE_SCHEMA: {"department": "Hats"}},
        ),
        (
            {"op": "Replace", "path": f"{ENTERPRISE_SCHEMA}:manager", "value": "u9"},
            {ENTERPRISE_SCHEMA: {"department": "Shoes", "manager": {"value": "u9"}}},
        ),
        ({"op": "Remove", "path": 'emails[type eq "work"]'}, {"emails": None}),
        ({"op": "remove", "path": f"{ENTERPRISE_SCHEMA}:department"}, {ENTERPRISE_SCHEMA: None}),
    ],
    ids=[
        "boolean as text",
        "no path",
        "value by type",
        "type that is new",
        "part",
        "path as name",
        "extension",
        "manager",
        "remove a value",
        "remove the last of the extension",
    ],
)
def test_a_user_is_changed_as_asked_and_otherwise_as_before(operation: dict[str, Any], changed: dict[str, Any]) -> None:
    before = deepcopy(ADA)
    after = patch(USER, ADA, operation)
    assert after == {name: value for name, value in (ADA | changed).items() if value is not None}
    assert before == ADA


@pytest.mark.parametrize(
    ("operation", "members"),
    [
        ({"op": "Add", "path": "members", "value": [{"value": "u2"}, {"value": "u3"}]}, ["u1", "u2", "u3"]),
        ({"op": "Remove", "path": "members", "value": [{"value": "u1"}]}, ["u2"]),
        ({"op": "Remove", "path": 'members[value eq "u2"]'}, ["u1"]),
        ({"op": "Remove", "path": 'members[value eq "unknown"]'}, ["u1", "u2"]),
        ({"op": "Remove", "path": "members"}, []),
        ({"op": "Replace", "path": "members", "value": [{"value": "u9"}]}, ["u9"]),
    ],
    ids=["add", "list of values", "by filter", "who is none", "all", "replace"],
)
def test_members_come_and_go(operation: dict[str, Any], members: list[str]) -> None:
    assert [one["value"] for one in patch(GROUP, TEAM, operation).get("members", [])] == members


@pytest.mark.parametrize(
    ("operation", "scim_type"),
    [
        ({"op": "move", "path": "active"}, "invalidSyntax"),
        ({"op": "remove"}, "noTarget"),
        ({"op": "add", "path": "shoeSize", "value": "44"}, "invalidPath"),
        ({"op": "add", "path": "emails[type", "value": "x"}, "invalidPath"),
        ({"op": "replace", "path": "active", "value": "perhaps"}, "invalidValue"),
        ({"op": "remove", "path": "userName"}, "invalidValue"),
    ],
    ids=["op", "remove of nothing", "unknown", "torn", "type", "what is required"],
)
def test_what_is_refused_says_of_which_kind_it_is(operation: dict[str, Any], scim_type: str) -> None:
    with pytest.raises(ScimRefused) as refused:
        patch(USER, ADA, operation)
    assert refused.value.scim_type == scim_type


TEXT = st.text(min_size=1, max_size=20).filter(str.strip)
USERS = st.fixed_dictionaries(
    {"userName": TEXT, "active": st.booleans(), "displayName": TEXT},
    optional={"title": TEXT, "emails": st.lists(st.fixed_dictionaries({"value": TEXT, "type": TEXT}), min_size=1)},
)


@given(USERS)
def test_replacing_every_attribute_gives_what_a_put_gives(wanted: dict[str, Any]) -> None:
    assert patch(USER, {"userName": "before"}, {"op": "replace", "value": wanted}) == read_resource(USER, wanted)
