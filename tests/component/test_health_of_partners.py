"""INC-72, RES-10: each partner is asked: one that is down or does not know us is found out before it is needed."""

import logging
from collections.abc import Iterator

import pytest

from local.sandbox.faults import Fault
from local.sandbox.generator import Shape
from local.sandbox.server import Sandbox
from shared.health.checks import Finding, Verdict, overall
from shared.hub import Hub
from shared.kernel.adapter import Health
from tests.component.import_hub import environment
from tests.contract.test_adapters_contract import sales_environment
from tests.fakes.blobs import MemoryBlobs
from tests.fakes.queues import MemoryQueues
from tests.fakes.tables import MemoryTables

PARTNERS = ("erp", "hr", "payroll", "payroll-sftp", "e-mail", "notifications", "sales")
NOBODY = "http://127.0.0.1:9"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(Shape(records=1), sftp_port=0, mail_port=0) as running:
        yield running


@pytest.fixture(autouse=True)
def _no_faults(sandbox: Sandbox) -> Iterator[None]:
    yield
    sandbox.faults.clear()


def findings(sandbox: Sandbox, **settings: str) -> dict[str, Finding]:
    given = {
        **environment(sandbox),
        **sales_environment(sandbox),
        "HUB_NOTIFICATION_URL": f"{sandbox.url}/notifications",
        "MAIL_PROVIDER": "smtp",
        "MAIL_DOMAIN": "hub.example.com",
        "MAIL_SMTP_HOST": "127.0.0.1",
        "MAIL_SMTP_PORT": str(sandbox.mailbox.port if sandbox.mailbox else 9),
        "MAIL_SMTP_STARTTLS": "false",
        "HUB_HEALTH_DEADLINE": "30",
        **settings,
    }
    hub = Hub(given, sleep=lambda _: None, tables=MemoryTables(), blobs=MemoryBlobs(), queues=MemoryQueues())
    return {finding.name: finding for finding in hub.health.run()}


def test_partners_that_answer_are_healthy_and_the_latency_is_theirs(sandbox: Sandbox) -> None:
    before = sandbox.requests["identity.token 200"]
    found = findings(sandbox)
    assert {name: found[name].verdict for name in PARTNERS} == dict.fromkeys(PARTNERS, Verdict.PASS)
    assert overall(found.values()) is Health.HEALTHY
    assert sandbox.requests["identity.token 200"] - before == 4, "ERP, HR, payroll, sales"
    assert all(found[name].latency > 0 for name in PARTNERS)


@pytest.mark.parametrize(
    ("partner", "settings", "reason"),
    [
        ("hr", {"HR_CLIENT_SECRET": "wrong"}, "setting HR_CLIENT_SECRET: the identity provider answers"),
        ("payroll", {"PAYROLL_CLIENT_SECRET": "wrong"}, "setting PAYROLL_CLIENT_SECRET: the identity provider answers"),
        ("payroll-sftp", {"SFTP_PASSWORD": "wrong"}, "SFTP_PASSWORD: the server does not accept them"),
        ("hr", {"HR_BASE_URL": f"{NOBODY}/hr"}, "NetworkFailure"),
        ("payroll", {"PAYROLL_BASE_URL": NOBODY}, "NetworkFailure"),
        ("sales", {"SALES_BASE_URL": NOBODY}, "NetworkFailure"),
        ("payroll-sftp", {"SFTP_PORT": "9"}, "NetworkFailure"),
        ("e-mail", {"MAIL_SMTP_PORT": "9"}, "NetworkFailure"),
        ("notifications", {"HUB_NOTIFICATION_URL": f"{NOBODY}/notifications"}, "NetworkFailure"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_partner_that_is_down_or_does_not_know_us_fails_and_degrades_the_hub(
    sandbox: Sandbox, partner: str, settings: dict[str, str], reason: str
) -> None:
    found = findings(sandbox, **settings)
    assert {name for name in PARTNERS if found[name].verdict is not Verdict.PASS} == {partner}
    assert found[partner].verdict is Verdict.FAIL
    assert reason in found[partner].reason
    assert "wrong" not in found[partner].reason
    assert NOBODY not in found[partner].reason
    assert overall(found.values()) is Health.DEGRADED, "the hub still takes work"


def test_an_identity_provider_that_is_down_is_told_of_every_partner_that_needs_it(sandbox: Sandbox) -> None:
    sandbox.faults.add([Fault("identity.token", "status", status=503, times=99)])
    found = findings(sandbox)
    assert {name for name in PARTNERS if found[name].verdict is Verdict.FAIL} == {"erp", "hr", "payroll", "sales"}


def test_partners_that_are_not_set_up_cannot_be_down(sandbox: Sandbox) -> None:
    found = findings(sandbox, MAIL_PROVIDER="none", HUB_NOTIFICATION_URL="", SALES_BASE_URL="")
    assert (found["e-mail"].verdict, found["notifications"].verdict) == (Verdict.PASS, Verdict.PASS)
    assert "sales" not in found


def test_looking_leaves_nothing_behind(sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        findings(sandbox)
    assert sandbox.mailbox
    assert sandbox.mailbox.messages() == []
    assert sandbox.sftp
    assert [path for path in sandbox.sftp.root.rglob("*") if path.is_file()] == []
    assert caplog.messages == []
