"""What the import makes of an ERP that misbehaves: a clean retry, or Failed with the reason and nothing published."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal

import pytest

from local.sandbox.faults import DEMO, Fault
from local.sandbox.generator import Shape
from local.sandbox.server import Sandbox
from shared.sales.runs import RunStatus
from tests.component.import_hub import ImportHub

DAY = date(2025, 1, 15)
PAGE_SIZE = "200"


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(Shape(records=2000, employees=20)) as running:
        yield running


@pytest.fixture
def hub(sandbox: Sandbox) -> ImportHub:
    return ImportHub(sandbox, ERP_PAGE_SIZE=PAGE_SIZE, ERP_PAGES_PER_SLICE="4")


def assert_right(hub: ImportHub) -> None:
    truth = hub.sandbox.erp.totals(DAY)
    cents = int(Decimal(truth["importedAmount"]).scaleb(2))
    assert hub.metrics() == (truth["imported"], cents)


def test_a_clean_day_equals_the_ledger(hub: ImportHub) -> None:
    """INC-02 to INC-05: every count and total is what the ERP truly holds."""
    run = hub.run(DAY)
    truth = hub.sandbox.erp.totals(DAY)
    assert run.status is RunStatus.PARTIAL_SUCCESS
    assert (run.records_read, run.staged, run.duplicates) == (2000, truth["valid"], truth["duplicates"])
    assert dict(run.rejected_by_reason) == truth["rejectedByReason"]
    assert run.held == truth["held"]
    assert_right(hub)


@pytest.mark.parametrize(
    "fault",
    [
        Fault("erp.sales", "status", page=2, status=503, times=2),
        Fault("erp.sales", "status", page=2, status=429, retry_after="1"),
        Fault("erp.sales", "status", page=1, status=500),
        Fault("erp.sales", "slow", page=3, seconds=2.5),
        Fault("erp.sales", "reset", page=2),
        Fault("erp.sales", "torn", page=2),
        Fault("erp.sales", "cut-json", page=2),
        Fault("erp.sales", "not-json", page=2),
        Fault("erp.sales", "wrong-content-type", page=2),
        Fault("erp.sales", "repeated-page", page=3),
        Fault("erp.sales", "repeated-page-renumbered", page=3),
        Fault("erp.sales", "repeated-page-renumbered", page=5),
        Fault("erp.sales", "expired-token", page=4),
        Fault("erp.sales", "wrong-total", page=2),
        Fault("erp.sales", "huge-page", page=2),
        Fault("identity.token", "status", status=500),
    ],
    ids=lambda fault: f"{fault.kind}-{fault.status if fault.kind == 'status' else fault.page}",
)
def test_a_passing_fault_changes_nothing_in_the_result(hub: ImportHub, fault: Fault) -> None:
    """RES-04, RES-05, INC-07: retried, or the source is read again from the start."""
    hub.sandbox.faults.add([fault])
    run = hub.run(DAY)
    assert hub.sandbox.faults.fired
    assert run.status is RunStatus.PARTIAL_SUCCESS
    assert_right(hub)


def test_all_faults_of_the_demo_together_change_nothing_in_the_result(hub: ImportHub) -> None:
    hub.sandbox.faults.add([*DEMO])
    run = hub.run(DAY)
    assert len(hub.sandbox.faults.fired) == len(DEMO)
    assert run.status is RunStatus.PARTIAL_SUCCESS
    assert_right(hub)


@pytest.mark.parametrize(
    ("fault", "code", "words"),
    [
        (Fault("erp.sales", "redirect", location="http://127.0.0.2:1/sales", times=99), "ContractBroken", "redirect"),
        (Fault("erp.sales", "gzip-bomb", times=99), "ContractBroken", "larger|more than|limit|bytes"),
        (Fault("erp.sales", "status", status=404, times=99), "PartnerRefused", "404"),
        (Fault("erp.sales", "status", page=2, status=503, times=99), "ServerFailure", "503"),
        (Fault("erp.sales", "not-json", page=2, times=99), "MalformedResponse", "text/html|content type|JSON"),
        (Fault("erp.sales", "wrong-total", page=2, times=99), "SourceChanged", "2001 records in total"),
        (Fault("erp.sales", "huge-page", page=2, times=99), "MalformedResponse", "400 records, 200 were asked for"),
    ],
    ids=lambda value: value.kind if isinstance(value, Fault) else None,
)
def test_a_lasting_fault_ends_as_failed_with_the_reason_and_the_next_run_repairs(
    hub: ImportHub, fault: Fault, code: str, words: str
) -> None:
    """INC-04, INC-06, INC-07: nothing reaches production tables."""
    hub.sandbox.faults.add([fault])
    run = hub.run(DAY)
    assert (run.status, run.failure_code) == (RunStatus.FAILED, code)
    assert any(word in run.failure for word in words.split("|")), run.failure
    assert hub.metrics() == (0, 0)
    assert [message.type for message in hub.queues.messages("notifications")][-1] == "import.failed"
    hub.sandbox.faults.clear()
    hub.hub.erp_breaker.reset()
    assert hub.run(DAY).status is RunStatus.PARTIAL_SUCCESS
    assert_right(hub)


def test_wrong_credentials_are_reported_by_the_names_of_the_settings(sandbox: Sandbox) -> None:
    """INC-02: the operator must know which setting to mend."""
    hub = ImportHub(sandbox, ERP_CLIENT_SECRET="wrong")
    run = hub.run(DAY)
    assert (run.status, run.failure_code) == (RunStatus.FAILED, "ConfigurationError")
    assert "ERP_CLIENT_SECRET" in run.failure
    assert "wrong" not in run.failure


def test_an_open_circuit_delays_the_run_and_does_not_fail_it(hub: ImportHub) -> None:
    """RES-03: three failures in a row open the ERP's circuit; the run goes on when it closes."""
    hub.sandbox.faults.add([Fault("erp.sales", "status", page=2, status=503, times=4)])
    run = hub.run(DAY)
    assert run.status is RunStatus.PARTIAL_SUCCESS
    assert_right(hub)


def test_corrected_data_replaces_what_was_imported(hub: ImportHub) -> None:
    """INC-07: amounts change, sales vanish, appear and move to another day; each day is imported again."""
    hub.run(DAY)
    other = date(2025, 1, 16)
    hub.run(other)
    first = [line.record["transactionId"] for line in hub.sandbox.erp.day(DAY).lines[:4]]
    hub.sandbox.erp.correct(
        [
            {"date": "2025-01-15", "transactionId": first[0], "set": {"salesAmount": "777.77"}},
            {"date": "2025-01-15", "transactionId": first[1], "delete": True},
            {"date": "2025-01-15", "transactionId": first[2], "moveToDate": "2025-01-16"},
        ]
    )
    hub.run(DAY)
    hub.run(other)
    totals = [hub.sandbox.erp.totals(day) for day in (DAY, other)]
    cents = sum(int(Decimal(one["importedAmount"]).scaleb(2)) for one in totals)
    assert hub.metrics() == (sum(one["imported"] for one in totals), cents)
