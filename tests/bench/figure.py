"""A figure of the bench: what was measured, the floor measured in the same run, what it must reach."""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.azurite_process import Azurite
from local.sandbox.server import Sandbox
from tests.component.import_hub import environment

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Figure:
    """One figure. `floor`: what the same work costs when it is done barely; None where there is no such thing."""

    name: str
    value: float
    wanted: str
    floor: float | None = None

    @property
    def ratio(self) -> float | None:
        """The value in floors."""
        return self.value / self.floor if self.floor else None

    def as_json(self) -> dict[str, Any]:
        """Return the figure as build/bench.json has it."""
        return {
            "figure": self.name,
            "value": round(self.value, 3),
            "floor": None if self.floor is None else round(self.floor, 3),
            "ratio": None if self.ratio is None else round(self.ratio, 2),
            "wanted": self.wanted,
        }

    def __str__(self) -> str:
        """Return the figure as a line of a table."""
        shown = self.as_json()
        floor, ratio = (shown[name] if shown[name] is not None else "-" for name in ("floor", "ratio"))
        return f"{self.name:<66} {shown['value']:>10} floor {floor:>9} ratio {ratio:>6}  {self.wanted}"


def settings_for(azurite: Azurite, sandbox: Sandbox, **more: str) -> dict[str, str]:
    """Return the settings of a hub around the given parts; nothing in it waits for the sake of waiting."""
    given = environment(sandbox, ERP_CALL_TIMEOUT="45", PAYROLL_CALL_TIMEOUT="60", **more)
    return given | {"AzureWebJobsStorage": azurite.connection_string}


def child(module: str, settings: Mapping[str, str], *arguments: str) -> dict[str, Any]:
    """Run a module in a process of its own, settings on its standard input; return the JSON that it prints."""
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        input=json.dumps(dict(settings)),
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result
