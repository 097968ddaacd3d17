"""JSON as partners send it: money stays exact, and what is not JSON, or has no one meaning, is refused."""

from typing import Any

from shared.adapters.http_wire import WireAnswer
from shared.kernel.errors import MalformedResponse
from shared.kernel.strict_json import NotJson, read_json, read_json_items


def read_answer(partner: str, label: str, answer: WireAnswer, *, items: bool = False) -> Any:  # noqa: ANN401 - JSON
    """Return the parsed body, numbers with a decimal point or exponent as Decimal.

    With `items`, a bad item of a list at the top level is an Unreadable (`strict_json.read_json_items`).
    MalformedResponse for another content type, and for what is no JSON or has no one meaning.
    """
    kind = answer.content_type
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        raise MalformedResponse(partner, f"{label} answered {kind or 'no content type'} instead of JSON")
    try:
        return read_json_items(answer.body) if items else read_json(answer.body)
    except NotJson as error:
        problem = f"{label} answered {len(answer.body)} bytes that are no JSON with one meaning: the answer {error}"
    raise MalformedResponse(partner, problem)
