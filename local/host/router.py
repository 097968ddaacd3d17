"""Route templates of ASP.NET: literals, {name}, {name:int}, {name?}, {*rest}."""

import re
from dataclasses import dataclass

from local.host.index import IndexedFunction

_CONSTRAINTS = {"int": r"-?\d+", "guid": r"[0-9A-Fa-f-]{36}", "alpha": r"[A-Za-z]+"}


@dataclass(frozen=True)
class RoutedFunction:
    """A function with the pattern that its route matches; literal segments win over parameters."""

    function: IndexedFunction
    pattern: re.Pattern[str]
    methods: frozenset[str]
    weight: tuple[int, ...]


class Router:
    """Finds the function for a request."""

    def __init__(self, functions: list[IndexedFunction], prefix: str) -> None:
        """Take the HTTP functions."""
        http = [function for function in functions if function.trigger == "httpTrigger"]
        routed = [_routed(function, prefix) for function in http]
        self._routes = sorted(routed, key=lambda route: route.weight)

    def find(self, method: str, path: str) -> tuple[IndexedFunction, dict[str, str]] | None:
        """Return the function and its route parameters; None as the real host answers 404, wrong method included."""
        wanted = path.removeprefix("/").removesuffix("/")
        for route in self._routes:
            if method in route.methods and (match := route.pattern.fullmatch(wanted)):
                return route.function, {name: value for name, value in match.groupdict().items() if value is not None}
        return None


def _routed(function: IndexedFunction, prefix: str) -> RoutedFunction:
    route = str(function.options.get("route") or function.name)
    segments = [segment for segment in f"{prefix}/{route}".split("/") if segment]
    text, weight = "", []
    for segment in segments:
        piece, rank = _segment(segment)
        text += piece if not text else (f"(?:/{piece})?" if rank in (2, 3) else f"/{piece}")
        weight.append(rank)
    methods = frozenset(str(getattr(method, "value", method)) for method in function.options.get("methods") or ())
    everything = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})
    return RoutedFunction(function, re.compile(text, re.IGNORECASE | re.DOTALL), methods or everything, tuple(weight))


def _segment(segment: str) -> tuple[str, int]:
    if not segment.startswith("{"):
        return re.escape(segment), 0
    inner = segment[1:-1]
    if inner.startswith("*"):
        return f"(?P<{inner.lstrip('*')}>.*)", 3
    optional = inner.endswith("?")
    name, _, constraint = inner.rstrip("?").partition(":")
    return f"(?P<{name}>{_CONSTRAINTS.get(constraint, '[^/]+')})", 2 if optional else 1
