"""What holds for the code as a whole: who may import whom, what is registered, what loading the app costs."""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from functions.http_routes import ENDPOINTS
from shared.access.routes import ROUTES
from shared.adapters.settings import AuthSettings, ErpSettings, HubSettings, ImportSettings, StorageSettings

ROOT = Path(__file__).resolve().parents[2]
CAPABILITIES = {
    "access",
    "health",
    "incentives",
    "messaging",
    "notify",
    "orders",
    "payroll",
    "provisioning",
    "sales",
    "workforce",
}
SDKS = {"azure", "requests", "urllib3", "jwt", "pybreaker", "tenacity", "paramiko", "msal", "opentelemetry"}


def imports_of(folder: str) -> Iterator[tuple[Path, str]]:
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module:
                yield path, node.module
            elif isinstance(node, ast.Import):
                yield from ((path, alias.name) for alias in node.names)


def offenders(folder: str, *forbidden: str) -> list[str]:
    def is_forbidden(module: str) -> bool:
        return any(module == one or module.startswith(f"{one}.") for one in forbidden)

    return [f"{path.relative_to(ROOT)}: {module}" for path, module in imports_of(folder) if is_forbidden(module)]


def test_the_kernel_knows_nothing_of_the_rest() -> None:
    others = {f"shared.{name}" for name in (*CAPABILITIES, "adapters", "hub", "provision")}
    assert offenders("shared/kernel", *SDKS, *others, "functions", "local", "tests") == []


@pytest.mark.parametrize("name", sorted(CAPABILITIES))
def test_a_capability_knows_the_kernel_alone(name: str) -> None:
    others = {f"shared.{other}" for other in CAPABILITIES - {name}}
    assert offenders(f"shared/{name}", *SDKS, *others, "shared.adapters", "shared.hub", "functions") == []


def test_adapters_know_no_capability() -> None:
    """Access tokens give a Principal: that one name is the exception."""
    allowed = {"shared/adapters/access_tokens.py: shared.access.principal"}
    found = set(offenders("shared/adapters", *(f"shared.{name}" for name in CAPABILITIES), "functions", "shared.hub"))
    assert found <= allowed


def test_functions_know_no_sdk_but_their_own() -> None:
    found = [one for one in offenders("functions", *SDKS) if not one.endswith(": azure.functions")]
    assert found == []


@pytest.mark.parametrize("folder", ["shared", "functions"])
def test_nothing_that_is_deployed_imports_what_is_not(folder: str) -> None:
    assert offenders(folder, "local", "tests", "flask", "croniter", "rich", "psutil") == []


def registered() -> list[dict[str, object]]:
    code = """
import json, function_app
print(json.dumps([
    {"name": one.get_function_name(), "trigger": one.get_trigger().get_dict_repr()}
    for one in function_app.app.get_functions()
], default=str))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, env={})
    found: list[dict[str, object]] = json.loads(done.stdout)
    return found


def test_every_http_function_is_in_the_table_of_routes_and_every_route_is_a_function() -> None:
    """INC-31: a route that the table does not know could not be protected by it."""
    http = {
        str(one["name"]): one["trigger"]
        for one in registered()
        if isinstance(one["trigger"], dict) and one["trigger"]["type"] == "httpTrigger"
    }
    assert http.keys() == {route.function for route in ROUTES} == ENDPOINTS.keys()
    for route in ROUTES:
        trigger = http[route.function]
        assert isinstance(trigger, dict)
        assert trigger["route"] == route.path
        assert route.method in str(trigger["methods"])
        assert "OPTIONS" in str(trigger["methods"])
        assert "ANONYMOUS" in str(trigger["authLevel"]).upper()  # tokens are verified by the hub itself


def test_what_triggers_the_hub() -> None:
    """INC-01, INC-09, INC-71."""
    others = {}
    for one in registered():
        trigger = one["trigger"]
        assert isinstance(trigger, dict)
        if trigger["type"] != "httpTrigger":
            others[one["name"]] = trigger.get("schedule") or trigger.get("queueName") or trigger.get("path")
    assert others == {
        "ImportErpSalesData": "0 0 1 * * *",
        "WatchImports": "30 */5 * * * *",
        "ProcessImportSlice": "import-slices",
        "SyncEmployees": "0 0 3 * * *",
        "ResumeHrEvents": "15 */5 * * * *",
        "ProcessHrEvent": "hr-events",
        "DeadLetterHrEvents": "hr-events-poison",
        "CalculateIncentives": "calculation-requests",
        "DeadLetterCalculationRequests": "calculation-requests-poison",
        "TakeInCalculations": "calculations-inbox/{name}",
        "ExportPayroll": "0 20 * * * *",
        "SyncUsers": "0 40 * * * *",
        "ProcessProvisioningSync": "provisioning-syncs",
        "DeadLetterProvisioningSyncs": "provisioning-syncs-poison",
        "MeasureHub": "0 * * * * *",
        "CarryOnPayrollExport": "payroll-exports",
        "DeadLetterPayrollExports": "payroll-exports-poison",
        "ImportDroppedFile": "erp-inbox/{name}",
        "DeadLetterImportSlices": "import-slices-poison",
        "DeadLetterNotifications": "notifications-poison",
        "DeadLetterDroppedFiles": "webjobs-blobtrigger-poison",
        "SendNotification": "notifications",
    }


def test_loading_the_app_needs_no_setting_and_loads_no_sdk() -> None:
    code = "import function_app, sys, json; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, env={})
    loaded = set(json.loads(done.stdout))
    heavy = {"requests", "jwt", "azure.core", "azure.data.tables", "azure.storage.blob", "tenacity", "pybreaker"}
    assert loaded & (heavy | {"pydantic", "paramiko", "msal", "opentelemetry", "shared.hub"}) == set()


def test_the_example_settings_name_every_setting() -> None:
    example = json.loads((ROOT / "local.settings.example.json").read_text())["Values"]
    groups = (HubSettings, StorageSettings, ErpSettings, ImportSettings, AuthSettings)
    aliases = {field.alias for group in groups for field in group.model_fields.values()}
    assert aliases <= example.keys()


def test_every_table_queue_and_container_that_the_code_names_is_provisioned() -> None:
    from shared.provision import CONTAINERS, QUEUES, TABLES

    text = "".join(path.read_text() for path in (ROOT / "shared").rglob("*.py") if path.name != "provision.py")
    for name in (*TABLES, *CONTAINERS):
        assert f'"{name}"' in text, name
    # What the functions listen to is what there is: nothing is sent to where nobody looks.
    triggers = [one["trigger"] for one in registered()]
    assert {one["queueName"] for one in triggers if isinstance(one, dict) and "queueName" in one} == set(QUEUES)


def test_the_table_of_requirements_names_tests_that_exist() -> None:
    text = (ROOT / "docs" / "coverage.md").read_text()
    file = ""
    for name in re.findall(r"`([^`]+)`", text):
        path, _, test = name.partition("::")
        file = path or file
        assert (ROOT / file).is_file(), file
        if test:
            content = (ROOT / file).read_text()
            assert f"def {test}(" in content or f"{test} = " in content, name
