"""What a deployment would make of its parameters, as the compiler itself works it out."""

from pathlib import Path
from typing import Any

import pytest

from tests.unit.infra.compiler import Refused, parameters, predicted

METRIC_ALERTS, LOG_ALERTS = "Microsoft.Insights/metricAlerts", "Microsoft.Insights/scheduledQueryRules"


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    """The resources of main.bicepparam as it is."""
    return predicted(tmp_path_factory.mktemp("sample") / "infra")


def always_ready(resources: dict[str, list[dict[str, Any]]]) -> dict[str, int]:
    (site,) = resources["Microsoft.Web/sites"]
    groups = site["properties"]["functionAppConfig"]["scaleAndConcurrency"]["alwaysReady"]
    return {group["name"]: group["instanceCount"] for group in groups}


def test_the_sample_keeps_what_was_paid_in_three_zones_and_has_every_alert_on(
    sample: dict[str, list[dict[str, Any]]],
) -> None:
    (account,) = sample["Microsoft.Storage/storageAccounts"]
    assert account["sku"]["name"] == "Standard_ZRS"
    assert {rule["properties"]["enabled"] for kind in (METRIC_ALERTS, LOG_ALERTS) for rule in sample[kind]} == {True}
    assert always_ready(sample) == {"http": 1}


def test_no_alert_fires_before_there_is_a_hub(tmp_path: Path) -> None:
    """Between the resources and the code nothing was ever measured, and every timer is missing."""
    made = predicted(tmp_path / "infra", ALERTS_ENABLED="false")
    assert METRIC_ALERTS not in made
    assert {rule["properties"]["enabled"] for rule in made[LOG_ALERTS]} == {False}


def test_an_update_is_what_every_region_has(sample: dict[str, list[dict[str, Any]]], tmp_path: Path) -> None:
    """RollingUpdate is there in some regions: a template that names it is refused in the others."""
    (site,) = sample["Microsoft.Web/sites"]
    assert "siteUpdateStrategy" not in site["properties"]["functionAppConfig"]
    rolling = predicted(tmp_path / "infra", "param siteUpdateStrategy = 'RollingUpdate'")
    (site,) = rolling["Microsoft.Web/sites"]
    assert site["properties"]["functionAppConfig"]["siteUpdateStrategy"] == {"type": "RollingUpdate"}
    assert site["properties"]["functionAppConfig"]["runtime"] == {"name": "python", "version": "3.13"}


def test_an_account_has_one_system_topic_which_may_be_there_already(
    sample: dict[str, list[dict[str, Any]]], tmp_path: Path
) -> None:
    """Defender for Storage makes one; a second is refused."""
    made = predicted(tmp_path / "infra", "param existingTopicName = 'defender-topic'")
    topics = [resources["Microsoft.EventGrid/systemTopics"] for resources in (sample, made)]
    assert [[topic["name"] for topic in found] for found in topics] == [["evgt-dsif-test"], ["defender-topic"]]
    for (topic,) in topics:
        assert topic["identity"] == {"type": "SystemAssigned"}  # it writes what it could not deliver


def test_partners_that_allow_addresses_get_one_that_stays(
    sample: dict[str, list[dict[str, Any]]], tmp_path: Path
) -> None:
    assert "Microsoft.Network/natGateways" not in sample
    assert "Microsoft.Network/virtualNetworks" not in sample
    made = predicted(tmp_path / "infra", "param stableOutboundAddress = true")
    (gateway,) = made["Microsoft.Network/natGateways"]
    (address,) = made["Microsoft.Network/publicIPAddresses"]
    assert (address["properties"]["publicIPAllocationMethod"], address["sku"]["name"]) == ("Static", "Standard")
    assert [one["id"] for one in gateway["properties"]["publicIpAddresses"]] == [address["id"]]
    (network,) = made["Microsoft.Network/virtualNetworks"]
    subnets = {one["name"]: one["properties"] for one in network["properties"]["subnets"]}
    assert subnets["app"]["natGateway"] == {"id": gateway["id"]}
    assert "Microsoft.Network/privateEndpoints" not in made  # storage, vault and Service Bus stay as they are
    assert "Microsoft.Network/privateDnsZones" not in made
    (site,) = made["Microsoft.Web/sites"]
    assert site["properties"]["virtualNetworkSubnetId"].endswith("/subnets/app")


def test_whoever_puts_secrets_may_be_a_service(tmp_path: Path) -> None:
    """azd sets both variables; a pipeline signs in as a service principal."""
    given = {"AZURE_PRINCIPAL_ID": "00000000-0000-0000-0000-00000000000a", "AZURE_PRINCIPAL_TYPE": "ServicePrincipal"}
    made = predicted(tmp_path / "infra", **given)
    kinds = [
        one["properties"]["principalType"]
        for one in made["Microsoft.Authorization/roleAssignments"]
        if one["properties"]["principalId"] == given["AZURE_PRINCIPAL_ID"]
    ]
    assert kinds == ["ServicePrincipal"]


def test_an_app_in_several_zones_has_two_instances_of_each_group(tmp_path: Path) -> None:
    given = "[ { name: 'http', instanceCount: 1 }, { name: 'blob', instanceCount: 3 } ]"
    lines = ("param zoneRedundant = true", f"param alwaysReady = {given}", "param storageRedundancy = 'GZRS'")
    made = predicted(tmp_path / "infra", *lines)
    assert always_ready(made) == {"http": 2, "blob": 3}
    (plan,) = made["Microsoft.Web/serverfarms"]
    assert plan["properties"]["zoneRedundant"] is True
    (account,) = made["Microsoft.Storage/storageAccounts"]
    assert account["sku"]["name"] == "Standard_GZRS"


def test_an_app_in_several_zones_has_no_storage_in_one(tmp_path: Path) -> None:
    lines = ("param zoneRedundant = true", "param storageRedundancy = 'GRS'")
    with pytest.raises(Refused, match="zoneRedundant needs storageRedundancy ZRS or GZRS"):
        predicted(tmp_path / "infra", *lines)


def test_the_log_of_the_host_goes_to_the_workspace(sample: dict[str, list[dict[str, Any]]]) -> None:
    """A hub that does not load writes nothing itself: why, only the host can say."""
    (site,) = sample["Microsoft.Web/sites"]
    logged = {
        one["id"]: [log["category"] for log in one["properties"]["logs"]]
        for one in sample["Microsoft.Insights/diagnosticSettings"]
    }
    assert logged[f"{site['id']}/providers/Microsoft.Insights/diagnosticSettings/host-log"] == ["FunctionAppLogs"]


def test_the_hub_of_the_sample_tells_somebody() -> None:
    """INC-57, INC-60: without a provider nobody gets a mail, without addresses a role gets none."""
    given = parameters("main.bicepparam")["settings"]
    assert given["MAIL_PROVIDER"] != "none"
    assert all(given[name] for name in ("MAIL_FINANCE", "MAIL_ADMINS", "MAIL_APPROVERS"))
