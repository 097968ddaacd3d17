"""One wording of our own for each kind of problem that pydantic finds."""

import re
from datetime import date
from typing import Annotated, Any, Literal, get_args

import pytest
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import _pydantic_core, core_schema

from shared.kernel.errors import FieldProblem
from shared.kernel.field_problems import field_problems, wording

KINDS: dict[str, Any] = {one["type"]: one for one in _pydantic_core.list_all_errors()}


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_has_words_of_our_own(kind: str) -> None:
    """A new version of pydantic that finds a new kind of problem fails here."""
    said = wording(kind, KINDS[kind]["example_context"] or {})
    if kind not in ("value_error", "assertion_error"):  # These have the words of a validator of ours.
        assert said != "is not valid"
    assert re.match(r"(is|must|has|holds) ", said)
    assert not re.search(r"Input|should|valid (string|integer|dict)|python|dictionary|frozenset|https", said)
    assert said != KINDS[kind]["message_template_python"]


def test_the_kinds_that_are_walked_are_all_there_are() -> None:
    assert set(KINDS) == set(get_args(core_schema.ErrorType))


def _known(value: str) -> str:
    raise ValueError(f"{value!r} is no colour")


class Line(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    name: Annotated[str, Field(min_length=1, max_length=3)]
    count: int = Field(default=1, ge=1, le=9)
    day: date | None = None
    at: AwareDatetime | None = None
    kind: Literal["a", "b"] = "a"
    colour: Annotated[str, AfterValidator(_known)] | None = None
    tags: list[str] = Field(default_factory=list, max_length=1)


class Order(BaseModel):
    lines: list[Line] = Field(min_length=1)


@pytest.mark.parametrize(
    ("line", "field", "message"),
    [
        ({}, "name", "is missing"),
        ({"name": ""}, "name", "must not be empty"),
        ({"name": "long"}, "name", "must have at most 3 characters"),
        ({"name": "\ud800"}, "name", "must be valid Unicode text"),
        ({"name": 7}, "name", "must be text"),
        ({"name": "a", "count": "many"}, "count", "must be a whole number"),
        ({"name": "a", "count": 0}, "count", "must be at least 1"),
        ({"name": "a", "count": 10}, "count", "must be at most 9"),
        ({"name": "a", "count": "9" * 5000}, "count", "has too many digits"),
        ({"name": "a", "day": "soon"}, "day", "must be a date such as 2025-01-31"),
        ({"name": "a", "at": "2025-01-31T12:00:00"}, "at", "must have a UTC offset: 2025-01-31T12:00:00Z"),
        ({"name": "a", "kind": "c"}, "kind", "must be 'a' or 'b'"),
        ({"name": "a", "colour": "loud"}, "colour", "'loud' is no colour"),
        ({"name": "a", "tags": ["x", "y"]}, "tags", "must have at most 1 item"),
        ({"name": "a", "size": 1}, "size", "is not a known field"),
    ],
)
def test_what_a_sender_is_told(line: dict[str, Any], field: str, message: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Order.model_validate({"lines": [line]})
    assert field_problems(refused.value) == (FieldProblem(f"lines.0.{field}", message),)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("{", "is not valid JSON (line 1, column 1)"),
        ('{"lines": [}', "is not valid JSON (line 1, column 12)"),
        ("[]", "must be an object"),
        ("[" * 100_000, "is nested too deeply"),
    ],
)
def test_a_body_that_is_none_is_a_problem_of_the_whole(body: str, message: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Order.model_validate_json(body)
    assert field_problems(refused.value) == (FieldProblem("", message),)


def test_a_field_that_a_sender_made_up_is_cut_and_no_more_problems_are_told_than_asked_for() -> None:
    with pytest.raises(ValidationError) as refused:
        Line.model_validate({"name": "a", **{f"{number}{'x' * 1000}": 1 for number in range(9)}})
    found = field_problems(refused.value, most=3)
    assert [len(one.field) for one in found] == [200, 200, 200]
