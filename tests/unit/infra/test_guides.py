"""What docs/deploy.md and docs/github-actions.md tell somebody to run."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from shared.access.routes import ROUTES
from shared.adapters.settings import Settings
from shared.adapters.settings.secret_settings import SECRETS
from shared.adapters.vault_names import vault_name
from shared.provision import TABLES
from tests.unit.functions.indexed import triggers
from tests.unit.infra.compiler import parameters
from tests.unit.infra.guides import blocks, run_with_az, section, text_of
from tests.unit.infra.templates import ROOT, TEMPLATES, variable

VAULT_NAMES = {setting: vault_name(kind.path("default")) for setting, kind in SECRETS.items()}
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


@pytest.mark.parametrize("prefix", ["repo:organisation/name", "repo:organisation@123456/name@456789"])
def test_github_s_applications_get_the_roles_that_the_text_promises(tmp_path: Path, prefix: str) -> None:
    """Each its own: the plan may ask what would change, and write nothing."""
    (script,) = blocks(section("github-actions.md", "Set it up once"))
    answers = {
        "api repos/organisation/name/actions/oidc/customization/sub": prefix,
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
        f"{prefix}:environment:production-plan",
        f"{prefix}:environment:production",
    ]


def test_a_subject_that_github_does_not_tell_is_not_guessed(tmp_path: Path) -> None:
    """Entra ID would refuse every deployment by one that is wrong."""
    (script,) = blocks(section("github-actions.md", "Set it up once"))
    with pytest.raises(AssertionError, match="run gh auth login"):
        run_with_az(script, {"group show": "/subscriptions/s"}, tmp_path)


@pytest.mark.parametrize("path", ["docs/deploy.md", ".github/workflows/hub.yml"])
def test_a_health_check_that_fails_shows_what_is_wrong(path: str) -> None:
    """/health/startup answers 503 just when it has names to tell: `curl -f` would swallow them."""
    calls = re.findall(r"^\s*(curl .*/health.*)$", (ROOT / path).read_text(), re.MULTILINE)
    assert len(calls) >= 2
    for call in calls:
        assert "--fail-with-body" in call
        assert not re.search(r" -\w*f", call), "-f and --fail-with-body exclude each other"


class EmptyVault:
    """Implements `SecretStore`: there is none of them yet."""

    def versions(self, path: str) -> tuple[str, ...]:
        return ()

    def refresh(self, path: str) -> None:
        """Do nothing."""


def stored_secrets() -> set[str]:
    """Return the names of secrets that step 4 puts into the vault."""
    commands = "".join(blocks(section("deploy.md", "4. The secrets")))
    return set(re.findall(r"integrations--[a-z-]+", commands))


def test_every_secret_that_the_sample_needs_is_stored() -> None:
    """As /health/startup would say of a hub with the sample's settings and an empty vault."""
    environment = {
        "AzureWebJobsStorage": "UseDevelopmentStorage=true",
        "AUTH_ISSUER": "https://sts.windows.net/a-tenant/",
        "AUTH_JWKS_URL": "https://login.example.com/a-tenant/discovery/v2.0/keys",
        "KEY_VAULT_URL": "https://kv-test.vault.azure.net",
        **parameters("main.bicepparam")["settings"],
    }
    missing = {problem.field for problem in Settings(environment, EmptyVault).problems()}
    assert missing >= {"HUB_PAGE_TOKEN_SECRET", "HR_WEBHOOK_SECRET", "SALES_CLIENT_SECRET", "MAIL_SMTP_PASSWORD"}
    assert {VAULT_NAMES[setting] for setting in missing} <= stored_secrets()


def test_no_secret_is_stored_under_a_name_that_nobody_reads() -> None:
    assert stored_secrets() <= set(VAULT_NAMES.values())


def test_the_costs_count_every_timer_and_every_rule() -> None:
    costs = section("deploy.md", "What it costs")
    schedules = [str(trigger["schedule"]).split()[1] for trigger in triggers("timerTrigger").values()]
    assert (schedules.count("*"), schedules.count("*/5")) == (1, 2)
    assert f"every minute: one, {60 * 24 * 30:,} a month; every five minutes: two, {2 * 12 * 24 * 30:,}" in costs
    rules = [len(variable("alerts", f"modules/{kind}-alerts.bicep")) for kind in ("log", "metric")]
    assert [int(found) for found in re.findall(r"(\d+) (?:log|metric) rules", costs)] == rules


def test_each_price_has_its_source() -> None:
    rows = [row for row in section("deploy.md", "What it costs").splitlines() if re.search(r"[0-9]\.[0-9]", row)]
    assert len(rows) == 8
    assert [row for row in rows if "https://azure.microsoft.com/pricing/" not in row and "same page" not in row] == []


def test_what_a_timer_did_not_do_can_be_done_by_hand() -> None:
    """Restarting the app does not always bring a timer back."""
    (table,) = re.findall(r"### Timers that stand still\n(.*?)\n## ", text_of("alerts.md"), re.DOTALL)
    by_hand = re.findall(r"^\| `(\w+)` \| `\$HUB/api/([\w/-]+)`", table, re.MULTILINE)
    assert {name for name, _ in by_hand} <= triggers("timerTrigger").keys()
    assert {path for _, path in by_hand} <= {route.path for route in ROUTES if route.method == "POST"}
    assert "support ticket" in table


def test_every_provider_of_a_resource_is_registered() -> None:
    """An empty subscription knows none of them but Authorization and Resources. App: the subnet of the app is its."""
    (registered,) = re.findall(r"for provider in (.+?); do", text_of("deploy.md").replace("\\\n", " "))
    used = {
        found for path in TEMPLATES for found in re.findall(r"^resource \w+ '(Microsoft\.\w+)/", path.read_text(), re.M)
    }
    assert set(registered.split()) == (used - {"Microsoft.Authorization"}) | {"Microsoft.App"}


def test_copies_are_of_tables_that_there_are() -> None:
    text = section("deploy.md", "Keeping copies")
    (named,) = re.findall(r"`((?:[A-Z]\w+ )+[A-Z]\w+)`", text)
    assert set(named.split()) <= set(TABLES)
    modules = set(re.findall(r"python -m ([\w.]+)", text))
    assert modules
    assert all((ROOT / f"{module.replace('.', '/')}.py").is_file() for module in modules)


NEEDED = {
    "functionapp restart": ("--resource-group", "--name"),
    "functionapp stop": ("--resource-group", "--name"),
    "functionapp function list": ("--resource-group", "--name"),
    "storage blob undelete": ("--account-name", "--container-name", "--name", "--auth-mode"),
    "storage blob list": ("--account-name", "--container-name", "--auth-mode"),
    "keyvault secret recover": ("--vault-name", "--name"),
    "keyvault recover": ("--name",),
}
"""Commands of emergencies, and what each needs besides its name."""


@pytest.mark.parametrize(("command", "needed"), NEEDED.items(), ids=NEEDED)
def test_a_command_for_an_emergency_is_complete(command: str, needed: tuple[str, ...]) -> None:
    text = (text_of("deploy.md") + text_of("alerts.md")).replace("\\\n", " ")
    found = re.findall(rf"az {command}\b[^`\n]*(?:\n[^`\n]+(?=`))?", text)
    assert found
    for one in found:
        assert [option for option in needed if f"{option} " not in one] == [], one
