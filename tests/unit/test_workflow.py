"""The GitHub workflow: tested before deployed, from main alone, with no secret and no right that it does not need."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / ".github" / "workflows" / "hub.yml"
TEXT = FILE.read_text()
WORKFLOW: dict[Any, Any] = yaml.safe_load(TEXT)
JOBS: dict[str, dict[str, Any]] = WORKFLOW["jobs"]
AZURE = ("what-if", "deploy")
OWNERS = ("actions", "azure")
"""GitHub and Microsoft: whose releases are trusted by their major version; anybody else's would need a commit."""


def needs(job: str) -> set[str]:
    """Return every job that has to succeed before this one."""
    given = JOBS[job].get("needs", [])
    direct = {given} if isinstance(given, str) else set(given)
    return direct.union(*(needs(one) for one in direct))


def steps() -> list[dict[str, Any]]:
    return [step for job in JOBS.values() for step in job["steps"]]


def test_jobs() -> None:
    assert list(JOBS) == ["test", "package", "infra-validate", "choose", "what-if", "deploy"]
    assert all(job["timeout-minutes"] <= 60 for job in JOBS.values())
    assert JOBS["test"]["strategy"]["matrix"]["python"] == ["3.11", "3.13"]
    node = [step["with"]["node-version"] for step in steps() if step.get("uses", "").startswith("actions/setup-node@")]
    assert node
    assert all(int(version) >= 20 for version in node)


def test_it_is_deployed_from_main_alone_and_after_everything_else() -> None:
    assert needs("deploy") == {"test", "package", "infra-validate", "choose", "what-if"}
    assert JOBS["choose"]["if"] == "github.ref == 'refs/heads/main' && github.event_name != 'pull_request'"
    for job, before in {"what-if": "choose", "deploy": "what-if"}.items():
        condition = JOBS[job]["if"]
        assert "!failure() && !cancelled()" in condition
        assert f"needs.{before}.result == 'success'" in condition
        assert "||" not in condition
        assert "always()" not in condition
    assert WORKFLOW[True]["push"] == {"branches": ["main"]}  # YAML reads `on` as true
    assert set(WORKFLOW[True]) == {"push", "pull_request", "workflow_dispatch"}, "pull_request_target runs foreign code"


def test_a_run_that_waits_for_an_approval_holds_up_no_other() -> None:
    """On main the group is the run's own; of a pull request, the branch's."""
    group = WORKFLOW["concurrency"]["group"]
    assert group == "hub-${{ github.event_name == 'pull_request' && github.ref || github.run_id }}"


ON_MAIN = {
    "head_branch": "main",
    "event": "push",
    "head_repository": {"full_name": "organisation/name"},
    "path": ".github/workflows/hub.yml",
    "head_sha": "0123abc",
}


@pytest.mark.parametrize(
    ("run", "changed", "chosen"),
    [
        ("77", {}, "run=77\ncommit=0123abc\n"),
        ("77", {"event": "workflow_dispatch"}, "run=77\ncommit=0123abc\n"),
        ("77", {"head_branch": "feature"}, ""),
        ("77", {"event": "pull_request"}, ""),
        ("77", {"head_repository": {"full_name": "a-fork/name"}}, ""),
        ("77", {"path": ".github/workflows/other.yml"}, ""),
        ("77; true", {}, ""),
    ],
    ids=["earlier", "by hand", "branch", "pull request", "fork", "other workflow", "no ID"],
)
def test_an_earlier_package_is_deployed_if_it_was_on_main(
    tmp_path: Path, run: str, changed: dict[str, Any], chosen: str
) -> None:
    """Re-runs end after 30 days; what was packed is kept for 90."""
    assert WORKFLOW[True]["workflow_dispatch"]["inputs"]["run"]["default"] == ""
    (step,) = JOBS["choose"]["steps"]
    gh = tmp_path / "gh"
    gh.write_text(f"#!{sys.executable}\n" + GH)
    gh.chmod(0o755)
    environment = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "RUN": run,
        "GITHUB_REPOSITORY": "organisation/name",
        "GITHUB_OUTPUT": str(tmp_path / "output"),
        "ANSWER": json.dumps(ON_MAIN | changed),
    }
    (tmp_path / "output").touch()
    done = subprocess.run(["bash", "-c", step["run"]], env=environment, capture_output=True, text=True, check=False)
    assert (tmp_path / "output").read_text() == chosen, done.stderr
    assert (done.returncode == 0) == bool(chosen)
    for job in AZURE:
        (checkout,) = [one for one in JOBS[job]["steps"] if one.get("uses", "").startswith("actions/checkout@")]
        assert checkout["with"]["ref"] == "${{ needs.choose.outputs.commit }}"
    (download,) = [
        one for one in JOBS["deploy"]["steps"] if one.get("uses", "").startswith("actions/download-artifact@")
    ]
    assert download["with"]["run-id"] == "${{ needs.choose.outputs.run }}"


GH = """
import json, os, re, sys
run = json.loads(os.environ["ANSWER"])
assert sys.argv[1:3] == ["api", "repos/organisation/name/actions/runs/77"], sys.argv
query = sys.argv[sys.argv.index("--jq") + 1]
def value(path):
    found = run
    for name in path.split("."):
        found = found[name]
    return found
conditions = re.findall(r'\\.([a-z_.]+) (==|!=) ("[^"]*"|env\\.[A-Z_]+)', query)
assert len(conditions) == 4, query
good = all((value(path) == (os.environ[given[4:]] if given.startswith("env.") else json.loads(given))) == (sign == "==")
           for path, sign, given in conditions)
print(run["head_sha"] if good else "", end="")
"""
"""Answers with the run's commit where it fits the conditions of the query, as gh and its jq do."""


def test_no_deployment_overtakes_or_kills_another() -> None:
    assert JOBS["deploy"]["concurrency"] == {"group": "deploy-production", "cancel-in-progress": False}
    assert JOBS["deploy"]["environment"] == "production"


def test_rights_are_what_each_job_needs() -> None:
    assert WORKFLOW["permissions"] == {"contents": "read"}
    azure = {"contents": "read", "id-token": "write"}
    expected = {"choose": {"actions": "read"}, "what-if": azure, "deploy": {"actions": "read", **azure}}
    assert {name: job["permissions"] for name, job in JOBS.items() if "permissions" in job} == expected
    checkouts = [step for step in steps() if step.get("uses", "").startswith("actions/checkout@")]
    assert len(checkouts) == len(JOBS) - 1
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


def test_azure_is_signed_in_to_without_a_secret() -> None:
    logins = [step["with"] for step in steps() if step.get("uses", "").startswith("azure/login@")]
    assert len(logins) == len(AZURE)
    for given in logins:
        assert set(given) == {"client-id", "tenant-id", "subscription-id"}
        assert all(re.fullmatch(r"\$\{\{ vars\.[A-Z_]+ \}\}", value) for value in given.values())
    assert "secrets." not in TEXT
    assert not re.search(r"(?i)password|client.secret|publish.profile|account.?key|\bey[A-Za-z0-9_-]{20,}", TEXT)
    assert not re.search(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}", TEXT), "an ID belongs into a variable"


def test_actions_are_of_those_we_trust_and_pinned() -> None:
    for used in [step["uses"] for step in steps() if "uses" in step]:
        owner, version = used.partition("/")[0], used.partition("@")[2]
        assert owner in OWNERS, used
        assert re.fullmatch(r"v\d+|[0-9a-f]{40}", version), used


def test_nothing_from_outside_is_written_into_a_script() -> None:
    """A branch name or a title in `${{ }}` inside a script would be run."""
    assert [step["run"] for step in steps() if "${{" in step.get("run", "")] == []


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\bmake ([a-z-]+)", TEXT))))
def test_make_has_what_is_called(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize("name", sorted(set(re.findall(r"\bscripts/[a-z_]+\.sh", TEXT))))
def test_each_script_that_is_called_is_there(name: str) -> None:
    assert (ROOT / name).is_file()
    assert (ROOT / name).stat().st_mode & 0o111, "it is called by its name"


def test_what_is_read_of_the_templates_is_what_they_give() -> None:
    read = set(re.findall(r"steps\.infra\.outputs\.(\w+)", TEXT))
    assert read == {"appName", "topicName", "storageName", "hubUrl"}
    assert read <= set(re.findall(r"^output (\w+) ", (ROOT / "infra" / "main.bicep").read_text(), re.MULTILINE))


def test_the_package_is_deployed_before_its_events_are_connected() -> None:
    """The key for blob events exists only once the host has loaded the code."""
    calls = [step["run"] for step in JOBS["deploy"]["steps"] if "run" in step]
    assert re.findall(r"scripts/[a-z_]+\.sh", "".join(calls)) == [
        "scripts/deploy_infrastructure.sh",
        "scripts/deploy_package.sh",
        "scripts/connect_event_grid.sh",
    ]


def test_what_would_change_is_asked_without_the_right_to_change_it() -> None:
    """The application `production-plan` may read; by default Azure checks for the right to write each resource."""
    (asked,) = [step["run"] for step in JOBS["what-if"]["steps"] if "run" in step]
    assert "what-if" in asked
    assert "--validation-level ProviderNoRbac" in asked


@pytest.mark.parametrize("name", sorted(set(re.findall(r"\bdocs/[\w./-]+\.md", TEXT))))
def test_each_document_that_is_named_is_there(name: str) -> None:
    assert (ROOT / name).is_file()
