"""INC-53: what payroll may answer, and what stops an export instead of being believed."""

import json
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from shared.incentives.calculation import State
from shared.kernel.errors import MalformedResponse, PartnerRefused
from shared.payroll.export import ControlTotals, ExportStatus, Step
from shared.payroll.payroll_api import BatchAnswer, read_answer
from shared.payroll.run import resume_export
from tests.unit.payroll.world import World

Answer = dict[str, Any]
GOOD: Answer = {
    "batchId": "B1",
    "status": "PartiallyAccepted",
    "payrollBatchId": "PB-1",
    "receivedAt": "2025-02-05T18:20:00Z",
    "recordsAccepted": 1,
    "recordsRejected": 1,
    "rejectedRecords": [{"employeeId": "E2", "employeeNumber": "1002", "reason": "no bank account"}],
    "controlTotals": {"recordCount": 2, "totalAmount": Decimal("300.00")},
}


def test_an_answer_is_read() -> None:
    totals = ControlTotals(2, 30_000)
    assert read_answer(GOOD) == BatchAnswer("B1", "PartiallyAccepted", "PB-1", 1, 1, {"E2": "no bank account"}, totals)


@pytest.mark.parametrize("amount", [Decimal("300.00"), Decimal("3E2"), 300, "300.00", "300"], ids=repr)
def test_amounts_come_as_numbers_or_text(amount: object) -> None:
    found = read_answer(GOOD | {"controlTotals": {"recordCount": 2, "totalAmount": amount}})
    assert found.totals == ControlTotals(2, 30_000)


@pytest.mark.parametrize(
    ("broken", "field"),
    [
        ({"batchId": None}, "batchId"),
        ({"recordsAccepted": -1}, "recordsAccepted"),
        ({"recordsRejected": "many"}, "recordsRejected"),
        ({"controlTotals": None}, "controlTotals"),
        ({"controlTotals": {"recordCount": 2, "totalAmount": True}}, "controlTotals.totalAmount"),
        ({"controlTotals": {"recordCount": 2, "totalAmount": Decimal("0.001")}}, "controlTotals.totalAmount"),
        ({"controlTotals": {"recordCount": 2, "totalAmount": "NaN"}}, "controlTotals.totalAmount"),
        ({"rejectedRecords": [{"reason": "whose?"}]}, "rejectedRecords.0.employeeId"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_answer_that_breaks_the_contract_is_named_by_field(broken: Answer, field: str) -> None:
    with pytest.raises(MalformedResponse, match=f"breaks the contract in {field}"):
        read_answer(GOOD | broken)


def test_null_is_absent_where_absent_is_allowed() -> None:
    found = read_answer(GOOD | {"rejectedRecords": None, "recordsRejected": 0, "receivedAt": None})
    assert found.rejected == {}


@pytest.mark.parametrize("answer", [None, [], "accepted", 5], ids=repr)
def test_what_is_no_object_is_no_answer(answer: object) -> None:
    with pytest.raises(MalformedResponse, match="body"):
        read_answer(answer)


@pytest.mark.parametrize("given", [{}, {"reason": None}, {"reason": ""}, {"reason": " \n"}], ids=repr)
def test_a_refusal_without_a_reason_is_a_refusal(given: dict[str, str]) -> None:
    """Without a reason of its own it would look like an acceptance, and the employee would never be paid."""
    rejected = read_answer(GOOD | {"rejectedRecords": [{"employeeId": "E2"} | given]}).rejected
    assert rejected == {"E2": "no reason given"}
    world = ready(lambda answer: answer)
    world.client.ledger.reject(["E2"], 1, given.get("reason") or " ")
    world.export()
    assert [one.state for one in world.calculations().values() if one.employee_id == "E2"] == [State.APPROVED]
    world.export()
    assert world.paid() == {"E1": 10_000, "E2": 20_000, "E3": 30_000}


def ready(change: Callable[[Answer], Answer]) -> World:
    """Return a world of three employees whose payroll answers in some way."""
    world = World()
    world.hire("E1", "E2", "E3")
    for number, employee in enumerate(("E1", "E2", "E3"), 1):
        world.calculation(employee, number * 10_000)
    world.client.ledger.reject(["E2"], 1, "no bank account")
    world.client.change = change
    return world


def named(*employee_ids: str) -> list[dict[str, str]]:
    return [{"employeeId": one, "reason": "no bank account"} for one in employee_ids]


DIFFERING = {
    "one record less": (lambda a: a | {"controlTotals": {"recordCount": 2, "totalAmount": "600.00"}}, "2 records, 600"),
    "a cent more": (lambda a: a | {"controlTotals": {"recordCount": 3, "totalAmount": "600.01"}}, "3 records, 600.01"),
    "nothing at all": (lambda a: a | {"controlTotals": {"recordCount": 0, "totalAmount": 0}}, "0 records, 0.00"),
    "the accepted ones alone": (
        lambda a: a | {"controlTotals": {"recordCount": 2, "totalAmount": "400.00"}},
        "2 records, 400.00",
    ),
    "counts that do not add up": (lambda a: a | {"recordsAccepted": 3}, "accepted 3 and rejected 1 of 3"),
    "taken, and nothing counted": (
        lambda a: a | {"status": "Received", "recordsAccepted": 0, "recordsRejected": 0, "rejectedRecords": []},
        "accepted 0 and rejected 0 of 3",
    ),
    "a word that nobody knows": (
        lambda a: a | {"status": "Zurueckgestellt"},
        "payroll says 'Zurueckgestellt', a status",
    ),
    "no word": (lambda a: a | {"status": " "}, "payroll says ' ', a status that the hub does not know"),
    "refused and accepted": (lambda a: a | {"status": "REJECTED"}, "payroll says 'REJECTED' and that it accepted 2"),
    "refused with a reason": (
        lambda a: {"batchId": a["batchId"], "status": "Failed", "errors": [{"message": "period is closed"}]},
        "payroll says 'Failed' (period is closed): nobody of this batch is marked as exported",
    ),
    "refused, each by name": (
        lambda a: (
            a
            | {
                "status": "rejected",
                "recordsAccepted": 0,
                "recordsRejected": 3,
                "rejectedRecords": named("E1", "E2", "E3"),
            }
        ),
        "payroll says 'rejected': nobody",
    ),
    "refusals without names": (lambda a: a | {"rejectedRecords": []}, "rejected 1 records and names 0"),
    "an unknown name": (lambda a: a | {"rejectedRecords": named("E9")}, "names 1, of which 0 are in the batch"),
    "a name too many": (lambda a: a | {"rejectedRecords": named("E2", "E3")}, "names 2, of which 2"),
    "one name for two": (
        lambda a: a | {"recordsAccepted": 1, "recordsRejected": 2, "rejectedRecords": named("E2", "E2")},
        "rejected 2 records and names 1",
    ),
}


@pytest.mark.parametrize("case", DIFFERING)
def test_an_answer_that_does_not_add_up_stops_alerts_and_goes_on_when_payroll_is_right_again(case: str) -> None:
    change, said = DIFFERING[case]
    world = ready(change)
    export = world.export()
    assert (export.status, export.step, export.failure_code) == (ExportStatus.STOPPED, Step.VERIFY, "DataRefused")
    assert said in export.failure
    [alert] = world.told("export.stopped")
    assert alert.data["exportId"] == export.export_id
    assert said in str(alert.data["failure"])
    assert world.folder.files == {}, "nothing is delivered while the totals are in doubt"
    assert {one.state for one in world.calculations().values()} == {State.APPROVED}

    resume_export(world.context, export.export_id)
    world.work()
    assert len(world.told("export.stopped")) == 2, "it stopped again, and that is told too"

    world.client.change = lambda answer: answer
    resume_export(world.context, export.export_id)
    world.work()
    done = world.context.exports.get(export.export_id)
    assert (done.status, done.failure, done.accepted_minor) == (ExportStatus.COMPLETED, "", 40_000)
    assert len(set(world.client.sent)) == 1, "every attempt had the same key and bytes"
    assert world.paid() == {"E1": 10_000, "E3": 30_000}


@pytest.mark.parametrize(
    "status",
    ["accepted", "Partially Accepted", "PARTIALLY_ACCEPTED", "Received", "Processed", "COMPLETED", "Duplicate"],
)
def test_a_status_that_is_known_to_be_good_goes_on_however_it_is_written(status: str) -> None:
    world = ready(lambda answer: answer | {"status": status})
    export = world.export()
    assert (export.status, export.payroll_status, export.accepted_minor) == (ExportStatus.COMPLETED, status, 40_000)


def test_a_duplicate_with_other_totals_stops() -> None:
    totals = {"recordCount": 3, "totalAmount": "599.99"}
    world = ready(lambda answer: answer | {"status": "Duplicate", "controlTotals": totals})
    assert "3 records, 599.99" in world.export().failure


WORKING: dict[str, Answer] = {
    "whole": {
        "status": "In Progress",
        "payrollBatchId": "PB-1",
        "recordsAccepted": 0,
        "recordsRejected": 0,
        "controlTotals": {"recordCount": 3, "totalAmount": "600.00"},
    },
    "without counts": {"status": "PROCESSING"},
    "without a status": {"title": "Conflict", "detail": "The batch is being processed."},
    "as a code": {"error": {"code": "REQUEST_IN_PROGRESS"}},
}


@pytest.mark.parametrize("case", WORKING)
def test_a_batch_that_payroll_is_still_working_on_is_asked_for_until_it_is_done(case: str) -> None:
    world = ready(lambda answer: answer)
    begun = world.now
    export = world.trigger()
    world.client.change = lambda answer: WORKING[case] | {"batchId": export.export_id}
    for _ in range(5):
        world.deliver()
        assert world.all_exports()[0].progress_at == world.now, "it does not count as standing still"
        world.now += timedelta(seconds=61)
    assert world.told("export.stopped") == []
    assert {one.state for one in world.calculations().values()} == {State.APPROVED}
    world.client.change = lambda answer: answer
    world.work()
    assert world.context.exports.get(export.export_id).status is ExportStatus.COMPLETED
    assert world.now - begun < timedelta(minutes=10)
    assert len(set(world.client.sent)) == 1, "every attempt had the same key and bytes"
    assert world.paid() == {"E1": 10_000, "E3": 30_000}


def test_payroll_that_never_gets_done_with_a_batch_stops_the_export_within_a_day() -> None:
    world = ready(lambda answer: answer | {"status": "Pending"})
    export = world.trigger()
    until = world.now + timedelta(hours=24, minutes=2)
    while world.now < until:
        world.now += timedelta(seconds=61)
        world.deliver()
    [alert] = world.told("export.stopped")
    assert alert.data["failure"] == f"payroll is still working on batch {export.export_id}"


def test_a_key_that_payroll_knows_from_another_batch_is_not_waited_for() -> None:
    said = {"error": "the key of a batch in progress was used with a different body"}
    world = ready(lambda answer: said)
    export = world.export()
    assert (export.status, export.step) == (ExportStatus.STOPPED, Step.POST)


def test_a_record_that_is_refused_for_two_reasons_is_refused_once() -> None:
    both = [{"employeeId": "E2", "reason": "no bank account"}, {"employeeId": "E2", "reason": "no tax number"}]
    world = ready(lambda answer: answer | {"rejectedRecords": both})
    export = world.export()
    assert (export.status, export.records_rejected) == (ExportStatus.COMPLETED, 1)
    reasons = {one.payroll_reason for one in world.calculations().values() if one.employee_id == "E2"}
    assert reasons == {"no bank account; no tax number"}


def test_an_answer_about_another_batch_is_not_believed() -> None:
    world = ready(lambda answer: answer | {"batchId": "another"})
    export = world.export()
    assert (export.status, export.step, export.failure_code) == (ExportStatus.STOPPED, Step.POST, "MalformedResponse")
    assert "is about batch 'another'" in export.failure


def test_a_batch_that_is_refused_whole_stops_the_export_and_nothing_is_paid() -> None:
    world = ready(lambda answer: answer)
    world.client.refusals = [PartnerRefused("payroll", "POST answered 422", status=422)]
    export = world.export()
    assert (export.status, export.step, export.failure_code) == (ExportStatus.STOPPED, Step.POST, "PartnerRefused")
    assert world.paid() == {}
    assert len(world.told("export.stopped")) == 1


def test_a_late_answer_of_a_worker_that_was_overtaken_changes_nothing() -> None:
    """The export names the answer that counts by its content: another one lies beside it, not in its place."""
    world = ready(lambda answer: answer)
    before: list[Answer] = []

    def early(answer: Answer) -> Answer:
        """The first worker gets an answer without refusals, and is overtaken before it stores it."""
        if not before:
            before.append(answer)
            world.now = world.now.replace(hour=20)
            while world.deliver():
                pass
            return answer | {"recordsAccepted": 3, "recordsRejected": 0, "rejectedRecords": []}
        return answer

    world.client.change = early
    export = world.trigger()
    world.deliver(keep=True)
    world.work()
    assert world.context.exports.get(export.export_id).records_rejected == 1
    assert [one.employee_id for one in world.calculations().values() if one.state is State.APPROVED] == ["E2"]
    stored = world.context.archive.read(world.context.exports.get(export.export_id).answer_blob)
    assert json.loads(stored)["rejected"] == {"E2": "no bank account"}
