"""The body and the metadata of a queued message, as the real host hands them to the worker."""

import json
from typing import Any

import azure.functions as func
from azure.functions.meta import Datum

from local.host.index import IndexedFunction


def trigger_data(function: IndexedFunction, content: bytes, values: dict[str, Any]) -> tuple[Datum, dict[str, Datum]]:
    """Return the body and the metadata of a message.

    A function that takes bytes gets them as they are. Of a text that is a JSON object, every top-level property is
    written over the metadata, whatever its case: so does the real host, and so a message can lie about itself.
    """
    if function.options.get("dataType") == func.DataType.BINARY:
        return Datum(content, "bytes"), _metadata(values)
    return Datum(content.decode(errors="replace"), "string"), _metadata(values | _said_by_the_body(content, values))


def _said_by_the_body(content: bytes, values: dict[str, Any]) -> dict[str, Any]:
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(body, dict):
        return {}
    known = {name.lower(): name for name in values}
    return {known[name.lower()]: value for name, value in body.items() if name.lower() in known and _is_said(value)}


def _is_said(value: object) -> bool:
    return isinstance(value, str | int | dict)


def _metadata(values: dict[str, Any]) -> dict[str, Datum]:
    return {name: _datum(value) for name, value in values.items()}


def _datum(value: object) -> Datum:
    if isinstance(value, dict):
        return Datum(json.dumps(value), "json")
    return Datum(value, "int" if isinstance(value, int) else "string")
