"""The Bicep compiler: `../shared/bin/bicep` beside the repository, or `bicep` on the PATH."""

import json
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

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
    environment = {**os.environ, "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT": "1"}
    command = [str(compiler()), *arguments]
    return subprocess.run(command, cwd=INFRA, env=environment, capture_output=True, text=True, check=False, timeout=120)


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
