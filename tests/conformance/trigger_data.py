"""What the host sends to the worker when a trigger fires: the body, and the metadata of the trigger."""

import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Datum = dict[str, Any]
"""`{"type", "value"}`, bytes as base64."""


@dataclass(frozen=True)
class Invocation:
    """What a function is called with."""

    body: Datum
    metadata: dict[str, Datum] = field(default_factory=dict)
    traceparent: str = ""
    """The host's position in a trace; it has one where it sends telemetry."""


def http(
    method: str,
    route: str,
    *,
    path: Mapping[str, str] | None = None,
    query: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
) -> Invocation:
    """Return a request; `path` are the route parameters. The worker gets names of headers in lower case."""
    parts = {
        "method": _text(method),
        "url": _text(f"https://hub.example.com/api/{route}"),
        "headers": {name.lower(): _text(value) for name, value in (headers or {}).items()},
        "params": {name: _text(value) for name, value in (path or {}).items()},
        "query": {name: _text(value) for name, value in (query or {}).items()},
        "body": _bytes(body),
    }
    return Invocation({"type": "http", "value": parts})


def timer(*, past_due: bool = False) -> Invocation:
    """Return the tick of a timer."""
    status = {"Last": "2025-01-20T00:00:00+00:00", "Next": "2025-01-21T01:00:00+00:00"}
    content = {"Schedule": {"AdjustForDST": True}, "ScheduleStatus": status, "IsPastDue": past_due}
    return Invocation({"type": "json", "value": json.dumps(content)})


def blob(trigger: Mapping[str, Any], name: str, content: bytes) -> Invocation:
    """Return the event of a new blob in the container that a trigger watches."""
    container = str(trigger["path"]).partition("/")[0]
    metadata = {
        "BlobTrigger": f"{container}/{name}",
        "Uri": f"https://storage.example.com/{container}/{name}",
        "Properties": {"ETag": '"0x8D"', "ContentLength": len(content)},
        "Metadata": {},
        "name": name,
    }
    return _with_body(trigger, content, metadata)


def message(trigger: Mapping[str, Any], content: bytes, **metadata: Any) -> Invocation:
    """Return a queued message, by whichever transport the function has; `metadata` is said beside the usual.

    None leaves a name out that the host usually sends.
    """
    usual = _SERVICE_BUS if trigger["type"] == "serviceBusTrigger" else _STORAGE_QUEUE
    said = {name: value for name, value in (usual | metadata).items() if value is not None}
    return _with_body(trigger, content, said)


_STORAGE_QUEUE: dict[str, Any] = {
    "Id": "7f3f9a52-1c1b-4f0e-9a55-6a2f6b1d2c11",
    "DequeueCount": 1,
    "PopReceipt": "AgAAAAMAAAAAAAAA",
    "InsertionTime": "2025-01-20T01:00:00+00:00",
    "ExpirationTime": "2025-01-27T01:00:00+00:00",
    "NextVisibleTime": "2025-01-20T01:10:00+00:00",
}
_SERVICE_BUS: dict[str, Any] = {
    "MessageId": "0194876f-0000-7000-8000-000000000001",
    "DeliveryCount": 1,
    "LockToken": "7f3f9a52-1c1b-4f0e-9a55-6a2f6b1d2c11",
    "SequenceNumber": 17,
    "EnqueuedSequenceNumber": 17,
    "EnqueuedTimeUtc": "2025-01-20T01:00:00",
    "ExpiresAtUtc": "2025-01-27T01:00:00",
    "ContentType": "application/json",
    "ApplicationProperties": {},
    "UserProperties": {},
}


def _with_body(trigger: Mapping[str, Any], content: bytes, metadata: dict[str, Any]) -> Invocation:
    """Return body and metadata. Of a text that is a JSON object, the host writes the properties over the metadata."""
    if trigger.get("dataType") == "BINARY":
        return Invocation(_bytes(content), {name: _said(value) for name, value in metadata.items()})
    text = content.decode(errors="replace")
    known = {name.lower(): name for name in metadata}
    for name, value in _properties(text).items():
        metadata[known.get(name.lower(), name)] = value if isinstance(value, dict) else str(value)
    return Invocation(_text(text), {name: _said(value) for name, value in metadata.items()})


def _properties(text: str) -> dict[str, Any]:
    try:
        content = json.loads(text)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _said(value: Any) -> Datum:
    if isinstance(value, dict):
        return {"type": "json", "value": json.dumps(value)}
    return {"type": "int", "value": value} if isinstance(value, int) else _text(str(value))


def _text(value: str) -> Datum:
    return {"type": "string", "value": value}


def _bytes(value: bytes) -> Datum:
    return {"type": "bytes", "value": b64encode(value).decode()}
