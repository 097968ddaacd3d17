"""INC-33: PATCH as Entra ID sends it, and as RFC 7644 writes it."""

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.provisioning.attributes import ENTERPRISE_SCHEMA, GROUP, USER, USER_SCHEMA, Kind
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


WORK = ADA["emails"][0]
CHANGES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    # What Entra ID sends.
    "boolean as text": ({"op": "Replace", "path": "active", "value": "False"}, {"active": False}),
    "boolean in the value": ({"op": "Replace", "value": {"active": False}}, {"active": False}),
    "boolean as text in the value": ({"op": "replace", "value": {"active": "true"}}, {"active": True}),
    "operation in capitals": ({"op": "REPLACE", "path": "ACTIVE", "value": False}, {"active": False}),
    "single value added": ({"op": "Add", "path": "nickName", "value": "Babs"}, {"nickName": "Babs"}),
    "a part of what is there not": (
        {"op": "Add", "path": "name.givenName", "value": "Ada"},
        {"name": {"givenName": "Ada"}},
    ),
    "value by type": (
        {"op": "Replace", "path": 'emails[type eq "work"].value', "value": "b@example.com"},
        {"emails": [WORK | {"value": "b@example.com"}]},
    ),
    "value by type, parts in capitals": (
        {"op": "Replace", "path": 'emails[Type eq "WORK"].Value', "value": "b@example.com"},
        {"emails": [WORK | {"value": "b@example.com"}]},
    ),
    "value by a type that is new": (
        {"op": "Add", "path": 'emails[type eq "home"].value', "value": "h@example.com"},
        {"emails": [WORK, {"type": "home", "value": "h@example.com"}]},
    ),
    "replaced value by a type that is new": (
        {"op": "Replace", "path": 'phoneNumbers[type eq "mobile"].value', "value": "1"},
        {"phoneNumbers": [{"type": "mobile", "value": "1"}]},
    ),
    "address by type": (
        {"op": "Add", "path": 'addresses[type eq "work"].formatted', "value": "18/2111"},
        {"addresses": [{"type": "work", "formatted": "18/2111"}]},
    ),
    "role by a boolean as text": (
        {"op": "Add", "path": 'roles[primary eq "True"].value', "value": "Admin"},
        {"roles": [{"primary": True, "value": "Admin"}]},
    ),
    "value by type, removed": (
        {"op": "Remove", "path": 'emails[type eq "work"].value', "value": "ada@example.com"},
        {"emails": [{"type": "work", "primary": True}]},
    ),
    "no path: dots and URNs in names": (
        {
            "op": "replace",
            "value": {
                "displayName": "Bjfe",
                "name.givenName": "Kkom",
                "name.familyName": "Unua",
                f"{ENTERPRISE_SCHEMA}:employeeNumber": "Aklq",
                'emails[type eq "work"].value': "b@example.com",
            },
        },
        {
            "displayName": "Bjfe",
            "name": {"givenName": "Kkom", "familyName": "Unua"},
            "emails": [WORK | {"value": "b@example.com"}],
            ENTERPRISE_SCHEMA: {"department": "Shoes", "employeeNumber": "Aklq"},
        },
    ),
    "no path: the extension as an object": (
        {"op": "add", "value": {ENTERPRISE_SCHEMA: {"schemas": [ENTERPRISE_SCHEMA], "division": "North"}}},
        {ENTERPRISE_SCHEMA: {"department": "Shoes", "division": "North"}},
    ),
    "no path: what is the server's": (
        {"op": "replace", "value": {"id": "other", "schemas": [], "meta": {}, "title": "x"}},
        {"title": "x"},
    ),
    "extension": (
        {"op": "Replace", "path": f"{ENTERPRISE_SCHEMA}:department", "value": "Hats"},
        {ENTERPRISE_SCHEMA: {"department": "Hats"}},
    ),
    "core attribute with its URN": ({"op": "Replace", "path": f"{USER_SCHEMA}:title", "value": "x"}, {"title": "x"}),
    "manager as text": (
        {"op": "Replace", "path": f"{ENTERPRISE_SCHEMA}:manager", "value": "u9"},
        {ENTERPRISE_SCHEMA: {"department": "Shoes", "manager": {"value": "u9"}}},
    ),
    "manager as a list of one": (
        {"op": "Add", "path": "manager", "value": [{"$ref": "http://hub/Users/u9", "value": "u9"}]},
        {ENTERPRISE_SCHEMA: {"department": "Shoes", "manager": {"$ref": "http://hub/Users/u9", "value": "u9"}}},
    ),
    "remove the last of the extension": (
        {"op": "remove", "path": f"{ENTERPRISE_SCHEMA}:department"},
        {ENTERPRISE_SCHEMA: None},
    ),
    # What RFC 7644 writes besides.
    "remove the extension": ({"op": "remove", "path": ENTERPRISE_SCHEMA}, {ENTERPRISE_SCHEMA: None}),
    "remove a value": ({"op": "Remove", "path": 'emails[type eq "work"]'}, {"emails": None}),
    "remove what is not there": ({"op": "remove", "path": "title"}, {}),
    "remove by a condition that nothing meets": ({"op": "remove", "path": 'emails[type eq "home"]'}, {}),
    "remove by any condition": (
        {"op": "remove", "path": 'emails[value ew ".com" and not (type eq "x")]'},
        {"emails": None},
    ),
    "remove a value by what it holds": (
        {"op": "remove", "path": "emails", "value": [{"value": "ada@example.com"}]},
        {"emails": None},
    ),
    "a part of all values": (
        {"op": "replace", "path": "emails.display", "value": "Ada"},
        {"emails": [WORK | {"display": "Ada"}]},
    ),
    "add to a chosen value": (
        {"op": "add", "path": 'emails[type eq "work"]', "value": {"display": "Ada"}},
        {"emails": [WORK | {"display": "Ada"}]},
    ),
    "replace a chosen value whole": (
        {"op": "replace", "path": 'emails[type eq "work"]', "value": {"value": "b@example.com", "type": "other"}},
        {"emails": [{"value": "b@example.com", "type": "other"}]},
    ),
    "a new primary value takes the place of the old": (
        {"op": "add", "path": "emails", "value": [{"type": "home", "value": "h@example.com", "primary": True}]},
        {"emails": [WORK | {"primary": False}, {"type": "home", "value": "h@example.com", "primary": True}]},
    ),
    "the same value added": ({"op": "add", "path": "emails", "value": [WORK]}, {}),
    "replaced by null": ({"op": "replace", "path": "emails", "value": None}, {"emails": None}),
    "replaced by nothing": ({"op": "replace", "path": "emails", "value": []}, {"emails": None}),
    "null added": ({"op": "add", "path": "active", "value": None}, {}),
}


@pytest.mark.parametrize(("operation", "changed"), CHANGES.values(), ids=CHANGES)
def test_a_user_is_changed_as_asked_and_otherwise_as_before(operation: dict[str, Any], changed: dict[str, Any]) -> None:
    before = deepcopy(ADA)
    after = patch(USER, ADA, operation)
    assert after == {name: value for name, value in (ADA | changed).items() if value is not None}
    assert before == ADA


def test_the_last_value_that_is_made_primary_is() -> None:
    paths = ['emails[type eq "home"].value', 'emails[type eq "home"].primary']
    first, second = (
        {"op": "add", "path": path, "value": value} for path, value in zip(paths, ("h", True), strict=True)
    )
    emails = patch(USER, ADA, first, second)["emails"]
    assert {one["type"]: one["primary"] for one in emails} == {"work": False, "home": True}
    again = patch(
        USER, {**ADA, "emails": emails}, {"op": "replace", "path": 'emails[type eq "work"].primary', "value": "True"}
    )
    assert {one["type"]: one["primary"] for one in again["emails"]} == {"work": True, "home": False}


MEMBERS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "add": ({"op": "Add", "path": "members", "value": [{"value": "u2"}, {"value": "u3"}]}, ["u1", "u2", "u3"]),
    "add with a reference to nothing": (
        {"op": "Add", "path": "members", "value": [{"$ref": None, "value": "u3"}]},
        ["u1", "u2", "u3"],
    ),
    "add who is there as another kind": (
        {"op": "add", "path": "members", "value": [{"value": "u1", "type": "User"}]},
        ["u2", "u1"],
    ),
    "add one": ({"op": "add", "path": "members", "value": {"value": "u3"}}, ["u1", "u2", "u3"]),
    "add nobody": ({"op": "Add", "path": "members", "value": []}, ["u1", "u2"]),
    "add somebody twice": (
        {"op": "Add", "path": "members", "value": [{"value": "u3"}, {"value": "u3"}]},
        ["u1", "u2", "u3"],
    ),
    "add without path": ({"op": "add", "value": {"members": [{"value": "u3"}]}}, ["u1", "u2", "u3"]),
    "remove a list": ({"op": "Remove", "path": "members", "value": [{"value": "u1"}]}, ["u2"]),
    "remove with a reference to nothing": (
        {"op": "Remove", "path": "members", "value": [{"$ref": None, "value": "u1"}]},
        ["u2"],
    ),
    "remove by condition": ({"op": "remove", "path": 'members[value eq "u2"]'}, ["u1"]),
    "remove two by condition": ({"op": "remove", "path": 'members[value eq "u2" or value eq "u1"]'}, []),
    "remove who is none": ({"op": "Remove", "path": 'members[value eq "unknown"]'}, ["u1", "u2"]),
    "remove nobody": ({"op": "Remove", "path": "members", "value": []}, ["u1", "u2"]),
    "remove one that is no list": ({"op": "Remove", "path": "members", "value": {"value": "u1"}}, ["u2"]),
    "remove one by its ID": ({"op": "Remove", "path": "members", "value": "u1"}, ["u2"]),
    "remove all": ({"op": "Remove", "path": "members"}, []),
    "replace": ({"op": "Replace", "path": "members", "value": [{"value": "u9"}]}, ["u9"]),
    "replace by nobody": ({"op": "Replace", "path": "members", "value": []}, []),
}


@pytest.mark.parametrize(("operation", "members"), MEMBERS.values(), ids=MEMBERS)
def test_members_come_and_go(operation: dict[str, Any], members: list[str]) -> None:
    assert [one["value"] for one in patch(GROUP, TEAM, operation).get("members", [])] == members


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "op": ({"op": "move", "path": "active"}, "invalidSyntax"),
    "no op": ({"path": "active", "value": True}, "invalidSyntax"),
    "remove of nothing": ({"op": "remove"}, "noTarget"),
    "path that is no text": ({"op": "add", "path": ["active"], "value": True}, "invalidPath"),
    "unknown": ({"op": "add", "path": "shoeSize", "value": "44"}, "invalidPath"),
    "unknown in the value": ({"op": "add", "value": {"shoeSize": "44"}}, "invalidPath"),
    "torn": ({"op": "add", "path": "emails[type", "value": "x"}, "invalidPath"),
    "condition of what has no values": ({"op": "add", "path": 'name[familyName eq "x"]', "value": "x"}, "invalidPath"),
    "id": ({"op": "replace", "path": "id", "value": "other"}, "mutability"),
    "meta": ({"op": "replace", "path": "meta.created", "value": "2025-01-01T00:00:00Z"}, "mutability"),
    "type": ({"op": "replace", "path": "active", "value": "perhaps"}, "invalidValue"),
    "value without path that is none": ({"op": "replace", "value": "x"}, "invalidValue"),
    "what is required": ({"op": "remove", "path": "userName"}, "invalidValue"),
    "what is required, emptied": ({"op": "replace", "path": "userName", "value": " "}, "invalidValue"),
    "two values for one": (
        {"op": "replace", "path": 'emails[type eq "work"]', "value": [{"value": "a"}, {"value": "b"}]},
        "invalidValue",
    ),
    "two managers": ({"op": "add", "path": "manager", "value": [{"value": "a"}, {"value": "b"}]}, "invalidValue"),
    "condition that describes no value": (
        {"op": "replace", "path": 'emails[type sw "h"].value', "value": "x"},
        "noTarget",
    ),
}


@pytest.mark.parametrize(("operation", "scim_type"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused_says_of_which_kind_it_is(operation: dict[str, Any], scim_type: str) -> None:
    with pytest.raises(ScimRefused) as refused:
        patch(USER, ADA, operation)
    assert refused.value.scim_type == scim_type


def test_of_operations_of_which_one_is_refused_none_is_done() -> None:
    before = deepcopy(ADA)
    with pytest.raises(ScimRefused):
        patch(
            USER, ADA, {"op": "replace", "path": "title", "value": "x"}, {"op": "add", "path": "shoeSize", "value": "1"}
        )
    assert before == ADA


@pytest.mark.parametrize("body", [{}, {"Operations": []}, {"Operations": "x"}, {"Operations": ["x"]}])
def test_a_body_without_operations_is_refused(body: dict[str, Any]) -> None:
    with pytest.raises(ScimRefused):
        patched(USER, ADA, body)


TEXT = st.text(min_size=1, max_size=20).filter(str.strip)
USERS = st.fixed_dictionaries(
    {"userName": TEXT, "active": st.booleans(), "displayName": TEXT},
    optional={"title": TEXT, "emails": st.lists(st.fixed_dictionaries({"value": TEXT, "type": TEXT}), min_size=1)},
)


@given(USERS)
def test_replacing_every_attribute_gives_what_a_put_gives(wanted: dict[str, Any]) -> None:
    assert patch(USER, {"userName": "before"}, {"op": "replace", "value": wanted}) == read_resource(USER, wanted)


PEOPLE = st.sampled_from(["u1", "u2", "u3", "u4"])
MEMBER_CHANGES = st.one_of(
    st.builds(lambda who: {"op": "remove", "path": f'members[value eq "{who}"]'}, PEOPLE),
    st.builds(
        lambda verb, who: {"op": verb, "path": "members", "value": [{"value": one} for one in who]},
        st.sampled_from(["add", "remove", "replace"]),
        st.lists(PEOPLE, max_size=3),
    ),
    st.builds(
        lambda verb, who: {"op": verb, "path": "members", "value": {"value": who}},
        st.sampled_from(["add", "remove"]),
        PEOPLE,
    ),
    st.just({"op": "remove", "path": "members"}),
    st.just({"op": "add", "path": "members", "value": None}),
)


@given(st.lists(MEMBER_CHANGES, min_size=1, max_size=8))
def test_many_operations_at_once_do_what_they_do_one_by_one(operations: list[dict[str, Any]]) -> None:
    one_by_one = TEAM
    for operation in operations:
        one_by_one = patch(GROUP, one_by_one, operation)
    assert patch(GROUP, TEAM, *operations) == one_by_one


def test_a_large_group_is_gone_through_once_for_all_operations() -> None:
    """Entra ID asks for each member who leaves by an operation of its own."""
    looked_at = 0

    class Member(dict[str, str]):
        def __contains__(self, name: object) -> bool:
            nonlocal looked_at
            looked_at += name == "value"
            return super().__contains__(name)

        def __deepcopy__(self, _memo: object) -> "Member":
            return self

    members = [Member(value=f"u{number}") for number in range(1000)]
    operations = [{"op": "remove", "path": f'members[value eq "u{number}"]'} for number in range(500)]
    after = patch(GROUP, {"displayName": "All", "members": members}, *operations)
    assert len(after["members"]) == 500
    assert 1000 <= looked_at <= 3000
