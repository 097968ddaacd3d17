"""Who may do what, what is closed, and that no secret is in a template (INC-32)."""

import ast
import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from tests.unit.infra.compiler import compiled
from tests.unit.infra.templates import (
    INFRA,
    ROOT,
    TEMPLATES,
    operator_settings,
    platform_settings,
    resources,
    setting_fields,
    syntax_trees,
    template,
    variable,
)

ROLES = "modules/role-assignments.bicep"

BUILT_IN = {
    "storageBlobDataOwner": "b7e6dc6d-f1e8-4753-8033-0f276bb0955b",
    "storageBlobDataContributor": "ba92f5b4-2d11-453d-a403-e96b0029c9fe",
    "storageQueueDataContributor": "974c5e8b-45b9-4653-ba55-5f855dd0fb88",
    "storageTableDataContributor": "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3",
    "serviceBusDataOwner": "090c5cfd-751d-490a-894a-3ce6f1109419",
    "keyVaultSecretsUser": "4633458b-17de-408a-b874-0445c86b69e6",
    "keyVaultSecretsOfficer": "b86a8fe4-44ce-4948-aee5-eccb2c155cd7",
    "monitoringMetricsPublisher": "3913510d-42f4-4e42-8a64-420c390055eb",
}
"""IDs of Azure's built-in roles, from its documentation."""
NEEDED_BY_SDK = {
    "storageBlobDataOwner": "azure.storage.blob",
    "storageQueueDataContributor": "azure.storage.queue",
    "storageTableDataContributor": "azure.data.tables",
    "serviceBusDataOwner": "azure.servicebus",
    "keyVaultSecretsUser": "azure.keyvault.secrets",
    "monitoringMetricsPublisher": "azure.monitor",
}
"""The hub's roles, and the SDK whose calls need each."""
NEED_NO_ROLE = {"azure.core", "azure.functions", "azure.identity"}
ON = {
    "storageBlobDataOwner": "account",
    "storageQueueDataContributor": "account",
    "storageTableDataContributor": "account",
    "serviceBusDataOwner": "namespace",
    "keyVaultSecretsUser": "vault",
    "keyVaultSecretsOfficer": "vault",
    "monitoringMetricsPublisher": "component",
}
"""The resource that each role is assigned on."""
NEEDED_BY_FILE = {
    "storageBlobDataContributor": ("infra/inbox-subscriptions.bicep", "deadLetterWithResourceIdentity"),
    "keyVaultSecretsOfficer": ("scripts/put_secrets.sh", "az keyvault secret set"),
}
"""The roles of others, and the file and line that need each."""

FORBIDDEN_ON_FLEX = {
    "FUNCTIONS_WORKER_RUNTIME",
    "FUNCTIONS_EXTENSION_VERSION",
    "FUNCTIONS_WORKER_PROCESS_COUNT",
    "FUNCTIONS_MAX_HTTP_CONCURRENCY",
    "WEBSITE_RUN_FROM_PACKAGE",
    "WEBSITE_CONTENTSHARE",
    "WEBSITE_CONTENTAZUREFILECONNECTIONSTRING",
    "WEBSITE_MAX_DYNAMIC_APPLICATION_SCALE_OUT",
    "WEBSITE_VNET_ROUTE_ALL",
    "WEBSITE_DNS_SERVER",
    "WEBSITE_TIME_ZONE",
    "SCM_DO_BUILD_DURING_DEPLOYMENT",
    "ENABLE_ORYX_BUILD",
    "TZ",
    "linuxFxVersion",
    "healthCheckPath",
}
SECRET_LOOKING = re.compile(
    r"secret|password|passphrase|token$|apikey|accesskey|privatekey|connectionstring|sas$", re.I
)


def assignments() -> dict[str, dict[str, Any]]:
    """Return the configuration of each role assignment by the name of its role."""
    found = {}
    for one in resources("Microsoft.Authorization/roleAssignments"):
        config = one.get("config", one)
        role = re.search(r'"operand_1": "roles", "operand_2": "(\w+)"', json.dumps(config["properties"]))
        assert role
        assert role[1] not in found
        found[role[1]] = config
    return found


@cache
def imported_sdks() -> frozenset[str]:
    """Return the Azure packages that the code imports, such as azure.storage.blob."""
    names = {
        node.module
        for tree in syntax_trees("shared", "functions")
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("azure.")
    } | {
        alias.name
        for tree in syntax_trees("shared", "functions")
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
        if alias.name.startswith("azure.")
    }
    return frozenset(".".join(name.split(".")[:3]) for name in names)


def test_the_roles_are_those_of_azure_and_each_is_assigned() -> None:
    assert variable("roles", ROLES) == BUILT_IN
    assert assignments().keys() == BUILT_IN.keys()
    assert NEEDED_BY_SDK.keys() | NEEDED_BY_FILE.keys() == BUILT_IN.keys()


@pytest.mark.parametrize(("role", "sdk"), NEEDED_BY_SDK.items())
def test_each_role_of_the_hub_is_needed_by_calls_of_an_sdk(role: str, sdk: str) -> None:
    assert any(name == sdk or name.startswith(f"{sdk}.") for name in imported_sdks())
    assert assignments()[role]["properties"]["principalId"] == "hubPrincipalId"


def test_each_sdk_that_the_code_calls_has_its_role() -> None:
    known = {*NEEDED_BY_SDK.values(), *NEED_NO_ROLE}
    assert {name for name in imported_sdks() if not any(f"{name}.".startswith(f"{one}.") for one in known)} == set()


@pytest.mark.parametrize(("role", "place"), NEEDED_BY_FILE.items())
def test_each_other_role_is_needed_by_a_line(role: str, place: tuple[str, str]) -> None:
    path, needle = place
    assert needle in (ROOT / path).read_text()
    assert assignments()[role]["properties"]["principalId"] != "hubPrincipalId"


def test_a_role_is_assigned_on_one_resource_and_named_after_whom_it_is_given() -> None:
    """Never on the group or the subscription, and the same deployment twice is one assignment."""
    for role, config in assignments().items():
        if role in ON:
            assert config["scope"] == ON[role]
        parts = json.dumps(config["name"]["function"]["parameters"])
        assert config["name"]["function"]["type"] == "guid"
        assert config["properties"]["principalId"] in parts
        assert f'"{role}"' in parts


def test_event_grid_may_write_into_one_container_alone() -> None:
    assert assignments().keys() - ON.keys() == {"storageBlobDataContributor"}
    scope = json.dumps(assignments()["storageBlobDataContributor"]["scope"])
    assert [part in scope for part in ("account", "blobs", "undelivered")] == [True, True, True]


def test_nothing_is_opened_by_a_key() -> None:
    (account,) = resources("Microsoft.Storage/storageAccounts")
    given = account["properties"]
    assert given["allowSharedKeyAccess"] is False
    assert given["allowBlobPublicAccess"] is False
    assert (given["minimumTlsVersion"], given["supportsHttpsTrafficOnly"]) == ("TLS1_2", True)
    (namespace,) = resources("Microsoft.ServiceBus/namespaces")
    assert (namespace["properties"]["disableLocalAuth"], namespace["properties"]["minimumTlsVersion"]) == (True, "1.2")
    (component,) = resources("Microsoft.Insights/components")
    assert component["properties"]["DisableLocalAuth"] is True
    (site,) = resources("Microsoft.Web/sites")
    assert site["properties"]["httpsOnly"] is True
    assert site["identity"]["type"] == "UserAssigned"


def test_the_vault_keeps_what_is_deleted_and_asks_entra() -> None:
    (vault,) = resources("Microsoft.KeyVault/vaults")
    given = vault["properties"]
    assert given["enableRbacAuthorization"] is True
    assert given["enableSoftDelete"] is True
    assert given["enablePurgeProtection"] is True


def test_the_app_is_deployed_from_a_container_by_identity() -> None:
    config = variable("config", "modules/function-app.bicep")
    assert config["runtime"] == {"name": "python", "version": "3.13"}
    assert config["deployment"]["storage"]["authentication"]["type"] == "UserAssignedIdentity"
    container = config["deployment"]["storage"]["value"].rpartition("}")[2]
    assert container in variable("platformContainers", "modules/storage.bicep")


def test_nothing_is_set_that_flex_consumption_forbids() -> None:
    names = platform_settings() | operator_settings().keys()
    assert names & FORBIDDEN_ON_FLEX == set()
    (site,) = resources("Microsoft.Web/sites")
    assert site["properties"]["siteConfig"].keys() == {"minTlsVersion", "appSettings"}
    for path in TEMPLATES:
        code = "\n".join(line.split("//")[0] for line in path.read_text().splitlines())
        for name in FORBIDDEN_ON_FLEX:
            assert not re.search(rf"\b{name}\b", code), (path.name, name)


def test_the_start_page_of_the_host_is_off() -> None:
    """The hub answers for every address but the host's own; / is to say nothing."""
    assert variable("platformSettings", "modules/function-app.bicep")["AzureWebJobsDisableHomepage"] == "true"


def test_no_secret_of_the_hub_is_named_in_a_template() -> None:
    """They come from the vault; not even a parameter may carry one."""
    secrets = {name for name, (_, secret) in setting_fields().items() if secret} - {
        "APPLICATIONINSIGHTS_CONNECTION_STRING",
        "AzureWebJobsStorage",
        "ServiceBusConnection",
    }
    assert secrets
    for path in [*TEMPLATES, *INFRA.glob("*.bicepparam"), ROOT / "azure.yaml"]:
        named = {name for name in secrets if re.search(rf"\b{name}\b", path.read_text())}
        assert named == set(), path.name


def parameters_of_all() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path in TEMPLATES:
        name = str(path.relative_to(INFRA))
        for parameter, given in template(name).get("parameters", {}).items():
            yield name, parameter, given


def test_a_parameter_that_looks_like_a_secret_is_secure() -> None:
    checked = 0
    for name, parameter, given in parameters_of_all():
        checked += 1
        if SECRET_LOOKING.search(parameter):
            assert "secure" in {one["type"] for one in given["decorators"]}, (name, parameter)
    assert checked > 50


@pytest.mark.parametrize("name", ["main.bicep", "inbox-subscriptions.bicep"])
def test_no_output_gives_a_secret_away(name: str) -> None:
    def outputs(part: Any) -> Iterator[tuple[str, Any]]:
        if isinstance(part, dict):
            if isinstance(part.get("outputs"), dict) and "resources" in part:
                yield from part["outputs"].items()
            for one in part.values():
                yield from outputs(one)
        elif isinstance(part, list):
            for one in part:
                yield from outputs(one)

    found = list(outputs(compiled(name)))
    assert found or name != "main.bicep"
    for output, given in found:
        assert not re.search(r"list\w*\(|ConnectionString|InstrumentationKey", json.dumps(given)), output
        assert not SECRET_LOOKING.search(output), output


def test_the_key_of_the_webhook_is_looked_up_where_it_is_used() -> None:
    """In no parameter and no output: Resource Manager asks the app for it."""
    text = json.dumps(compiled("inbox-subscriptions.bicep"))
    assert text.count("listKeys(") == 1
    assert "blobs_extension" not in json.dumps(compiled("main.bicep"))
    assert compiled("inbox-subscriptions.bicep").get("outputs", {}) == {}


def test_a_private_network_closes_everything_that_holds_data() -> None:
    groups = re.findall(r"privateNetwork \? \[ (.+?) \]", (INFRA / "main.bicep").read_text())
    assert groups == ["'blob', 'queue', 'table', 'vault', 'namespace'"]
    assert set(variable("zoneNames", "modules/network.bicep")) == {"blob", "queue", "table", "vault", "namespace"}
    (network,) = resources("Microsoft.Network/virtualNetworks")
    app = network["properties"]["subnets"][0]
    assert app["properties"]["delegations"][0]["properties"]["serviceName"] == "Microsoft.App/environments"
    assert list(app["properties"]["addressPrefix"]["function"]["parameters"].values()) == ["addressPrefix", 27, 0]


def test_only_native_resources_are_used() -> None:
    """Modules of a registry could not be compiled without the network."""
    for path in TEMPLATES:
        assert not re.search(r"'br[:/]", path.read_text()), path.name
