"""The functions of the app as the host sees them: `functions.json`, for each transport.

What is listed there is the app's contract with the platform: scaling, timers' state, webhook addresses and alerts all
go by these names. After a deliberate change, write it anew on Python 3.13:

    .venv-3.13/bin/python -m tests.conformance.functions
"""

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from shared.adapters import settings
from tests.conformance.worker import Worker

LIST = Path(__file__).with_name("functions.json")
_SETTING = "HUB_QUEUES"

TRANSPORTS = (
    ("storage", "servicebus")
    if any(
        field.alias == _SETTING
        for group in settings.kinds.Group.__subclasses__()
        for field in group.model_fields.values()
    )
    else ("storage",)
)
"""The values of HUB_QUEUES; storage queues alone where there is no such setting."""

Functions = dict[str, list[dict[str, Any]]]


def recorded(transport: str) -> Functions:
    """Return the checked-in functions, each with its bindings."""
    content: dict[str, Functions] = json.loads(LIST.read_text())
    return content[transport]


def _record() -> None:
    found: dict[str, Functions] = {}
    with tempfile.TemporaryDirectory() as folder:
        for transport in TRANSPORTS:
            settings = {"PATH": os.environ["PATH"], _SETTING: transport}
            with Worker(settings, Path(folder) / "log.txt") as worker:
                found[transport] = dict(sorted(worker.bindings.items()))
    lines = [
        f"  {json.dumps(transport)}: {{\n"
        + ",\n".join(f"    {json.dumps(name)}: {json.dumps(bindings)}" for name, bindings in functions.items())
        + "\n  }"
        for transport, functions in found.items()
    ]
    LIST.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    _record()
