"""The functions of an app, checked as the real host and worker check them."""

import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from local.host.configuration import HostError, resolve


@dataclass(frozen=True)
class IndexedFunction:
    """A function with its trigger; `options` are the trigger's properties with settings filled in."""

    name: str
    call: Any
    trigger: str
    parameter: str
    options: dict[str, Any] = field(default_factory=dict)
    wants_context: bool = False


def index(app: Any, environment: Mapping[str, str]) -> list[IndexedFunction]:  # noqa: ANN401 - a FunctionApp
    """Return the functions of an app. HostError for what the real host would refuse."""
    found: list[IndexedFunction] = []
    names: set[str] = set()
    for function in app.get_functions():
        indexed = _indexed(function, environment)
        if indexed.name.lower() in names:
            raise HostError(f"function {indexed.name!r}: two functions have this name")
        names.add(indexed.name.lower())
        found.append(indexed)
    if not found:
        raise HostError("the app has no functions: are its blueprints registered?")
    return found


def _indexed(function: Any, environment: Mapping[str, str]) -> IndexedFunction:  # noqa: ANN401 - a Function
    name = str(function.get_function_name())
    where = f"function {name!r}"
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{0,127}", name):
        raise HostError(f"{where}: the name may hold letters, digits, _ and - and begins with a letter")
    trigger = function.get_trigger()
    if trigger is None:
        raise HostError(f"{where}: it has no trigger")
    call = function.get_user_function()
    if inspect.iscoroutinefunction(call):
        raise HostError(f"{where}: async functions are not run by this stand-in")
    parameters = set(inspect.signature(call).parameters) - {"context"}
    bindings = {binding.name for binding in function.get_bindings() if binding.name != "$return"}
    if parameters != bindings:
        raise HostError(f"{where}: parameters {sorted(parameters)} are not the bindings {sorted(bindings)}")
    if wrong := [binding for binding in bindings if not re.fullmatch(r"[A-Za-z][A-Za-z0-9]*", binding)]:
        raise HostError(f"{where}: binding names are letters and digits, not {wrong[0]!r}")
    options = {
        key: resolve(value, environment, where) if isinstance(value, str) else value
        for key, value in trigger.get_dict_repr().items()
    }
    if str(options.get("route", "")).split("/")[0] in ("admin", "runtime"):
        raise HostError(f"{where}: routes must not begin with admin or runtime")
    wants_context = "context" in inspect.signature(call).parameters
    return IndexedFunction(name, call, str(options["type"]), str(trigger.name), options, wants_context)
