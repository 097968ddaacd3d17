"""JSON as partners send it: money stays exact, and what is not JSON is refused."""

import json
from decimal import Decimal
from typing import Any, NoReturn

from shared.adapters.http_wire import WireAnswer
from shared.kernel.errors import MalformedResponse


def read_json(partner: str, label: str, answer: WireAnswer) -> Any:  # noqa: ANN401 - JSON
    """Return the parsed body, numbers with a decimal point or exponent as Decimal.

    MalformedResponse for another content type, bad JSON, NaN and Infinity.
    """
    kind = answer.content_type
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        raise MalformedResponse(partner, f"{label} answered {kind or 'no content type'} instead of JSON")
    try:
        return json.loads(answer.body, parse_float=Decimal, parse_constant=_refuse)
    except (ValueError, ArithmeticError, RecursionError):
        problem = f"{label} answered {len(answer.body)} bytes that are no JSON"
    raise MalformedResponse(partner, problem)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")
