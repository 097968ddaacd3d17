"""Settings: good defaults, and a wrong one is reported by name when it is used, never earlier."""

from collections.abc import Callable
from datetime import time
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from shared.adapters.resilience.policies import policy_of
from shared.adapters.settings import Settings
from shared.kernel.errors import ConfigurationError
from shared.kernel.pay_period import PayCalendar

GOOD = {
    "HUB_PAGE_TOKEN_SECRET": "0123456789abcdef",
    "AzureWebJobsStorage": "UseDevelopmentStorage=true",
    "ERP_BASE_URL": "https://erp.example.com/",
    "ERP_TOKEN_URL": "http://127.0.0.1:9000/token",
    "ERP_CLIENT_ID": "client",
    "ERP_CLIENT_SECRET": "hidden",
    "HR_BASE_URL": "https://hr.example.com",
    "HR_TOKEN_URL": "https://hr.example.com/token",
    "HR_CLIENT_ID": "client",
    "HR_CLIENT_SECRET": "hidden",
    "HR_WEBHOOK_SECRET": "0123456789abcdef",
    "PAYROLL_BASE_URL": "https://payroll.example.com",
    "PAYROLL_TOKEN_URL": "https://payroll.example.com/token",
    "PAYROLL_CLIENT_ID": "client",
    "PAYROLL_CLIENT_SECRET": "hidden",
    "SFTP_HOST": "sftp.example.com",
    "SFTP_USERNAME": "hub",
    "SFTP_PASSWORD": "hidden",
    "SFTP_HOST_KEY": "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU",
    "AUTH_ISSUER": "https://login.example.com/",
    "AUTH_JWKS_URL": "https://login.example.com/keys",
}
READ: dict[str, Callable[[Settings], Any]] = {
    "hub": lambda settings: settings.hub,
    "storage": lambda settings: settings.storage,
    "queues": lambda settings: settings.queues,
    "erp": lambda settings: settings.erp,
    "imports": lambda settings: settings.imports,
    "hr": lambda settings: settings.hr,
    "payroll": lambda settings: settings.payroll,
    "sftp": lambda settings: settings.sftp,
    "auth": lambda settings: settings.auth,
}


def test_the_required_settings_are_enough() -> None:
    settings = Settings(GOOD)
    assert settings.problems() == ()
    assert settings.hub.tenant == "default"
    assert settings.hub.message_retry_delays == (30.0, 120.0, 600.0)
    assert settings.erp.base_url == "https://erp.example.com"
    assert settings.erp.call_timeout == 45
    assert settings.imports.time_zone == ZoneInfo("UTC")
    assert settings.imports.pay_calendar is PayCalendar.MONTH


@pytest.mark.parametrize(
    ("partner", "call_timeout", "lease"),
    [
        ("erp", lambda given: given.erp.call_timeout, lambda given: given.imports.slice_lease),
        ("payroll", lambda given: given.payroll.call_timeout, lambda given: given.payroll.export_lease),
    ],
    ids=["a page of the ERP", "a batch to payroll"],
)
def test_a_lease_outlives_a_call_with_its_retries(
    partner: str, call_timeout: Callable[[Settings], float], lease: Callable[[Settings], float]
) -> None:
    """Every attempt times out, every wait is the longest; the circuit ends it, or the retries do."""
    given, policy = Settings(GOOD), policy_of(partner)
    attempts = min(policy.breaker.failures, policy.retry.retries + 1)
    waits = sum(policy.retry.delay(retry, 1) for retry in range(1, attempts))
    assert attempts * call_timeout(given) + waits < lease(given)


def test_settings_are_read_into_their_types() -> None:
    settings = Settings(
        GOOD
        | {
            "ERP_BUSINESS_TIME_ZONE": "Europe/Berlin",
            "ERP_MAX_REJECT_SHARE": "0.1",
            "ERP_KNOWN_STORES": " S1, S2 ,,",
            "HUB_MESSAGE_RETRY_DELAYS": "1,2.5",
            "PAY_CALENDAR": "two-weeks",
            "IMPORT_EXPECTED_BY": "02:15",
            "IMPORT_TRIGGERS_CALCULATION": "true",
        }
    )
    imports = settings.imports
    assert imports.time_zone == ZoneInfo("Europe/Berlin")
    assert imports.max_reject_share == Decimal("0.1")
    assert imports.known_stores == ("S1", "S2")
    assert imports.pay_calendar is PayCalendar.TWO_WEEKS
    assert imports.expected_by == time(2, 15)
    assert imports.triggers_calculation
    assert settings.hub.message_retry_delays == (1.0, 2.5)


def test_nothing_fails_before_a_setting_is_used() -> None:
    settings = Settings({"ERP_PAGE_SIZE": "many"})
    with pytest.raises(ConfigurationError):
        _ = settings.erp
    assert settings.imports.currency == "EUR"


@pytest.mark.parametrize(
    ("group", "name", "value", "message"),
    [
        ("hub", "HUB_PAGE_TOKEN_SECRET", "", "is missing"),
        ("hub", "HUB_PAGE_TOKEN_SECRET", "short", "at least 16"),
        ("hub", "HUB_TENANT", "a b", "must match the pattern"),
        ("hub", "HUB_MESSAGE_RETRY_DELAYS", "30,soon", "soon"),
        ("hub", "HUB_MESSAGE_RETRY_DELAYS", "30,-1", "at least 0"),
        ("hub", "HUB_HEALTH_DEADLINE", "0", "greater than 0"),
        ("storage", "AzureWebJobsStorage", "", "is missing"),
        ("queues", "HUB_QUEUES", "rabbits", "'storage' or 'servicebus'"),
        ("queues", "ServiceBusConnection__fullyQualifiedNamespace", "sb://hub.example.com/", "must match the pattern"),
        ("erp", "ERP_BASE_URL", "", "is missing"),
        ("erp", "ERP_BASE_URL", "erp.example.com", "must be a URL"),
        ("erp", "ERP_BASE_URL", "http://erp.example.com", "must use https"),
        ("erp", "ERP_BASE_URL", "ftp://erp.example.com", "must be a URL"),
        ("erp", "ERP_PAGE_SIZE", "0", "at least 1"),
        ("erp", "ERP_PAGE_SIZE", "many", "must be a whole number"),
        ("erp", "ERP_CALL_TIMEOUT", "121", "at most 120"),
        ("imports", "ERP_BUSINESS_TIME_ZONE", "Berlin", "must be an IANA time zone"),
        ("imports", "ERP_BUSINESS_TIME_ZONE", "../etc/passwd", "must be an IANA time zone"),
        ("imports", "ERP_MAX_REJECT_SHARE", "1.5", "at most 1"),
        ("imports", "ERP_CURRENCY", "euro", "must match the pattern"),
        ("imports", "PAY_CALENDAR", "weekly", "'month' or 'two-weeks'"),
        ("imports", "IMPORT_EXPECTED_BY", "25:00", "must be a time"),
        ("hr", "HR_WEBHOOK_SECRET", "short", "at least 16"),
        ("hr", "HR_MAX_TERMINATION_SHARE", "2", "at most 1"),
        ("payroll", "APPROVAL_DEADLINE", "5 25:00", "must match the pattern"),
        ("payroll", "PAYROLL_CURRENCY", "euro", "must match the pattern"),
        ("sftp", "SFTP_HOST_KEY", "", "is missing"),
        ("sftp", "SFTP_HOST_KEY", "any", "key"),
        ("sftp", "SFTP_PORT", "70000", "at most 65535"),
        ("sftp", "SFTP_DIRECTORY", "incoming", "must match the pattern"),
        ("auth", "AUTH_ISSUER", "", "is missing"),
        ("auth", "AUTH_JWKS_URL", "http://login.example.com/keys", "must use https"),
    ],
)
def test_a_wrong_setting_is_named_with_what_is_wrong(group: str, name: str, value: str, message: str) -> None:
    settings = Settings(GOOD | {name: value})
    with pytest.raises(ConfigurationError) as caught:
        READ[group](settings)
    assert [problem.field for problem in caught.value.problems] in ([name], [name, name])
    assert message in caught.value.problems[0].message
    assert name in caught.value.message


NAMESPACE = {"ServiceBusConnection__fullyQualifiedNamespace": "hub.servicebus.windows.net"}
CONNECTION = {"ServiceBusConnection": "Endpoint=sb://127.0.0.1;SharedAccessKeyName=x;SharedAccessKey=hidden"}


@pytest.mark.parametrize(
    ("given", "problems"),
    [
        (NAMESPACE, []),
        (CONNECTION, []),
        ({}, ["ServiceBusConnection"]),
        (NAMESPACE | CONNECTION, ["ServiceBusConnection"]),
    ],
    ids=["by identity", "by a connection string", "neither", "both"],
)
def test_service_bus_is_reached_in_one_way(given: dict[str, str], problems: list[str]) -> None:
    found = Settings(GOOD | given | {"HUB_QUEUES": "servicebus"}).problems()
    assert [problem.field for problem in found] == problems
    assert "hidden" not in str(found)
    assert Settings(GOOD | given).problems() == ()


def test_problems_lists_everything_at_once() -> None:
    problems = Settings({"ERP_PAGE_SIZE": "0", "HUB_TENANT": "!", "PAY_CALENDAR": "moon"}).problems()
    assert {problem.field for problem in problems} >= {*GOOD} - {"SFTP_PASSWORD"} | {
        "ERP_PAGE_SIZE",
        "HUB_TENANT",
        "PAY_CALENDAR",
    }


def test_there_is_a_way_into_the_sftp_server() -> None:
    with pytest.raises(ConfigurationError, match="give either SFTP_PRIVATE_KEY or SFTP_PASSWORD"):
        _ = Settings(GOOD | {"SFTP_PASSWORD": ""}).sftp


def test_key_and_password_are_both_kept_for_an_sftp_server_that_wants_both() -> None:
    key, password = Settings(GOOD | {"SFTP_PRIVATE_KEY": "a key"}).sftp.credentials
    assert key
    assert password
    assert (key.value(), password.value()) == ("a key", GOOD["SFTP_PASSWORD"])


def test_host_keys_are_kept_with_their_kinds() -> None:
    rsa, ecdsa = "AAAAB3NzaC1yc2E=", "AAAAE2VjZHNhLXNoYTItbmlzdHAyNTY="
    setting = f"sftp.example.com,192.0.2.1 ssh-rsa {rsa}\\necdsa-sha2-nistp256 {ecdsa}, SHA256:{'A' * 43}"
    pinned = Settings(GOOD | {"SFTP_HOST_KEY": setting}).sftp.host_key
    assert len(pinned.fingerprints) == 3
    assert pinned.kinds == ("ssh-rsa", "ecdsa-sha2-nistp256")


def test_no_value_of_a_setting_is_told() -> None:
    settings = Settings(GOOD | {"HUB_PAGE_TOKEN_SECRET": "tellnobody", "ERP_CLIENT_SECRET": "sesame"})
    with pytest.raises(ConfigurationError) as caught:
        _ = settings.hub
    assert "tellnobody" not in str(caught.value)
    assert "sesame" not in repr(settings.erp)
