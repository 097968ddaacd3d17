"""The envelope of the hub's own API: `{requestId, timestamp, status, data | error, metadata}`."""

import json
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any

from shared.kernel.clock import to_iso
from shared.kernel.errors import FieldProblem


def success(request_id: str, now: datetime, data: object, metadata: Mapping[str, object] | None = None) -> str:
    """Return the JSON text of an answer."""
    return _envelope(request_id, now, "success", {"data": data}, metadata)


def failure(request_id: str, now: datetime, code: str, message: str, details: tuple[FieldProblem, ...] = ()) -> str:
    """Return the JSON text of a refusal or failure."""
    error = {
        "code": code,
        "message": message,
        "details": [{"field": problem.field, "message": problem.message} for problem in details],
    }
    return _envelope(request_id, now, "error", {"error": error}, None)


def _envelope(
    request_id: str, now: datetime, status: str, content: dict[str, Any], metadata: Mapping[str, object] | None
) -> str:
    head = {"requestId": request_id, "timestamp": to_iso(now), "status": status}
    return json.dumps(head | content | {"metadata": dict(metadata or {})}, default=_plain, ensure_ascii=False)


def _plain(value: object) -> object:
    match value:
        case Decimal():
            return f"{value:.2f}"
        case datetime():
            return to_iso(value)
        case date():
            return value.isoformat()
        case Enum():
            return value.value
        case _:
            raise TypeError(f"{type(value).__name__} has no JSON form")
