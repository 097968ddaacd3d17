"""The envelope of the hub's own API.

An answer is `{requestId, timestamp, status: "success", data, metadata}`, a refusal or failure
`{requestId, timestamp, status: "error", error: {code, message, details: [{field, message}]}, metadata}`.
"""

import json
from collections.abc import Iterable, Mapping, Set
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any

from shared.kernel.clock import to_iso
from shared.kernel.errors import FieldProblem


def success(request_id: str, now: datetime, data: object, metadata: Mapping[str, object] | None = None) -> str:
    """Return the JSON text of an answer. TypeError for data that has no JSON form (see `plain`)."""
    return to_json(success_envelope(request_id, now, data, metadata))


def failure(request_id: str, now: datetime, code: str, message: str, details: Iterable[FieldProblem] = ()) -> str:
    """Return the JSON text of a refusal or failure."""
    return to_json(failure_envelope(request_id, now, code, message, details))


def success_envelope(
    request_id: str, now: datetime, data: object, metadata: Mapping[str, object] | None = None
) -> dict[str, Any]:
    """Return the envelope of an answer. TypeError for data that has no JSON form (see `plain`)."""
    return _head(request_id, now, "success") | {"data": plain(data), "metadata": plain(metadata or {})}


def failure_envelope(
    request_id: str, now: datetime, code: str, message: str, details: Iterable[FieldProblem] = ()
) -> dict[str, Any]:
    """Return the envelope of a refusal or failure."""
    error = {"code": code, "message": message, "details": [plain(problem) for problem in details]}
    return _head(request_id, now, "error") | {"error": error, "metadata": {}}


def to_json(envelope: Mapping[str, object]) -> str:
    """Return an envelope as JSON text. ValueError for a number that is not finite."""
    return json.dumps(envelope, ensure_ascii=False, allow_nan=False)


def plain(value: object) -> Any:  # noqa: ANN401 - JSON
    """Return a value as the API writes it. TypeError when it has no JSON form.

    Decimals become text with two places, instants ISO 8601 with `Z`, enumerations their value or name, dataclasses
    objects with camelCase names, sets sorted lists. Keys of mappings stay as they are.
    """
    match value:
        case Enum():
            return value.value if isinstance(value.value, str) else value.name
        case None | bool() | int() | float() | str():
            return value
        case Decimal():
            return f"{value:.2f}"
        case datetime():
            return to_iso(value)
        case date():
            return value.isoformat()
        case Mapping():
            return {str(key): plain(item) for key, item in value.items()}
        case Set():
            return sorted(plain(item) for item in value)
        case list() | tuple():
            return [plain(item) for item in value]
        case _ if is_dataclass(value) and not isinstance(value, type):
            return {camel_case(field.name): plain(getattr(value, field.name)) for field in fields(value)}
        case _:
            raise TypeError(f"{type(value).__name__} has no JSON form")


def camel_case(name: str) -> str:
    """Return a Python name as JSON writes it: `employee_id` becomes `employeeId`."""
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def _head(request_id: str, now: datetime, status: str) -> dict[str, Any]:
    return {"requestId": request_id, "timestamp": to_iso(now), "status": status}
