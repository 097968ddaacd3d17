"""INC-30, INC-31: from an Authorization header to what a caller may do."""

from collections.abc import Mapping
from typing import Any

import pytest

from shared.access.bearer import MAX_TOKEN_CHARACTERS, BearerTokens
from shared.access.principal import ADMIN, ANONYMOUS, APPROVER, Principal
from shared.access.requirement import ADMINS, ANYONE, APPROVERS, Requirement
from shared.kernel.errors import Unauthenticated


class Verifier:
    """Takes every token for good."""

    def __init__(self, **claims: Any) -> None:
        self.given: Mapping[str, Any] = {"sub": "somebody", **claims}
        self.seen: list[str] = []

    def claims(self, token: str) -> Mapping[str, Any]:
        self.seen.append(token)
        return self.given


@pytest.mark.parametrize("header", ["Bearer a.b.c", "bearer a.b.c", "BEARER  a.b.c ", "Bearer a-_.b.c"])
def test_the_scheme_is_read_in_any_case(header: str) -> None:
    verifier = Verifier()
    assert BearerTokens(verifier).principal(header).subject == "somebody"
    assert len(verifier.seen) == 1


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (None, "an access token is needed"),
        ("", "an access token is needed"),
        ("a.b.c", "not one Bearer token"),
        ("Bearer", "not one Bearer token"),
        ("Basic YTpi", "not one Bearer token"),
        ("Bearer a.b.c, Bearer d.e.f", "not one Bearer token"),
        ("Bearer a.b.c,Bearer d.e.f", "not one Bearer token"),
        ("Bearer garbage", "does not parse"),
        ("Bearer a.b.c d.e.f", "does not parse"),
        ("Bearer ä.b.c", "does not parse"),
        ("Bearer a.b." + "c" * MAX_TOKEN_CHARACTERS, "too long"),
    ],
)
def test_what_is_no_bearer_token_never_reaches_the_verifier(header: str | None, reason: str) -> None:
    verifier = Verifier()
    with pytest.raises(Unauthenticated, match=reason):
        BearerTokens(verifier).principal(header)
    assert not verifier.seen


@pytest.mark.parametrize(
    ("claims", "roles", "scopes"),
    [
        ({"roles": [ADMIN], "scp": "Employees.Read Employees.Write"}, {ADMIN}, {"Employees.Read", "Employees.Write"}),
        ({}, set(), set()),
        ({"roles": ADMIN}, set(), set()),
        ({"roles": [7, None, APPROVER]}, {APPROVER}, set()),
        ({"scp": ["Employees.Read"]}, set(), set()),
    ],
    ids=["both", "neither", "role-as-text", "odd-roles", "scopes-as-list"],
)
def test_roles_are_an_array_and_scopes_are_text(claims: dict[str, Any], roles: set[str], scopes: set[str]) -> None:
    principal = BearerTokens(Verifier(**claims)).principal("Bearer a.b.c")
    assert (set(principal.roles), set(principal.scopes)) == (roles, scopes)


READERS = Requirement(any_role=frozenset({ADMIN}), any_scope=frozenset({"Employees.Read"}))


@pytest.mark.parametrize(
    ("principal", "requirement", "may"),
    [
        (ANONYMOUS, ANYONE, True),
        (ANONYMOUS, ADMINS, False),
        (Principal("a", frozenset({ADMIN})), ADMINS, True),
        (Principal("a", frozenset({APPROVER})), ADMINS, False),
        (Principal("a", scopes=frozenset({ADMIN})), ADMINS, False),
        (Principal("a", scopes=frozenset({"Employees.Read"})), READERS, True),
        (Principal("a", frozenset({ADMIN})), Requirement(), False),
        (Principal("a", frozenset({APPROVER})), APPROVERS, True),
        (Principal("a", frozenset({APPROVER}), frozenset({"Calculations.Read"})), APPROVERS, False),
        (Principal("a", frozenset({APPROVER}), frozenset({"Approvals.Write"})), APPROVERS, True),
        (Principal("a", scopes=frozenset({"Approvals.Write"})), APPROVERS, False),
    ],
)
def test_who_may_what(principal: Principal, requirement: Requirement, may: bool) -> None:
    assert requirement.met_by(principal) is may


def test_a_requirement_says_what_it_needs() -> None:
    assert READERS.describe() == "role DSIF.Admin or scope Employees.Read"
    assert ANYONE.describe() == "nothing"
    assert "and scope Approvals.Write" in APPROVERS.describe()
