"""The functions of the app; the library gives them out once a process."""

from functools import cache
from typing import Any

import function_app


@cache
def indexed_functions() -> tuple[Any, ...]:
    """Return all functions as the worker gets them."""
    return tuple(function_app.app.get_functions())


def triggers(kind: str) -> dict[str, dict[str, Any]]:
    """Return the trigger's properties by function name."""
    found = ((one.get_function_name(), one.get_trigger().get_dict_repr()) for one in indexed_functions())
    return {str(name): trigger for name, trigger in found if trigger["type"] == kind}
