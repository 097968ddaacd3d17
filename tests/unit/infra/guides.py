"""The commands of the guides: read out of docs/, and run with an `az` that writes down what it is asked."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.unit.infra.templates import ROOT

_AZ = f"""#!{sys.executable}
import json, os, pathlib, sys
folder = pathlib.Path(os.environ["FAKE_AZ"])
with (folder / "asked.jsonl").open("a") as asked:
    asked.write(json.dumps(sys.argv[1:]) + "\\n")
for begin, answer in json.loads((folder / "answers.json").read_text()).items():
    if " ".join(sys.argv[1:]).startswith(begin):
        print(answer)
"""


def text_of(guide: str) -> str:
    """Return a guide of docs/."""
    return (ROOT / "docs" / guide).read_text()


def section(guide: str, heading: str) -> str:
    """Return what stands below a heading of a guide, up to the next one."""
    found = re.search(rf"^## {re.escape(heading)}$(.*?)(?=^## |\Z)", text_of(guide), re.MULTILINE | re.DOTALL)
    assert found, f"{guide} has no heading {heading!r}"
    return found[1]


def blocks(text: str) -> list[str]:
    """Return the shell commands of a text, block by block."""
    return re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def run_with_az(script: str, answers: Mapping[str, str], folder: Path) -> list[list[str]]:
    """Run a script in a shell; return the arguments of each call of `az`, and of `gh`.

    Both answer by how a command begins.
    """
    az, gh = folder / "bin" / "az", folder / "bin" / "gh"
    az.parent.mkdir()
    for tool in (az, gh):
        tool.write_text(_AZ)
        tool.chmod(0o755)
    (folder / "answers.json").write_text(json.dumps(answers))
    environment = {**os.environ, "PATH": f"{az.parent}:{os.environ['PATH']}", "FAKE_AZ": str(folder)}
    done = subprocess.run(
        ["sh", "-eu", "-c", script], env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in (folder / "asked.jsonl").read_text().splitlines()]
