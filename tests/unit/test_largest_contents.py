"""Every table takes the largest content that its capability accepts, within Azure's limits, and gives it back.

The tables in memory refuse what Azure would refuse. A list in a row has a bound at the border, or is kept in several
cells (`kernel/long_cells.py`). A table that has no case here fails the last test.
"""

import json
from array import array
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from shared.adapters.resilience.idempotency import Idempotency
from shared.adapters.resilience.lease import Leases
from shared.adapters.timer_runs import StoredTimerRuns
from shared.incentives.calculation import Action, Calculation, Change, Kind, State
from shared.incentives.calculation_id import calculation_id
from shared.incentives.calculation_runs import CalculationRun, CalculationRunStore, RunStatus
from shared.incentives.calculation_store import CalculationStore
from shared.incentives.plan import Plan, Tier
from shared.incentives.plan_versions import PlanVersionStore, rules_of
from shared.incentives.progress import Progress
from shared.incentives.untold_decisions import Decision, UntoldDecisions
from shared.kernel.clock import to_iso
from shared.kernel.keys import join_key
from shared.kernel.mail import Mail
from shared.kernel.message import new_message
from shared.kernel.timer import Timer
from shared.messaging.dead_letter import Failure
from shared.messaging.dead_letter import Kind as LetterKind
from shared.messaging.dead_letter_store import DeadLetterStore
from shared.notify.delivery import MAIL_LOG, MailDelivery
from shared.payroll.export import ControlTotals, Export, ExportStatus, Step
from shared.payroll.export_store import ExportStore
from shared.provision import TABLES
from shared.sales.held import HeldStore
from shared.sales.mappings import MappingStore
from shared.sales.metrics import DayOfSales, MetricsStore
from shared.sales.models import RawRecord, Rejection, RejectReason, Sale, Tally
from shared.sales.owners import Claim
from shared.sales.rejects import RejectWriter, page_of_rejects
from shared.sales.runs import ImportRun, RunStore, Trigger, Version
from shared.sales.slices import Slice, SliceStore
from shared.sales.snapshots import Snapshot, SnapshotStore
from shared.workforce.deliveries import Delivery, DeliveryStore
from shared.workforce.employees import EmployeeStore
from shared.workforce.facts import Fact
from shared.workforce.sync_runs import SyncRun, SyncRunStore
from tests.fakes.blobs import MemoryBlobs
from tests.fakes.tables import MemoryTables

TENANT = "default"
NOW = datetime(2025, 2, 1, 6, tzinfo=UTC)
DAY = date(2025, 1, 15)
RUN_ID = "01941f29-7c00-7000-8000-000000000001"
TWO_UNITS = "\U0001f600"
"""A character that takes two UTF-16 units and four bytes."""
ESCAPED = "#"
"""A character that takes three in a key."""


def identifier(number: int = 0, fill: str = TWO_UNITS) -> str:
    """Return an outside identifier of 128 characters, the longest that is accepted."""
    return f"{number:06d}".ljust(128, fill)


def text(characters: int, seed: int = 0) -> str:
    """Return text of so many characters that nothing compresses."""
    draw = Random(seed)
    return "".join(chr(draw.randrange(0x4E00, 0x9FFF)) for _ in range(characters))


def import_run() -> ImportRun:
    """Return a run with everything that can be long."""
    return ImportRun(
        RUN_ID,
        TENANT,
        "file",
        DAY,
        Trigger.FILE,
        text(500),
        NOW,
        store_id=identifier(),
        file_name=TWO_UNITS * 1024,
        correlation_id=text(150),
        rejected_by_reason={reason.value: 10**9 for reason in RejectReason},
        failure=TWO_UNITS * 2000,
        data_as_of=text(100),
    )


def import_runs(tables: MemoryTables) -> None:
    store = RunStore(tables.table("ImportRuns"), TENANT)
    run = store.create(import_run())
    assert store.get(RUN_ID) == run


def import_slices(tables: MemoryTables) -> None:
    store = SliceStore(tables.table("ImportSlices"), MemoryBlobs().container("import-slices"))
    item = Slice(999, 99_999, text(1000), 2**31, attempt=99, next_cursor=text(1000))
    store.add(import_run(), [item])
    row = tables.table("ImportSlices").get(join_key(TENANT, RUN_ID), item.key)
    assert row
    assert row.values["nextCursor"] == item.next_cursor


def import_rejects(tables: MemoryTables) -> None:
    table = tables.table("ImportRejects")
    writer = RejectWriter(table, import_run())
    raw = RawRecord(1, {"transactionId": identifier(), "more": TWO_UNITS * 9_000}, "")
    for line in range(100):
        writer.add(replace(raw, line=line), 1, Rejection(RejectReason.SCHEMA_INVALID, identifier(), text(5_000)))
    writer.flush()
    assert len(page_of_rejects(table, import_run(), 1000, None).rows) == 100


def staging(tables: MemoryTables) -> None:
    from concurrent.futures import ThreadPoolExecutor

    from shared.sales.staging import StagingWriter, staged_sales

    table, item = tables.table("StagingSalesData"), Slice(1, 0, "", 1)
    sales = [
        Sale(identifier(one, ESCAPED), NOW, identifier(), identifier(), 10**13, 2**31 - 1, text(256), text(256))
        for one in range(100)
    ]
    with ThreadPoolExecutor(1) as executor:
        writer = StagingWriter(table, import_run(), item, executor)
        for line, sale in enumerate(sales):
            writer.add(sale, 1, line)
        writer.flush()
    assert [one.sale for one in staged_sales(table, import_run(), item, 1)] == sales


def snapshots(tables: MemoryTables) -> None:
    """Five thousand runs lost sales to one that has some of a thousand stores with the longest names."""
    table = tables.table("SalesSnapshots")
    store = SnapshotStore(table, TENANT)
    displaced = frozenset(f"01941f29-7c00-7000-8000-{number:012x}" for number in range(5_000))
    sold = {identifier(number): Tally(10**13, 2**31, 10**6) for number in range(1_000)}
    one = Snapshot(
        DAY, identifier(0, ESCAPED), RUN_ID, Version(NOW, 10**9), pushed=True, found=sold, displaced=displaced
    )
    table.insert(TENANT, one.key, one.values())
    assert store.of_day(DAY).snapshots == (one,)
    digests = array("Q", range(100_000))
    store.write_digests(import_run(), digests)
    assert sum(len(part) for _, _, part in store.digests_around(DAY)) == len(digests)


def metrics(tables: MemoryTables) -> None:
    """An employee who sold something in 60 stores with the longest names each day."""
    store = MetricsStore(tables.table("SalesMetrics"), TENANT, "EUR")
    sold = {(identifier(0, ESCAPED), identifier(one)): Tally(10**13, 2**31, 10**6) for one in range(60)}
    for day in range(1, 32):
        with store.hold_day("2025-01", date(2025, 1, day), lambda: NOW, 60.0) as held_day:
            held_day.replace(DayOfSales(sold, lambda _store: True))
    found = store.of_employee("2025-01", identifier(0, ESCAPED))
    assert found
    assert sum(len(stores) for stores in found.days.values()) == 31 * 60


def mappings(tables: MemoryTables) -> None:
    """An ERP ID that went to another employee each week for twenty years."""
    store, erp_id = MappingStore(tables.table("EmployeeMappings"), TENANT), identifier(0, ESCAPED)
    claims = [Claim(DAY + timedelta(weeks=one), NOW, identifier(one), identifier(one)) for one in range(1_000)]
    store.learn({erp_id: claims})
    assert len(store.find([erp_id])[erp_id].claims) == 1_000


def held(tables: MemoryTables) -> None:
    store = HeldStore(tables.table("HeldSales"), TENANT)
    store.replace(RUN_ID, {identifier(one, ESCAPED): Tally(10**13, 2**31, 10**6) for one in range(200)})
    assert store.runs_holding([identifier(7, ESCAPED)]) == {RUN_ID}


def employees(tables: MemoryTables) -> None:
    """Somebody with 100 assignments of which each had 5 versions."""
    store, name = EmployeeStore(tables.table("Employees"), TENANT), identifier(0, ESCAPED)

    def fact(number: int) -> Fact:
        since = NOW - timedelta(days=number)
        return Fact(since, since, identifier(number), text(20, number))

    for number in range(5):
        store.change(
            name,
            lambda person, number=number: person.learn(  # type: ignore[misc]
                {"lastName": fact(number)}, {identifier(one): {"role": fact(number)} for one in range(100)}, NOW
            ),
        )
    assert len(store.get(name).assignments) == 100


def calculations(tables: MemoryTables) -> None:
    """A breakdown with 500 stores each day, and an audit trail of 500 decisions with the longest notes."""
    store = CalculationStore(tables.table("Calculations"), TENANT)
    days = [
        {"date": f"2025-01-{day:02d}", "storeId": identifier(one), "sales": "99999999999.99", "units": 2**31}
        for day in range(1, 32)
        for one in range(500)
    ]
    one = Calculation(
        calculation_id("2025-01", identifier(), "posted:1"),
        identifier(),
        "2025-01",
        Kind.POSTED,
        f"posted:{identifier()}",
        10**13,
        10**13,
        "EUR",
        plan_version=identifier(),
        breakdown={"salesDays": days},
        created_by="calculations-inbox/" + TWO_UNITS * 1024,
        submitted_by=text(500),
        submitter_address=text(320),
        payroll_reason=TWO_UNITS * 500,
        as_of=NOW,
        history=tuple(Change(NOW, text(200, n), Action.REJECT.value, State.REJECTED, text(500, n)) for n in range(200)),
    )
    store.change("2025-01", [one.calculation_id], lambda _key, _standing: one)
    assert store.get(one.calculation_id) == one


def calculation_runs(tables: MemoryTables) -> None:
    store = CalculationRunStore(tables.table("CalculationRuns"), TENANT)
    run = CalculationRun(
        RUN_ID,
        "2025-01",
        text(500),
        NOW,
        RunStatus.FAILED,
        differing=10**6,
        differing_ids=(RUN_ID,) * 50,
        failure=TWO_UNITS * 1000,
        checkpoint=json.dumps(Progress(text(64), RUN_ID, differing_ids=(RUN_ID,) * 50).as_json()),
    )
    store.put(run)
    assert store.get(RUN_ID) == run


def plan_versions(tables: MemoryTables) -> None:
    """A plan that names 4,500 stores, and one that names 2,000 by the longest names."""
    for number, stores in enumerate(
        (
            frozenset(f"Store number {one} of the north" for one in range(4_500)),
            frozenset(f"{one:05d}{text(123, one)}" for one in range(2_000)),
        ),
        1,
    ):
        tiers = tuple(Tier(100 * one, Decimal("0.000001") * one) for one in range(500))
        plan = Plan("a" * 63, number, text(200), "EUR", DAY, None, tiers, stores=stores)
        store = PlanVersionStore(tables.table("PlanVersions"), TENANT)
        store.pin([plan], NOW)
        store.pin([plan], NOW)
        found = store.find(f"{plan.plan_id}@{number}")
        assert found
        assert {name: value for name, value in found.items() if name != "firstUsedAt"} == rules_of(plan)


def untold_decisions(tables: MemoryTables) -> None:
    store = UntoldDecisions(tables.table("UntoldDecisions"), TENANT)
    draw = Random(1)
    ids = [calculation_id("2025-01", str(draw.random()), "plan") for _ in range(1000)]
    store.add(RUN_ID, "2025-01", Decision(Action.REJECT, text(500), TWO_UNITS * 500), ids, NOW)
    (found,) = store.before(NOW + timedelta(days=1))
    assert found.ids == set(ids)


def exports(tables: MemoryTables) -> None:
    store = ExportStore(tables.table("Exports"), TENANT)
    reason = "there is no such employee, or he is not confirmed by the HR system yet"
    export = Export(
        RUN_ID,
        "2025-01",
        1,
        "Api",
        text(500),
        NOW,
        "EUR",
        status=ExportStatus.STOPPED,
        completed={step.value: to_iso(NOW) for step in Step},
        totals=ControlTotals(10**6, 10**15),
        withheld={identifier(one): reason for one in range(100)},
        withheld_count=10**6,
        payroll_batch_id=TWO_UNITS * 512,
        payroll_status=TWO_UNITS * 512,
        failure=TWO_UNITS * 2000,
        answer_blob=text(200),
    )
    assert store.create(export)
    assert store.get(RUN_ID) == export


def audit_trail(tables: MemoryTables) -> None:
    """The audit record is written by the last step of an export."""
    from shared.payroll.steps import _audit

    world: Any = type("Context", (), {"tenant": TENANT, "audit": tables.table("AuditTrail")})
    export = Export(RUN_ID, "2025-01", 1, "Api", text(500), NOW, "EUR", failure=TWO_UNITS * 2000)
    _audit(world, replace(export, payroll_batch_id=TWO_UNITS * 512, payroll_status=TWO_UNITS * 512))
    assert tables.table("AuditTrail").get(join_key(TENANT, "2025-02"), join_key("payroll-export", RUN_ID))


def hr_deliveries(tables: MemoryTables) -> None:
    store = DeliveryStore(tables.table("HrDeliveries"), MemoryBlobs().container("hr-events"), TENANT)
    for number, body in enumerate(("x" * 32_000, TWO_UNITS * 16_001, "x" * 1_000_000)):
        one = Delivery(identifier(number, ESCAPED), identifier(), "employee.created", NOW, body)
        assert store.add(one)
        assert store.find(one.delivery_id) == one


def hr_sync_runs(tables: MemoryTables) -> None:
    store = SyncRunStore(tables.table("HrSyncRuns"), TENANT)
    run = store.create(SyncRun(RUN_ID, text(500), NOW, failure=TWO_UNITS * 1000))
    assert store.get(RUN_ID) == run


def provisioning_syncs(tables: MemoryTables) -> None:
    from shared.provisioning import graph_pages, sync_runs

    store = sync_runs.SyncRunStore(tables.table("ProvisioningSyncs"), TENANT)
    link = "x" * graph_pages.MAX_LINK
    run = sync_runs.SyncRun(RUN_ID, text(500), NOW, 1, full=True, link=link, failure=TWO_UNITS * 1000)
    assert store.begin(run, store.state())
    store.end(store.get(RUN_ID), link)
    assert store.state().link == store.get(RUN_ID).link == link


def scim(name: str) -> Callable[[MemoryTables], None]:
    """Return the case of a kind of resource: as large as a request may be."""

    def case(tables: MemoryTables) -> None:
        from shared.provisioning.attributes import GROUP, USER
        from shared.provisioning.store import ResourceStore, Stored

        kind = {"ScimUsers": USER, "ScimGroups": GROUP}[name]
        store = ResourceStore(tables.table(name), TENANT, kind)
        key, own = (
            ("userName", {})
            if kind is USER
            else (
                "displayName",
                {"members": [{"value": f"01941f29-7c00-7000-8000-{one:012x}"} for one in range(10_000)]},
            )
        )
        resource: dict[str, Any] = {key: text(200), "externalId": text(128), **own}
        stored = Stored(RUN_ID, resource, 1, NOW, NOW)
        store.add(stored)
        found = store.find(RUN_ID)
        assert found
        assert found.resource == resource

    return case


class _Provider:
    """Refuses every e-mail in many words."""

    def send(self, mail: Mail) -> None:
        from shared.kernel.errors import PartnerRefused

        raise PartnerRefused("mail", text(5_000), status=400)


def mail_log(tables: MemoryTables) -> None:
    provider: Any = _Provider()
    delivery = MailDelivery(tables.table(MAIL_LOG), provider, TENANT, lambda: NOW, "noreply@retail.example")
    values = {"severity": "critical", "title": text(2_000), "what": text(9_000), "time": "06:00", "details": {}}
    outcome = delivery.deliver(text(1_000), "system-alert", f"{'a' * 60}@{'b' * 60}.example", values)
    assert outcome == "Failed"


def dead_letters(tables: MemoryTables) -> None:
    blobs = MemoryBlobs().container("dead-letters")
    store = DeadLetterStore(tables.table("DeadLetters"), blobs, TENANT, lambda: NOW)
    message = new_message(message_id="m", message_type="x" * 1000, tenant=TENANT, now=NOW, subject=TWO_UNITS * 5_000)
    failure = Failure(LetterKind.PARKED, "x" * 200, TWO_UNITS * 9_000, "x" * 500, TWO_UNITS * 20_000, "payroll")
    key = store.keep("q", b"x" * 1_000_000, message, failure)
    assert store.show(key)


def heartbeats(tables: MemoryTables) -> None:
    hour = timedelta(hours=1)
    timer = Timer("ImportErpSalesData", "0 0 1 * * *", hour, hour, hour)
    runs = StoredTimerRuns(tables, TENANT, [timer], instance="x" * 1000, clock=lambda: NOW)

    def fail() -> None:
        raise type("E" * 2_000, (Exception,), {})(text(50_000))

    with pytest.raises(Exception, match=r".+"):
        runs.run(timer, fail)
    assert runs.heartbeats()


def idempotency(tables: MemoryTables) -> None:
    result = {"more": text(100_000)}
    once = Idempotency(tables, TENANT, clock=lambda: NOW)
    assert once.run("orders", text(2_000), lambda: result) == result
    again = Idempotency(tables, TENANT, clock=lambda: NOW)
    assert again.run("orders", text(2_000), lambda: None) == result


def locks(tables: MemoryTables) -> None:
    with Leases(tables, TENANT, clock=lambda: NOW).hold("x" * 300):
        pass


CASES: dict[str, Callable[[MemoryTables], None]] = {
    "ImportRuns": import_runs,
    "ImportSlices": import_slices,
    "StagingSalesData": staging,
    "ImportRejects": import_rejects,
    "SalesSnapshots": snapshots,
    "SalesMetrics": metrics,
    "EmployeeMappings": mappings,
    "HeldSales": held,
    "Employees": employees,
    "Calculations": calculations,
    "Exports": exports,
    "AuditTrail": audit_trail,
    "CalculationRuns": calculation_runs,
    "PlanVersions": plan_versions,
    "UntoldDecisions": untold_decisions,
    "HrDeliveries": hr_deliveries,
    "HrSyncRuns": hr_sync_runs,
    "ScimUsers": scim("ScimUsers"),
    "ScimGroups": scim("ScimGroups"),
    "ProvisioningSyncs": provisioning_syncs,
    "MailLog": mail_log,
    "DeadLetters": dead_letters,
    "Heartbeats": heartbeats,
    "Idempotency": idempotency,
    "Locks": locks,
}
OF_FIXED_SIZE = {"CircuitBreakers", "RateLimits"}
"""Numbers, times and names of states, under the name of an adapter: nothing in them grows."""


@pytest.mark.parametrize("name", CASES)
def test_the_largest_content_fits(name: str) -> None:
    CASES[name](MemoryTables())


def test_every_table_has_a_case() -> None:
    assert set(CASES) | OF_FIXED_SIZE == set(TABLES)
