"""The composition root: lazy, cached, every part replaceable."""

import pytest

from shared.health.checks import Health, overall
from shared.hub import Hub, current_hub, replaced_hub
from shared.kernel.errors import ConfigurationError
from tests.fakes.blobs import MemoryBlobs
from tests.fakes.queues import MemoryQueues
from tests.fakes.tables import MemoryTables

PARTS = ["storage", "queues", "timers", "erp", "hr", "payroll", "payroll-sftp", "e-mail", "notifications"]


def memory_hub(**environment: str) -> Hub:
    return Hub(
        {"HUB_PAGE_TOKEN_SECRET": "a secret for page tokens", **environment},
        tables=MemoryTables(),
        blobs=MemoryBlobs(),
        queues=MemoryQueues(),
        erp_health=lambda: None,
    )


def test_a_hub_without_settings_can_be_built_and_names_the_setting_when_it_is_needed() -> None:
    hub = Hub({})
    with pytest.raises(ConfigurationError, match="AUTH_ISSUER: is missing"):
        _ = hub.access_tokens


def test_services_are_built_once() -> None:
    hub = memory_hub()
    assert hub.messages is hub.messages
    assert hub.dead_letters is hub.dead_letters


def test_a_part_is_replaced_by_its_name_and_a_wrong_name_is_refused() -> None:
    tables = MemoryTables()
    assert Hub({}, tables=tables).tables is tables
    for name in ("tabels", "tenant", "clock_", "__init__"):
        with pytest.raises(TypeError, match="has no service"):
            Hub({}, **{name: object()})  # type: ignore[arg-type]


def test_the_hub_of_the_process_is_replaced_for_a_while() -> None:
    mine = memory_hub()
    before = current_hub()
    with replaced_hub(mine):
        assert current_hub() is mine
    assert current_hub() is before


def test_health_in_memory_is_good() -> None:
    findings = memory_hub().health.run()
    assert [finding.name for finding in findings] == PARTS
    assert overall(findings) is Health.HEALTHY


def test_health_tells_of_settings_that_are_missing_instead_of_failing() -> None:
    """INC-72."""
    findings = Hub({}).health.run()
    assert overall(findings) is Health.UNHEALTHY
    storage = next(finding for finding in findings if finding.name == "storage")
    assert "is missing" in storage.reason
