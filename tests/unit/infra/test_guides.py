"""What docs/deploy.md and docs/github-actions.md tell somebody to run."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.infra.guides import blocks, run_with_az, section, text_of
from tests.unit.infra.templates import ROOT

GUIDES = ("deploy.md", "github-actions.md")
COMMANDS = [(guide, number, block) for guide in GUIDES for number, block in enumerate(blocks(text_of(guide)), 1)]


@pytest.mark.parametrize(("guide", "number", "block"), COMMANDS, ids=[f"{one[0]}-{one[1]}" for one in COMMANDS])
def test_commands_can_be_pasted(guide: str, number: int, block: str) -> None:
    """No error of syntax, and no `<placeholder>` that a shell would take for a file, outside of quotes."""
    checker = shutil.which("shellcheck", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    assert checker, "shellcheck comes with requirements-dev.txt"
    done = subprocess.run(
        [checker, "--shell=sh", "--severity=error", "-"], input=block, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{guide}, block {number}: {done.stdout}"
    assert not re.search(r"<[a-z ]+>", re.sub(r"\"[^\"]*\"|'[^']*'", "", block)), f"{guide}, block {number}"


def test_github_s_applications_get_the_roles_that_the_text_promises(tmp_path: Path) -> None:
    """Each its own: the plan may ask what would change, and write nothing."""
    (script,) = blocks(section("github-actions.md", "Set it up once"))
    answers = {
        "group show": "/subscriptions/s/resourceGroups/rg-dsif-prod",
        "ad app create --display-name integration-hub-production-plan": "the-plan",
        "ad app create --display-name integration-hub-production --query": "the-deployment",
        "ad sp create --id the-plan": "principal-of-plan",
        "ad sp create --id the-deployment": "principal-of-deployment",
    }
    asked = run_with_az(script, answers, tmp_path)
    assigned = [
        tuple(call[call.index(f"--{option}") + 1] for option in ("assignee-object-id", "role", "scope"))
        for call in asked
        if call[:3] == ["role", "assignment", "create"]
    ]
    scope = answers["group show"]
    assert assigned == [
        ("principal-of-plan", "integration-hub-plan-rg-dsif-prod", scope),
        ("principal-of-deployment", "Contributor", scope),
        ("principal-of-deployment", "Role Based Access Control Administrator", scope),
    ]
    (definition,) = [call for call in asked if call[:3] == ["role", "definition", "create"]]
    role = json.loads(definition[definition.index("--role-definition") + 1])
    assert (role["Name"], role["AssignableScopes"]) == (assigned[0][1], [scope])
    assert set(role["Actions"]) == {
        "*/read",
        "Microsoft.Resources/deployments/whatIf/action",
        "Microsoft.Resources/deployments/validate/action",
    }
    subjects = [
        json.loads(call[call.index("--parameters") + 1])["subject"]
        for call in asked
        if call[:3] == ["ad", "app", "federated-credential"]
    ]
    assert subjects == [
        "repo:organisation/name:environment:production-plan",
        "repo:organisation/name:environment:production",
    ]


@pytest.mark.parametrize("path", ["docs/deploy.md", ".github/workflows/hub.yml"])
def test_a_health_check_that_fails_shows_what_is_wrong(path: str) -> None:
    """/health/startup answers 503 just when it has names to tell: `curl -f` would swallow them."""
    calls = re.findall(r"^\s*(curl .*/health.*)$", (ROOT / path).read_text(), re.MULTILINE)
    assert len(calls) >= 2
    for call in calls:
        assert "--fail-with-body" in call
        assert not re.search(r" -\w*f", call), "-f and --fail-with-body exclude each other"
