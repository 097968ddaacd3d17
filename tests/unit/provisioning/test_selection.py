"""INC-33: `attributes` and `excludedAttributes` (RFC 7644, 3.9)."""

from typing import Any

import pytest

from shared.provisioning.attributes import ENTERPRISE_SCHEMA, USER, USER_SCHEMA
from shared.provisioning.selection import selected

ALWAYS: dict[str, Any] = {"schemas": [USER_SCHEMA], "id": "u1"}
NAME = {"familyName": "Lovelace", "givenName": "Ada"}
WORK, HOME = {"value": "a@example.com", "type": "work"}, {"value": "h@example.com"}
EXTENSION = {"department": "Shoes", "manager": {"value": "u9"}}
META = {"resourceType": "User", "version": 'W/"1"'}
ADA: dict[str, Any] = {
    **ALWAYS,
    "userName": "ada",
    "name": NAME,
    "emails": [WORK, HOME],
    ENTERPRISE_SCHEMA: EXTENSION,
    "meta": META,
}

WANTED: dict[str, dict[str, Any]] = {
    "userName": {"userName": "ada"},
    "id": {},
    "USERNAME, name.familyname": {"userName": "ada", "name": {"familyName": "Lovelace"}},
    "emails.value": {"emails": [{"value": "a@example.com"}, {"value": "h@example.com"}]},
    "emails.type": {"emails": [{"type": "work"}]},
    "name,name.givenName": {"name": NAME},
    f"{USER_SCHEMA}:userName": {"userName": "ada"},
    f"{ENTERPRISE_SCHEMA}:department": {ENTERPRISE_SCHEMA: {"department": "Shoes"}},
    ENTERPRISE_SCHEMA: {ENTERPRISE_SCHEMA: EXTENSION},
    "manager.value": {ENTERPRISE_SCHEMA: {"manager": {"value": "u9"}}},
    "meta.version": {"meta": {"version": 'W/"1"'}},
    "shoeSize,title": {},
}
LEFT: dict[str, dict[str, Any]] = {
    "": ADA,
    "emails": {name: value for name, value in ADA.items() if name != "emails"},
    "EMAILS.TYPE": ADA | {"emails": [{"value": "a@example.com"}, {"value": "h@example.com"}]},
    "id,schemas,shoeSize": ADA,
    f"{ENTERPRISE_SCHEMA}:manager": ADA | {ENTERPRISE_SCHEMA: {"department": "Shoes"}},
    f"{ENTERPRISE_SCHEMA},meta,name,emails,userName": ALWAYS,
}


@pytest.mark.parametrize(("names", "found"), WANTED.items(), ids=WANTED)
def test_what_is_asked_for_is_shown_and_nothing_else(names: str, found: dict[str, Any]) -> None:
    assert selected(USER, ADA, names, "userName") == ALWAYS | found


@pytest.mark.parametrize(("names", "found"), LEFT.items(), ids=[names or "nothing" for names in LEFT])
def test_what_is_excluded_is_not_shown_and_all_else_is(names: str, found: dict[str, Any]) -> None:
    assert selected(USER, ADA, "", names) == found
