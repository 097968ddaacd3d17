"""Starts the app in Microsoft's worker and asks it."""

import json
import subprocess
import sys
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from local.orphan_guard import end_with_parent
from tests.conformance.trigger_data import Datum, Invocation

ROOT = Path(__file__).resolve().parents[2]
_SECONDS = 30


@dataclass(frozen=True)
class Response:
    """What an HTTP function answered."""

    status: int
    headers: Mapping[str, str]
    """By lower-case name."""
    body: bytes

    def json(self) -> Any:
        """Return the body read as JSON."""
        return json.loads(self.body)


class FunctionRaised(Exception):
    """The function raised, or the worker could not call it: the host takes the message for not done."""


class Worker:
    """The app in the worker, with settings as its environment. A context manager."""

    def __init__(self, settings: Mapping[str, str], log: Path, app: Path = ROOT) -> None:
        """Keep everything; what the process logs goes to `log`."""
        self._settings, self._log, self._app = settings, log, app
        self._process: subprocess.Popen[str] | None = None
        self.bindings: dict[str, list[dict[str, Any]]] = {}

    def __enter__(self) -> Self:
        """Start it and have it load the app. AssertionError with what it says when it does not."""
        command = [sys.executable, str(Path(__file__).with_name("worker_process.py")), str(self._app)]
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                end_with_parent(command),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=self._app,
                env=dict(self._settings),
                text=True,
            )
        self.bindings = {one["name"]: one["bindings"] for one in self._ask({})["functions"]}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it."""
        assert self._process
        self._process.communicate(timeout=_SECONDS)

    @property
    def log(self) -> str:
        """What the process has logged."""
        return self._log.read_text(errors="replace")

    def trigger(self, function: str) -> dict[str, Any]:
        """Return the trigger of a function."""
        return next(one for one in self.bindings[function] if one["type"].endswith("Trigger"))

    def invoke(self, function: str, invocation: Invocation) -> Datum | None:
        """Call a function as the host would; return what it returned. FunctionRaised."""
        parameter = str(self.trigger(function)["name"])
        request = {
            "function": function,
            "inputs": [[parameter, invocation.body]],
            "metadata": invocation.metadata,
            "traceparent": invocation.traceparent,
        }
        answer = self._ask(request)
        if answer["raised"]:
            raise FunctionRaised(answer["raised"])
        returned: Datum | None = answer["returned"]
        return returned

    def call(self, function: str, invocation: Invocation) -> Response:
        """Call an HTTP function. FunctionRaised."""
        returned = self.invoke(function, invocation)
        assert returned
        parts = returned["value"]
        headers = {name.lower(): value for name, value in parts["headers"].items()}
        return Response(int(parts["status"]), headers, b64decode(parts["body"]))

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self._process
        assert self._process.stdin
        assert self._process.stdout
        print(json.dumps(request), file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        assert line, f"the worker ended:\n{self.log[-3000:]}"
        answer: dict[str, Any] = json.loads(line)
        return answer
