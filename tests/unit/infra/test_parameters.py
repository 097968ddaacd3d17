"""What a deployment would make of its parameters, as the compiler itself works it out."""

from pathlib import Path
from typing import Any

import pytest

from tests.unit.infra.compiler import Refused, parameters, predicted

ALERTS = ("Microsoft.Insights/metricAlerts", "Microsoft.Insights/scheduledQueryRules")


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
    assert {rule["properties"]["enabled"] for kind in ALERTS for rule in sample[kind]} == {True}
    assert always_ready(sample) == {"http": 1}


def test_no_alert_fires_before_there_is_a_hub(tmp_path: Path) -> None:
    """Between the resources and the code nothing was ever measured, and every timer is missing."""
    made = predicted(tmp_path / "infra", ALERTS_ENABLED="false")
    assert {rule["properties"]["enabled"] for kind in ALERTS for rule in made[kind]} == {False}


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
