"""JSON that has one meaning: UTF-8 (RFC 8259, 8.1), each name once in an object (RFC 7493, 2.3), finite numbers.

Everything that comes from outside is read through here: requests, webhooks, partners' answers, dropped files, messages.
A name that stands twice is not decided by its order, and a number that cannot be computed with is not guessed.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeVar

from pydantic import BaseModel

Model = TypeVar("Model", bound=BaseModel)

MAX_DEPTH = 64
"""Levels of arrays and objects: whatever works on the content may call itself once a level."""
MAX_DIGITS = 1000
"""Of a number, also one that is written with an exponent; Python refuses to read a whole number of 4,300."""
_MAX_SHOWN = 8000
_TOO_DEEP = "is nested too deeply"
_BYTE_ORDER_MARK = "\ufeff"


class NotJson(ValueError):
    """The content is no JSON, or has no one meaning; the message says why and quotes no value.

    `field` is the name that stands twice, "" where it is something else.
    """

    def __init__(self, message: str, field: str = "") -> None:
        """Keep what is wrong, and with which field."""
        super().__init__(message)
        self.field = field


@dataclass(frozen=True)
class Unreadable:
    """Stands where something stood that has no one meaning. `text` is what it was, long ones cut; `field` as above."""

    reason: str
    text: str
    field: str = ""


_OF_MORE = frozenset({dict, list, Unreadable})
"""Types of what must be looked into; asked for often."""


def read_json(content: bytes | str) -> Any:  # noqa: ANN401 - JSON
    """Return the content, numbers with a point or an exponent as Decimal. NotJson."""
    found = _parse(_text(content))
    problem = _problem_in(found)
    if problem:
        raise NotJson(problem.reason, problem.field)
    return found


def read_json_item(content: bytes | str) -> Any:  # noqa: ANN401 - JSON
    """Return the content, or an Unreadable where it has no one meaning. NotJson where it is no JSON."""
    return _readable(_parse(_text(content)))


def read_json_items(content: bytes | str) -> Any:  # noqa: ANN401 - JSON
    """Return the content as `read_json` does, but one bad item of a list at the top level costs no other.

    Of an object whose members are lists, such as a page of records, an item that has no one meaning is an Unreadable.
    NotJson where anything else has none.
    """
    found = _parse(_text(content))
    if not isinstance(found, dict):
        problem = _problem_in(found)
    else:
        for name, value in found.items():
            if isinstance(value, list):
                found[name] = [_readable(item) for item in value]
        problem = _problem_in({name: value for name, value in found.items() if not isinstance(value, list)})
    if problem:
        raise NotJson(problem.reason, problem.field)
    return found


def read_model(model: type[Model], content: bytes | str) -> Model:
    """Return the content as a model. NotJson; pydantic's ValidationError where it is JSON of another shape."""
    text = _text(content)
    problem = _problem_in(_parse(text))
    if problem:
        raise NotJson(problem.reason, problem.field)
    return model.model_validate_json(text)


def _text(content: bytes | str) -> str:
    if isinstance(content, bytes):
        try:
            content = content.decode()
        except UnicodeDecodeError as error:
            raise NotJson(f"is not valid JSON: byte {error.start} is not UTF-8") from None
    return content.removeprefix(_BYTE_ORDER_MARK)


def _parse(text: str) -> Any:  # noqa: ANN401 - JSON
    """Return the content with an Unreadable wherever something has no one meaning. NotJson."""
    try:
        return json.loads(text, object_pairs_hook=_object, parse_float=_decimal, parse_constant=_constant)
    except ValueError:
        pass  # perhaps for a whole number alone: read again, by a function that costs more
    except RecursionError:
        raise NotJson(_TOO_DEEP) from None
    try:
        return json.loads(
            text, object_pairs_hook=_object, parse_float=_decimal, parse_int=_integer, parse_constant=_constant
        )
    except json.JSONDecodeError as error:
        raise NotJson(f"is not valid JSON (line {error.lineno}, column {error.colno})") from None


def _object(pairs: list[tuple[str, Any]]) -> Any:  # noqa: ANN401 - JSON
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    seen: set[str] = set()
    repeated = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
    twice = repeated[:100].encode(errors="replace").decode()
    text = ", ".join(f"{json.dumps(name, ensure_ascii=False)}: {_written(value)}" for name, value in pairs)
    return Unreadable(f"gives {twice!r} more than once", f"{{{text}}}"[:_MAX_SHOWN], twice)


def _decimal(digits: str) -> object:
    try:
        number = Decimal(digits)
        # As a whole number, 1E+99999999 keeps a processor busy for minutes.
        if len(digits) <= MAX_DIGITS and -MAX_DIGITS <= number.adjusted() <= MAX_DIGITS:
            return number
    except ArithmeticError:
        pass
    return Unreadable(f"has a number that cannot be computed with: {digits[:20]}...", digits[:_MAX_SHOWN])


def _integer(digits: str) -> object:
    if len(digits) <= MAX_DIGITS:
        return int(digits)
    return Unreadable(f"has a number of {len(digits.lstrip('-'))} digits", digits[:_MAX_SHOWN])


def _constant(name: str) -> Unreadable:
    return Unreadable(f"has {name}, which is no number of JSON", name)


def _readable(item: Any) -> Any:  # noqa: ANN401 - JSON
    problem = _problem_in(item)
    return Unreadable(problem.reason, _written(item)[:_MAX_SHOWN], problem.field) if problem else item


def _problem_in(value: object) -> Unreadable | None:
    """Return the first thing that has no one meaning; none of it is looked at by recursion."""
    level: list[object] = [value]
    for _ in range(MAX_DEPTH + 1):
        deeper: list[object] = []
        for one in level:
            if isinstance(one, Unreadable):
                return one
            deeper += _inside(one)
        if not deeper:
            return None
        level = deeper
    return Unreadable(_TOO_DEEP, "")


def _inside(value: object) -> Iterable[object]:
    members = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    if _OF_MORE.isdisjoint(map(type, members)):
        return ()
    return [one for one in members if type(one) in _OF_MORE]


def _written(value: object, level: int = 0) -> str:
    """Return content as JSON text, as exactly as it is known."""
    if level > MAX_DEPTH:
        return "..."
    match value:
        case Unreadable():
            return value.text
        case dict():
            members = (f"{json.dumps(k, ensure_ascii=False)}: {_written(v, level + 1)}" for k, v in value.items())
            return "{" + ", ".join(members) + "}"
        case list():
            return "[" + ", ".join(_written(one, level + 1) for one in value) + "]"
        case Decimal():
            return str(value)
        case _:
            return json.dumps(value, ensure_ascii=False)
