"""Runs the commands of a runbook as they are written."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from local.client import HubClient

_PATH = "/usr/local/bin:/usr/bin:/bin"


def run_as_written(runbook: Path, admin: HubClient, folder: Path, **variables: str) -> str:
    """Return what all commands print, one after the other in one shell, as an operator has it.

    `HUB` and `TOKEN` are set, and the given variables; the output of each command begins on a line of its own.
    AssertionError when a command fails or a variable is not set. Files that are fetched lie in the folder.
    """
    if not shutil.which("curl"):
        pytest.skip("the runbook's commands need curl")
    blocks = re.findall(r"^ *```sh\n(.*?)^ *```", runbook.read_text(), re.MULTILINE | re.DOTALL)
    lines = [line.strip() for block in blocks for line in block.splitlines()]
    assert lines
    token = str(admin.session.headers["Authorization"]).removeprefix("Bearer ")
    given = {"HUB": admin.base.removesuffix("/api/v1"), "TOKEN": token, **variables}
    done = subprocess.run(
        [shutil.which("bash") or "/bin/sh", "-c", "set -eu\n" + "\necho\n".join(lines)],
        cwd=folder,
        env={"PATH": _PATH, **given},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def answers_in(printed: str) -> list[dict[str, Any]]:
    """Return the hub's answers in what was printed. AssertionError when it refused anything."""
    answers = [json.loads(line) for line in printed.splitlines() if line.startswith("{")]
    assert [one["error"] for one in answers if one["status"] != "success"] == []
    return answers
