"""INC-31: no HTTP function without a row in the table of routes, and no row without a function."""

import pytest

from shared.access.requirement import ADMIN_READERS, ADMINS, ANYONE, EMPLOYEE_ADMINS
from shared.access.routes import ROUTES, SCIM_ROOT, Route, methods_at, methods_of
from tests.unit.functions.indexed import triggers


def test_every_http_function_is_in_the_table_and_every_row_has_one() -> None:
    assert set(triggers("httpTrigger")) == {route.function for route in ROUTES}


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.function)
def test_a_function_is_registered_as_its_row_says(route: Route) -> None:
    trigger = triggers("httpTrigger")[route.function]
    methods = {method.value for method in trigger["methods"]}
    assert trigger["route"] == route.path
    assert methods - {"OPTIONS"} == set(route.methods)
    assert trigger["authLevel"].value == "anonymous", "tokens are checked by us, not keys by the host"


def test_every_path_answers_options() -> None:
    """INC-34."""
    answered = {
        trigger["route"]
        for trigger in triggers("httpTrigger").values()
        if "OPTIONS" in {method.value for method in trigger["methods"]}
    }
    assert answered == {route.path for route in ROUTES}


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.function)
def test_administration_needs_the_admin_and_only_health_and_what_is_nothing_is_for_anyone(route: Route) -> None:
    if route.path.startswith("v1/admin/"):
        assert route.requirement in (ADMIN_READERS if route.method == "GET" else ADMINS, EMPLOYEE_ADMINS)
    is_nothing = route.path in ("{*path}", "v1/webhooks/hr/{*path}")
    assert (route.requirement == ANYONE) is (route.path.startswith("v1/health") or is_nothing)


def test_the_table_holds_each_function_and_each_route_once() -> None:
    assert len({route.function for route in ROUTES}) == len(ROUTES)
    answered = [(method, route.path) for route in ROUTES for method in route.methods]
    assert len(set(answered)) == len(answered)
    assert all(route.about for route in ROUTES)


def test_a_path_with_several_functions_says_all_methods() -> None:
    assert methods_of("v1/admin/imports") == ("POST", "GET", "HEAD", "OPTIONS")


def test_head_is_answered_wherever_get_is() -> None:
    """RFC 9110, 9.1."""
    assert {route.function for route in ROUTES if ("GET" in route.methods) != ("HEAD" in route.methods)} == set()


def test_no_address_has_two_functions_for_one_method_but_what_takes_every_path_and_is_asked_last() -> None:
    """The host tries functions in the order of their names, not the more exact route first."""
    for one in ROUTES:
        for other in ROUTES:
            if one.function < other.function and set(one.methods) & set(other.methods):
                pair = (one.function, other.function)
                if one.takes_every_path:
                    assert not _root(other).startswith(_root(one)), pair
                elif not other.takes_every_path:
                    assert not _overlap(one.path, other.path), pair


def _root(route: Route) -> str:
    return route.path.partition("{*")[0]


def _overlap(one: str, other: str) -> bool:
    parts, others = one.split("/"), other.split("/")
    return len(parts) == len(others) and all(
        part == another or "{" in (part[0], another[0]) for part, another in zip(parts, others, strict=True)
    )


@pytest.mark.parametrize(
    ("address", "methods"),
    [
        ("v1/health", ("GET", "HEAD")),
        ("v1/calculations/submit", ("GET", "HEAD", "POST")),
        (f"{SCIM_ROOT}/Users", ("POST", "GET", "HEAD")),
        (f"{SCIM_ROOT}/users/a1/", ("GET", "HEAD", "PUT", "PATCH", "DELETE")),
        (f"{SCIM_ROOT}/Users/", ("POST", "GET", "HEAD")),
        (f"{SCIM_ROOT}/Nothing", ()),
        (f"{SCIM_ROOT}/Users/a1/b", ()),
        ("", ()),
    ],
)
def test_which_methods_an_address_answers(address: str, methods: tuple[str, ...]) -> None:
    assert methods_at(address) == methods
