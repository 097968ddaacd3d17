"""The Bicep compiler: `../shared/bin/bicep` beside the repository, or `bicep` on the PATH."""

import json
import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from tests.unit.infra.templates import INFRA, ROOT


def compiler() -> Path:
    """Return the compiler. In CI a missing one fails the test; elsewhere it skips it."""
    beside = ROOT.parent / "shared" / "bin" / "bicep"
    if beside.exists():
        return beside
    if found := shutil.which("bicep"):
        return Path(found)
    message = "the Bicep compiler is neither at ../shared/bin/bicep nor on the PATH"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


@cache
def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the compiler in the folder of the templates; the same arguments are run once."""
    return _run(INFRA, *arguments)


def _run(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT": "1", **variables}
    command = [str(compiler()), *arguments]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=120
    )


@cache
def compiled(name: str) -> dict[str, Any]:
    """Return a template as Resource Manager gets it."""
    done = run("build", name, "--stdout")
    assert done.returncode == 0, done.stderr
    template: dict[str, Any] = json.loads(done.stdout)
    return template


@cache
def parameters(name: str) -> dict[str, Any]:
    """Return the values of a parameters file by name."""
    done = run("build-params", name, "--stdout")
    assert done.returncode == 0, done.stderr
    values = json.loads(json.loads(done.stdout)["parametersJson"])["parameters"]
    return {key: one["value"] for key, one in values.items()}


_WHERE = ("--subscription-id", str(UUID(int=0)), "--resource-group", "a-group", "--location", "westeurope")


class Refused(Exception):
    """The templates refuse the parameters; the text says why."""


def predicted(folder: Path, *lines: str, **variables: str) -> dict[str, list[dict[str, Any]]]:
    """Return the resources that a deployment would make, by type. Refused.

    The parameters are those of main.bicepparam, its `lines` of the same name replaced and the others added, read with
    these environment variables. A `folder` is used once.
    """
    shutil.copytree(INFRA, folder)
    file = folder / "main.bicepparam"
    text = file.read_text()
    for line in lines:
        name = line.split("=")[0]
        # Of several lines all but the first are indented, or close a bracket.
        text = re.sub(rf"^{re.escape(name)}=.*\n(?:[ \]}}].*\n)*", "", text, flags=re.MULTILINE) + f"\n{line}\n"
    file.write_text(text)
    done = _run(folder, "snapshot", file.name, "--mode", "overwrite", *_WHERE, **variables)
    if done.returncode:
        raise Refused(done.stderr)
    found: dict[str, list[dict[str, Any]]] = {}
    for one in json.loads((folder / "main.snapshot.json").read_text())["predictedResources"]:
        found.setdefault(one["type"], []).append(one)
    return found
