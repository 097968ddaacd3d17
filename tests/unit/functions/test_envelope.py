"""The envelope of the API, and how values are written in it."""

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from typing import Any

import pytest

from shared.kernel.envelope import failure, failure_envelope, plain, success, success_envelope
from shared.kernel.errors import FieldProblem

NOW = datetime(2025, 1, 15, 1, tzinfo=UTC)


class Status(StrEnum):
    PARTIAL = "PartialSuccess"


class Level(IntEnum):
    High = 3


class Colour(Enum):
    RED = 1


@dataclass(frozen=True)
class Line:
    employee_id: str
    gross_amount: Decimal


def test_an_answer() -> None:
    assert success_envelope("r-1", NOW, [1], {"next_page": None}) == {
        "requestId": "r-1",
        "timestamp": "2025-01-15T01:00:00.000Z",
        "status": "success",
        "data": [1],
        "metadata": {"next_page": None},
    }
    assert json.loads(success("r-1", NOW, [1], {"next_page": None})) == success_envelope(
        "r-1", NOW, [1], {"next_page": None}
    )


def test_a_refusal() -> None:
    given = ("r-1", NOW, "InvalidRequest", "no", (FieldProblem("storeId", "is missing"),))
    assert failure_envelope(*given) == {
        "requestId": "r-1",
        "timestamp": "2025-01-15T01:00:00.000Z",
        "status": "error",
        "error": {
            "code": "InvalidRequest",
            "message": "no",
            "details": [{"field": "storeId", "message": "is missing"}],
        },
        "metadata": {},
    }
    assert json.loads(failure(*given)) == failure_envelope(*given)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (Decimal("10"), "10.00"),
        (Decimal("-0.5"), "-0.50"),
        (Decimal("1E+5"), "100000.00"),
        (NOW.astimezone(timezone(timedelta(hours=2))), "2025-01-15T01:00:00.000Z"),
        (date(2025, 1, 15), "2025-01-15"),
        (Status.PARTIAL, "PartialSuccess"),
        (Level.High, "High"),
        (Colour.RED, "RED"),
        (Line("E1", Decimal("1.5")), {"employeeId": "E1", "grossAmount": "1.50"}),
        ({"lines": (Line("E1", Decimal(1)),)}, {"lines": [{"employeeId": "E1", "grossAmount": "1.00"}]}),
        pytest.param(frozenset({"b", "a"}), ["a", "b"], id="a set"),  # as text it is another one in each process
        ("Größe", "Größe"),
        (True, True),
        (None, None),
    ],
    ids=str,
)
def test_how_values_are_written(value: object, written: Any) -> None:
    assert plain(value) == written
    assert type(plain(value)) is type(written)


@pytest.mark.parametrize("value", [object(), b"bytes", Line, {"a": [object()]}], ids=["object", "bytes", "class", "in"])
def test_what_has_no_json_form_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match="no JSON form"):
        success("r", NOW, value)


def test_a_number_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        success("r", NOW, float("nan"))
