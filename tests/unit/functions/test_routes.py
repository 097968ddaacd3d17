"""INC-31: no HTTP function without a row in the table of routes, and no row without a function."""

import pytest

from shared.access.requirement import ADMIN_READERS, ADMINS, ANYONE, EMPLOYEE_ADMINS
from shared.access.routes import ROUTES, Route, methods_of
from tests.unit.functions.indexed import triggers


def test_every_http_function_is_in_the_table_and_every_row_has_one() -> None:
    assert set(triggers("httpTrigger")) == {route.function for route in ROUTES}


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.function)
def test_a_function_is_registered_as_its_row_says(route: Route) -> None:
    trigger = triggers("httpTrigger")[route.function]
    methods = {method.value for method in trigger["methods"]}
    assert trigger["route"] == route.path
    assert methods - {"OPTIONS"} == {route.method}
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
def test_administration_needs_the_admin_and_only_health_is_for_anyone(route: Route) -> None:
    if route.path.startswith("v1/admin/"):
        assert route.requirement in (ADMIN_READERS if route.method == "GET" else ADMINS, EMPLOYEE_ADMINS)
    assert (route.requirement == ANYONE) is route.path.startswith("v1/health")


def test_the_table_holds_each_function_and_each_route_once() -> None:
    assert len({route.function for route in ROUTES}) == len(ROUTES)
    assert len({(route.method, route.path) for route in ROUTES}) == len(ROUTES)
    assert all(route.about for route in ROUTES)


def test_a_path_with_several_functions_says_all_methods() -> None:
    assert methods_of("v1/admin/imports") == ("POST", "GET", "OPTIONS")
