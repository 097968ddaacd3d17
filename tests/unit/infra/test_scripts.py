"""The scripts of docs/deploy.md, with an `az` that writes down what it is asked."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from shared.access.principal import ADMIN, APPROVER
from shared.access.routes import ROUTES
from shared.adapters.settings import AuthSettings
from tests.unit.infra.templates import INFRA, ROOT, template

SECRET = "a value that nobody may see: ä$`\"'"

FAKE_AZ = f"""#!{sys.executable}
import os, pathlib, sys
folder = pathlib.Path(os.environ["FAKE_AZ"])
with (folder / "calls").open("a") as calls:
    calls.write("\\0".join(sys.argv[1:]) + "\\n")
if "--body" in sys.argv and sys.argv[sys.argv.index("--body") + 1].startswith("@"):
    body = pathlib.Path(sys.argv[sys.argv.index("--body") + 1][1:])
    (folder / body.name).write_text(body.read_text())
if "--file" in sys.argv:
    given = pathlib.Path(sys.argv[sys.argv.index("--file") + 1])
    (folder / "stored").write_bytes(given.read_bytes())
    (folder / "mode").write_text(oct(given.stat().st_mode & 0o777))
if sys.argv[1:4] == ["functionapp", "keys", "list"]:
    asked = folder / "asked"
    times = int(asked.read_text()) + 1 if asked.exists() else 1
    asked.write_text(str(times))
    print("true" if times >= int(os.environ.get("KEY_AFTER", "1")) else "false")
if sys.argv[1:4] == ["ad", "sp", "show"] and "--query" in sys.argv:
    print("a-role" if "appRoles" in " ".join(sys.argv) else "the-hub")
if sys.argv[1] == "rest" and "--query" in sys.argv:
    print(os.environ.get("ALREADY", "0") if "appRoleAssignedTo" in " ".join(sys.argv) else "an-app")
if sys.argv[1:3] == ["deployment", "group"] and "OUTPUTS" in os.environ:
    if sys.argv[3] == "show" and "NO_DEPLOYMENT" in os.environ:
        sys.exit(3)
    print(os.environ["WHAT_IF" if sys.argv[3] == "what-if" else "OUTPUTS"])
if os.environ.get("AZ_FAILS") and "set" in sys.argv:
    sys.exit(3)
"""

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Return a function that runs a script with the fake `az` first on the PATH."""
    az = tmp_path / "bin" / "az"
    az.parent.mkdir()
    az.write_text(FAKE_AZ)
    az.chmod(0o755)

    def run_script(name: str, *arguments: str, given: str = "", **more: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PATH": f"{az.parent}:{os.environ['PATH']}", "FAKE_AZ": str(tmp_path), **more}
        command = [str(ROOT / "scripts" / name), *arguments]
        return subprocess.run(
            command, env=environment, input=given, capture_output=True, text=True, check=False, timeout=60
        )

    return run_script


def calls(tmp_path: Path) -> list[list[str]]:
    return [line.split("\0") for line in (tmp_path / "calls").read_text().splitlines()]


def test_a_secret_is_stored_as_it_is_and_is_nobody_s_to_see(run: Run, tmp_path: Path) -> None:
    done = run("put_secrets.sh", "kv-test", "integrations--default--erp--client-secret", given=SECRET)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "stored").read_text() == SECRET
    assert (tmp_path / "mode").read_text() == "0o600"
    (call,) = calls(tmp_path)
    assert call[:3] == ["keyvault", "secret", "set"]
    assert "integrations--default--erp--client-secret" in call
    assert SECRET not in " ".join(call) + done.stdout + done.stderr
    assert not Path(call[call.index("--file") + 1]).exists()


@pytest.mark.parametrize(
    ("arguments", "given", "code", "says"),
    [
        (["kv-test"], "", 2, "usage"),
        (["kv-test", "one", "two"], "value", 2, "only one secret"),
        (["kv-test", "one"], "", 1, "the value is empty"),
    ],
    ids=["no name", "two from a file", "empty"],
)
def test_what_cannot_be_stored_is_refused_before_anything_is(
    run: Run, tmp_path: Path, arguments: list[str], given: str, code: int, says: str
) -> None:
    done = run("put_secrets.sh", *arguments, given=given)
    assert done.returncode == code
    assert says in done.stderr
    assert not (tmp_path / "calls").exists()


def test_a_secret_that_the_vault_refuses_is_no_success(run: Run, tmp_path: Path) -> None:
    done = run("put_secrets.sh", "kv-test", "one", given="value", AZ_FAILS="1")
    assert done.returncode == 3
    assert "a new version" not in done.stdout
    (call,) = calls(tmp_path)
    assert not Path(call[call.index("--file") + 1]).exists()


def test_events_are_connected_once_the_app_has_its_key(run: Run, tmp_path: Path) -> None:
    done = run("connect_event_grid.sh", "rg", "func-1", "topic-1", "storage1", KEY_AFTER="3", WAIT_BETWEEN="0")
    assert done.returncode == 0, done.stderr
    *asked, deployment = calls(tmp_path)
    assert [call[:3] for call in asked] == [["functionapp", "keys", "list"]] * 3
    assert all("contains(keys(" in " ".join(call) for call in asked)  # whether it is there, never the key itself
    assert deployment[:3] == ["deployment", "group", "create"]
    given = dict(one.split("=", 1) for one in deployment if re.match(r"\w+Name=", one))
    assert given == {"appName": "func-1", "topicName": "topic-1", "storageName": "storage1"}
    assert given.keys() == template("inbox-subscriptions.bicep")["parameters"].keys()
    assert Path(deployment[deployment.index("--template-file") + 1]) == INFRA / "inbox-subscriptions.bicep"


def test_an_app_without_code_is_told_of(run: Run, tmp_path: Path) -> None:
    done = run("connect_event_grid.sh", "rg", "func-1", "topic-1", "storage1", KEY_AFTER="99", WAIT_SECONDS="0")
    assert done.returncode == 1
    assert "is the code deployed" in done.stderr
    assert ["deployment", "group", "create"] not in [call[:3] for call in calls(tmp_path)]


OUTPUTS = {"appName": {"type": "String", "value": "func-1"}, "hubUrl": {"type": "String", "value": "https://func-1"}}


@pytest.mark.parametrize(
    ("answer", "deployed"),
    [
        ({"changes": [{"changeType": "NoChange"}, {"changeType": "Ignore"}, {"changeType": "NoEffect"}]}, False),
        ({"changes": [{"changeType": "NoChange"}, {"changeType": "Modify"}]}, True),
        ({"changes": [{"changeType": "Create"}]}, True),
        ({"changes": [{"changeType": "Unsupported"}]}, True),
        ({"changes": [], "potentialChanges": [{"changeType": "Create"}]}, True),
        ({"changes": [], "potentialChanges": None, "diagnostics": [{"code": "NestedDeploymentShortCircuited"}]}, True),
    ],
    ids=["the same", "changed", "new", "what-if cannot tell", "perhaps", "not looked at"],
)
def test_templates_are_deployed_where_they_change_anything(
    run: Run, tmp_path: Path, answer: dict[str, object], deployed: bool
) -> None:
    """Each deployment restarts the app: with RollingUpdate, the code that follows would update beside it."""
    given = {"WHAT_IF": json.dumps(answer), "OUTPUTS": json.dumps(OUTPUTS)}
    done = run("deploy_infrastructure.sh", "rg", "a.bicepparam", **given)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "appName=func-1\nhubUrl=https://func-1\n"
    asked = [call[2] for call in calls(tmp_path)]
    assert asked == ["what-if", "create" if deployed else "show"]
    assert all(
        call[call.index("--parameters") + 1] == "a.bicepparam" for call in calls(tmp_path) if "--parameters" in call
    )


def test_templates_that_were_never_deployed_are(run: Run, tmp_path: Path) -> None:
    """Of a deployment by azd there is none of that name."""
    done = run(
        "deploy_infrastructure.sh", "rg", WHAT_IF='{"changes": []}', OUTPUTS=json.dumps(OUTPUTS), NO_DEPLOYMENT="1"
    )
    assert done.returncode == 0, done.stderr
    assert [call[2] for call in calls(tmp_path)] == ["what-if", "show", "create"]
    assert done.stdout == "appName=func-1\nhubUrl=https://func-1\n"


def test_templates_that_what_if_refuses_are_not_deployed(run: Run, tmp_path: Path) -> None:
    done = run("deploy_infrastructure.sh", "rg", WHAT_IF="", OUTPUTS=json.dumps(OUTPUTS))
    assert done.returncode != 0
    assert [call[2] for call in calls(tmp_path)] == ["what-if"]
    assert done.stdout == ""


def test_the_registration_has_the_roles_and_scopes_of_the_code() -> None:
    """INC-31. Version 1, because only those tokens have the audience by its name."""
    registration = json.loads((INFRA / "api-registration.json").read_text())
    assert {role["value"] for role in registration["appRoles"]} == {ADMIN, APPROVER}
    scopes = {scope["value"] for scope in registration["api"]["oauth2PermissionScopes"]}
    assert scopes == {"Employees.Read", "Employees.Write", "Calculations.Read", "Approvals.Write"}
    asked = {
        scope
        for requirement in (route.requirement for route in ROUTES)
        for scope in (*requirement.any_scope, requirement.delegated_scope)
        if scope
    }
    assert asked <= scopes
    assert registration["identifierUris"] == [AuthSettings.model_fields["audience"].default]
    assert registration["api"]["requestedAccessTokenVersion"] == 1
    ids = [one["id"] for one in (*registration["appRoles"], *registration["api"]["oauth2PermissionScopes"])]
    assert len(set(ids)) == len(ids)


def test_the_api_is_registered_under_the_audience_that_was_asked_for(run: Run, tmp_path: Path) -> None:
    done = run("register_api.sh", "api://a-tenant/dsif-api")
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "registration.json").read_text())["identifierUris"] == ["api://a-tenant/dsif-api"]
    (allowed,) = json.loads((tmp_path / "allowed.json").read_text())["api"]["preAuthorizedApplications"]
    assert len(allowed["delegatedPermissionIds"]) == 4
    assert "an-app" in done.stdout


@pytest.mark.parametrize(("already", "posts"), [("0", 1), ("1", 0)], ids=["new", "has it already"])
def test_a_role_is_assigned_once(run: Run, tmp_path: Path, already: str, posts: int) -> None:
    done = run("assign_role.sh", "DSIF.Admin", "somebody", ALREADY=already)
    assert done.returncode == 0, done.stderr
    sent = [call for call in calls(tmp_path) if "POST" in call]
    assert len(sent) == posts
    for call in sent:
        body = json.loads(call[call.index("--body") + 1])
        assert body == {"principalId": "somebody", "resourceId": "the-hub", "appRoleId": "a-role"}


def test_azd_finds_what_the_templates_name() -> None:
    project = yaml.safe_load((ROOT / "azure.yaml").read_text())
    folder, module = project["infra"]["path"], project["infra"]["module"]
    assert (ROOT / folder / f"{module}.bicep").is_file()
    (service,) = project["services"]
    assert f"'azd-service-name': '{service}'" in (INFRA / "modules" / "function-app.bicep").read_text()
    hook = project["hooks"]["postdeploy"]["posix"]["run"]
    outputs = set(re.findall(r"\$([A-Za-z_]+)", hook)) - {"AZURE_RESOURCE_GROUP"}
    assert outputs <= template("main.bicep")["outputs"].keys()
    assert (ROOT / hook.split()[0]).is_file()


def test_azd_refuses_to_pack_the_hub_itself_and_says_what_to_run() -> None:
    """It would deploy an app without dependencies. With --from-package it packs nothing, and does not ask."""
    (service,) = yaml.safe_load((ROOT / "azure.yaml").read_text())["services"].values()
    assert service["remoteBuild"] is False
    hook = service["hooks"]["prepackage"]["posix"]
    done = subprocess.run([hook["shell"], "-c", hook["run"]], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "make package && azd deploy hub --from-package build/integration-hub.zip" in done.stderr


def test_a_package_needs_python_alone() -> None:
    """Whoever deploys need not have Node, on which the emulator runs."""
    done = subprocess.run(
        ["make", "--dry-run", "package", "VENV=a-new-one"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "scripts.package" in done.stdout
    assert "npm" not in done.stdout


@pytest.mark.parametrize("path", sorted((ROOT / "scripts").glob("*.sh")), ids=lambda path: path.name)
def test_a_shell_script_is_clean(path: Path) -> None:
    found = shutil.which("shellcheck", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    assert found, "shellcheck comes with requirements-dev.txt"
    done = subprocess.run([found, "--severity=warning", str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", ["deploy.md", "alerts.md"])
def test_the_documentation_names_scripts_that_there_are(name: str) -> None:
    text = (ROOT / "docs" / name).read_text()
    named = set(re.findall(r"scripts/\w+\.sh", text))
    assert named
    assert {path for path in named if not (ROOT / path).is_file()} == set()
    assert "az functionapp function invoke" not in text  # there is no such command


def test_the_documentation_reads_outputs_that_there_are() -> None:
    asked = set(re.findall(r"\$\(output (\w+)\)", (ROOT / "docs" / "deploy.md").read_text()))
    assert asked == template("main.bicep")["outputs"].keys()


def test_the_workflow_reads_outputs_that_there_are() -> None:
    text = (ROOT / ".github" / "workflows" / "hub.yml").read_text()
    asked = set(re.findall(r"steps\.infra\.outputs\.(\w+)", text))
    assert asked
    assert asked <= template("main.bicep")["outputs"].keys()
    for name in template("main.bicep")["outputs"]:
        assert name[0].islower(), name  # Azure changes the case of a name that begins with capitals
