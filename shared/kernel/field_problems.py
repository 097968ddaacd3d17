"""What pydantic finds wrong with an input, in the hub's own words: one wording for each kind of problem.

Whoever sends something is told the field and what it must be, in the same words at every border. What the library
itself would say changes with its version, and names Python's types.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from shared.kernel.errors import FieldProblem, InvalidRequest
from shared.kernel.strict_json import NotJson

if TYPE_CHECKING:
    from pydantic import ValidationError

_LONGEST_FIELD = 200
"""Characters of a field's name, which may be the sender's own."""
_UNKNOWN_KIND = "is not valid"

_KINDS: Mapping[str, tuple[str, ...]] = {
    "is missing": (
        "missing",
        "missing_argument",
        "missing_keyword_only_argument",
        "missing_positional_only_argument",
        "missing_sentinel_error",
    ),
    "is not a known field": (
        "extra_forbidden",
        "no_such_attribute",
        "unexpected_keyword_argument",
        "unexpected_positional_argument",
    ),
    "is given more than once": ("multiple_argument_values",),
    "must not be changed": ("frozen_field", "frozen_instance"),
    "must be absent or null": ("none_required", "ellipsis_error"),
    "is nested too deeply": ("recursion_loop", "recursion_depth_exceeded"),
    "must be text": (
        "string_type",
        "bytes_type",
        "json_type",
        "invalid_key",
    ),
    "must be valid Unicode text": ("string_unicode", "bytes_invalid_encoding"),
    "must hold ASCII characters alone": ("string_not_ascii",),
    "must match the pattern {pattern}": ("string_pattern_mismatch",),
    "must be {expected}": ("enum", "literal_error"),
    "must be an object": (
        "model_type",
        "model_attributes_type",
        "dataclass_type",
        "dataclass_exact_type",
        "named_tuple_type",
        "dict_type",
        "frozen_dict_type",
        "ordered_dict_type",
        "counter_type",
        "mapping_type",
        "arguments_type",
    ),
    "must be a list": (
        "list_type",
        "tuple_type",
        "set_type",
        "frozen_set_type",
        "deque_type",
        "iterable_type",
        "iteration_error",
    ),
    "must hold plain values": ("set_item_not_hashable",),
    "must be true or false": ("bool_type", "bool_parsing"),
    "must be a whole number": ("int_type", "int_parsing", "int_from_float"),
    "has too many digits": ("int_parsing_size", "decimal_max_digits", "decimal_whole_digits"),
    "must be a number": (
        "float_type",
        "float_parsing",
        "decimal_type",
        "decimal_parsing",
        "finite_number",
        "fraction_type",
        "fraction_parsing",
        "complex_type",
        "complex_str_parsing",
    ),
    "must have at most {decimal_places} decimals": ("decimal_max_places",),
    "must be greater than {gt}": ("greater_than",),
    "must be at least {ge}": ("greater_than_equal",),
    "must be less than {lt}": ("less_than",),
    "must be at most {le}": ("less_than_equal",),
    "must be a multiple of {multiple_of}": ("multiple_of",),
    "must be a date such as 2025-01-31": (
        "date_type",
        "date_parsing",
        "date_from_datetime_parsing",
        "date_from_datetime_inexact",
    ),
    "must lie in the past": ("date_past", "datetime_past"),
    "must lie in the future": ("date_future", "datetime_future"),
    "must be a time such as 06:30": ("time_type", "time_parsing"),
    "must be a duration": ("time_delta_type", "time_delta_parsing"),
    "must be an instant such as 2025-01-31T12:00:00Z": (
        "datetime_type",
        "datetime_parsing",
        "datetime_object_invalid",
        "datetime_from_date_parsing",
    ),
    "must have a UTC offset: 2025-01-31T12:00:00Z": ("timezone_aware", "timezone_offset"),
    "must not have a UTC offset": ("timezone_naive",),
    "must be a URL": ("url_type", "url_parsing", "url_syntax_violation"),
    "must be a URL that begins with {expected_schemes}": ("url_scheme",),
    "must be a UUID": ("uuid_type", "uuid_parsing", "uuid_version"),
    "must be of a known kind": ("union_tag_invalid", "union_tag_not_found"),
    "is of a wrong type": (
        "is_instance_of",
        "is_subclass_of",
        "callable_type",
        "get_attribute_error",
        "needs_python_object",
        "default_factory_not_called",
    ),
}
_WORDINGS: Mapping[str, str] = MappingProxyType({kind: text for text, kinds in _KINDS.items() for kind in kinds})

_COUNTED = {
    "string_too_short": ("min_length", "least", "character"),
    "string_too_long": ("max_length", "most", "character"),
    "bytes_too_short": ("min_length", "least", "byte"),
    "bytes_too_long": ("max_length", "most", "byte"),
    "too_short": ("min_length", "least", "item"),
    "too_long": ("max_length", "most", "item"),
    "url_too_long": ("max_length", "most", "character"),
}
"""Kind -> the limit's name, which limit it is, and what is counted."""


def refused_body(what: str, error: "ValidationError", *, inside: str = "") -> InvalidRequest:
    """Return the refusal of a body: `what` it is, and what is wrong with each field (`inside` which object it is)."""
    problems = tuple(
        FieldProblem(".".join(filter(None, (inside, one.field))) or "body", one.message)
        for one in field_problems(error)
    )
    return InvalidRequest(f"{what} is not valid: {problems[0].field}: {problems[0].message}", problems)


def unreadable_body(what: str, error: NotJson) -> InvalidRequest:
    """Return the refusal of a body that is no JSON, or has no one meaning."""
    problem = FieldProblem(error.field or "body", str(error))
    return InvalidRequest(f"{what} is not valid: {problem.field}: {problem.message}", (problem,))


def field_problems(error: "ValidationError", *, most: int = 50) -> tuple[FieldProblem, ...]:
    """Return what is wrong, field by field (`lines.0.price`; "" for the whole), the first `most` of it."""
    found = error.errors(include_url=False, include_input=False)[:most]
    return tuple(
        FieldProblem(".".join(map(str, one["loc"]))[:_LONGEST_FIELD], wording(one["type"], one.get("ctx", {})))
        for one in found
    )


def wording(kind: str, context: Mapping[str, Any]) -> str:
    """Return what a kind of problem is called, from pydantic's name of it and the values that belong to it."""
    if kind in _COUNTED:
        limit, side, unit = _COUNTED[kind]
        number = context[limit]
        if (side, number) == ("least", 1):
            return "must not be empty"
        return f"must have at {side} {number} {unit}{'' if number == 1 else 's'}"
    match kind:
        case "value_error" | "assertion_error":
            return _said_by_a_validator(context.get("error"))
        case "json_invalid":
            said = str(context.get("error"))
            if "recursion" in said:
                return "is nested too deeply"
            place = re.search(r"line (\d+) column (\d+)", said)
            return f"is not valid JSON (line {place[1]}, column {place[2]})" if place else "is not valid JSON"
        case _:
            return _WORDINGS.get(kind, _UNKNOWN_KIND).format_map(context)


def _said_by_a_validator(error: object) -> str:
    """Return the words of a validator of ours; Python's own about text that is none are replaced."""
    if isinstance(error, UnicodeError):
        return "must be valid Unicode text"
    return str(error) if error else _UNKNOWN_KIND
