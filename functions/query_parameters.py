"""What may stand in a query of the hub's own API: parameters that the route has, each once, with a value."""

import re
from collections import Counter
from collections.abc import Iterator
from urllib.parse import unquote_to_bytes

import azure.functions as func

from shared.access.routes import Route
from shared.kernel.errors import FieldProblem, InvalidRequest

MAX_VALUE = 200
_MAX_PAGE_TOKEN = 4000
"""Characters; a token holds a position of the table service, which may have two keys of 1 KiB."""
_SHOWN = 80
"""Characters of a name that the caller made up."""


def check_query(route: Route, request: func.HttpRequest) -> None:
    """Refuse a query that would be understood otherwise than it was meant. InvalidRequest names each parameter.

    A parameter that nobody reads, a second value of one, or an empty one would select more than was asked for; an
    empty `pageToken` asks for the first page.
    """
    problems = tuple(_problems(route, request))
    if problems:
        raise InvalidRequest(f"the query is not valid: {problems[0].field}: {problems[0].message}", problems)


def _problems(route: Route, request: func.HttpRequest) -> Iterator[FieldProblem]:
    names: Counter[str] = Counter()
    for part in _raw_query(request).split("&"):
        name = _decoded(part.partition("=")[0])
        if name is None or _decoded(part) is None:
            yield FieldProblem((name or "query")[:_SHOWN], "is not percent-encoded UTF-8")
        elif part:
            names[name] += 1
    for name in dict.fromkeys((*request.params, *names)):
        if problem := _problem(route, name, str(request.params.get(name, "")), names[name]):
            yield FieldProblem(name[:_SHOWN] or "query", problem)


def _problem(route: Route, name: str, value: str, times: int) -> str:
    longest = _MAX_PAGE_TOKEN if name == "pageToken" else MAX_VALUE
    if name not in route.query:
        return f"is not a parameter here: there are {', '.join(route.query) or 'none'}"
    if times > 1:
        return "must be given once"
    if not value and name != "pageToken":
        return "is empty: leave it out, or give a value"
    if len(value) > longest:
        return f"must have at most {longest} characters"
    return "must hold no control characters" if re.search(r"[\x00-\x1f\x7f]", value) else ""


def _raw_query(request: func.HttpRequest) -> str:
    return str(request.url).partition("?")[2].partition("#")[0]


def _decoded(text: str) -> str | None:
    """Return the text of a part of a query, None where it is no percent-encoded UTF-8."""
    if re.search(r"%(?![0-9A-Fa-f]{2})", text):
        return None
    try:
        return unquote_to_bytes(text.replace("+", " ")).decode()
    except UnicodeError:
        return None
