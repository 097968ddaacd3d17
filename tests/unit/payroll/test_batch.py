"""INC-52: calculations become one record an employee, and the records a batch that is the same in every attempt."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.incentives.calculation import State
from shared.incentives.calculation_id import calculation_id
from shared.kernel.errors import NetworkFailure
from shared.payroll.batch import batch_body
from shared.payroll.export import ControlTotals, Export, ExportStatus, Step
from shared.payroll.records import (
    Payable,
    Payee,
    PayRecord,
    Rules,
    Withheld,
    from_line,
    lines_in,
    records_of,
    to_line,
)
from tests.unit.payroll.world import World

LAST = date(2025, 1, 31)
RULES = Rules("EUR", "INCENT", LAST)
EXPORT = Export(
    export_id="0194a0b4-b1f4-7a13-9d8a-5c93fbf6c4ba",
    period="2025-01",
    sequence=1,
    trigger="Api",
    started_by="admin",
    started_at=datetime(2025, 2, 5, 23, 30, tzinfo=UTC),
    currency="EUR",
)
texts = st.text(min_size=1, max_size=20)
amounts = st.integers(-(10**11), 10**11)


def payables(*given: tuple[str, str, int], currency: str = "EUR") -> list[Payable]:
    """Return payables of (employee, source, cents) in the order of their IDs."""
    made = [Payable(calculation_id("2025-01", who, source), who, cents, currency) for who, source, cents in given]
    return sorted(made, key=lambda one: one.calculation_id)


def people(*employee_ids: str) -> Mapping[str, Payee]:
    return {one: Payee(f"N-{one}", "Ann", 'Ö\'Neil, "Jr"') for one in employee_ids}


def test_several_calculations_become_one_record_with_their_ids() -> None:
    due = payables(("E1", "plan", 10_000), ("E2", "plan", 1), ("E1", "amendment", -2_550), ("E1", "bonus", 5))
    withheld = Withheld()
    records = {one.employee_id: one for one in records_of(due, people("E1", "E2"), RULES, withheld)}
    assert records["E1"].amount_minor == 7_455
    assert set(records["E1"].calculation_ids) == {one.calculation_id for one in due if one.employee_id == "E1"}
    assert records["E2"].amount_minor == 1
    assert records["E1"] == replace(
        records["E1"], employee_number="N-E1", earnings_code="INCENT", effective_date=LAST, first_name="Ann"
    )
    assert withheld.count == 0


@given(
    st.lists(
        st.tuples(st.sampled_from("ABCDEFGH"), st.integers(0, 40), amounts), max_size=60, unique_by=lambda t: t[:2]
    )
)
def test_no_calculation_and_no_cent_is_lost_or_doubled(given: list[tuple[str, int, int]]) -> None:
    due = payables(*((who, str(source), cents) for who, source, cents in given))
    withheld = Withheld()
    records = list(records_of(due, people(*"ABCDEF"), RULES, withheld))
    in_records = [key for one in records for key in one.calculation_ids]
    held_back = [one.calculation_id for one in due if one.employee_id in withheld.reasons]
    assert sorted(in_records + held_back) == [one.calculation_id for one in due]
    assert len({one.employee_id for one in records}) == len(records)
    paid = sum(one.amount_minor for one in due if one.employee_id in set("ABCDEF"))
    assert sum(one.amount_minor for one in records) == paid


def test_employees_whose_digests_meet_are_told_apart() -> None:
    """IDs that share all but their end, of two employees, mixed with each other."""
    base = "0194a0b4-b1f4-7800-8000-0000"
    due = [Payable(f"{base}{end:08x}", "E1" if end % 2 else "E2", end, "EUR") for end in range(1, 9)]
    records = {one.employee_id: one for one in records_of(due, people("E1", "E2"), RULES, Withheld())}
    assert {key: one.amount_minor for key, one in records.items()} == {"E1": 16, "E2": 20}


@pytest.mark.parametrize(
    ("known", "currency", "reason"),
    [((), "EUR", "there is no such employee"), (("E1",), "USD", "a calculation is not in EUR")],
    ids=["unknown", "another currency"],
)
def test_who_cannot_be_paid_whole_is_withheld_whole(known: tuple[str, ...], currency: str, reason: str) -> None:
    due = payables(("E1", "plan", 100)) + payables(("E1", "bonus", 100), currency=currency)
    withheld = Withheld()
    due.sort(key=lambda one: one.calculation_id)
    assert list(records_of(due, people(*known), RULES, withheld)) == []
    assert reason in withheld.reasons["E1"]


def test_at_most_a_hundred_withheld_are_named_and_all_are_counted() -> None:
    withheld = Withheld()
    due = payables(*((f"E{number}", "plan", 100) for number in range(150)))
    assert list(records_of(due, {}, RULES, withheld)) == []
    assert (len(withheld.reasons), withheld.count) == (100, 150)


@given(texts, texts, texts, amounts, st.lists(texts, min_size=1, max_size=4))
def test_a_frozen_line_gives_its_record_back(number: str, first: str, last: str, cents: int, ids: list[str]) -> None:
    record = PayRecord("E1", number, first, last, cents, "INCENT", tuple(ids), LAST)
    assert from_line(to_line(record)) == record
    assert to_line(record).count(b"\n") == 1
    assert json.loads(to_line(record), parse_float=Decimal)["incentiveAmount"] == Decimal(cents).scaleb(-2)


@given(st.lists(st.binary().map(lambda one: one.replace(b"\n", b"")).filter(bool)), st.integers(1, 50))
def test_lines_come_whole_however_they_are_cut(lines: list[bytes], size: int) -> None:
    content = b"".join(line + b"\n" for line in lines)
    pieces = [content[start : start + size] for start in range(0, len(content), size)]
    assert list(lines_in(pieces)) == lines


def test_the_batch_has_the_form_of_the_contract() -> None:
    record = PayRecord("E1", "1001", "Ann", "Ö", 123_456, "INCENT", ("C1", "C2"), LAST)
    refund = replace(record, employee_id="E2", amount_minor=-50, calculation_ids=("C3",))
    zero = replace(record, employee_id="E3", amount_minor=0, calculation_ids=("C4", "C5"))
    export = replace(EXPORT, totals=ControlTotals(2, 123_406))
    body = batch_body(export, [to_line(one).rstrip(b"\n") for one in (record, zero, refund)])
    assert (
        body
        == (
            '{"batchId":"0194a0b4-b1f4-7a13-9d8a-5c93fbf6c4ba","payPeriod":"2025-01","exportDate":"2025-02-05",'
            '"currency":"EUR","controlTotals":{"recordCount":2,"totalAmount":1234.06},"records":['
            '{"incentiveAmount":1234.56,"employeeId":"E1","employeeNumber":"1001","firstName":"Ann","lastName":"Ö",'
            '"earningsCode":"INCENT","calculationIds":["C1","C2"],"effectiveDate":"2025-01-31"},'
            '{"incentiveAmount":-0.50,"employeeId":"E2","employeeNumber":"1001","firstName":"Ann","lastName":"Ö",'
            '"earningsCode":"INCENT","calculationIds":["C3"],"effectiveDate":"2025-01-31"}]}'
        ).encode()
    )


def test_every_attempt_sends_the_same_bytes_under_the_same_key() -> None:
    """INC-53, INC-56: whatever was approved, hired or renamed meanwhile, and on whatever day it is sent."""
    world = World()
    world.hire("E1", "E2")
    world.calculation("E1", 100)
    world.client.failures = [NetworkFailure("payroll", "lost")]
    export = world.trigger()
    world.deliver()
    world.calculation("E2", 500)
    world.calculation("E1", 500, source="another")
    world.people["E1"] = Payee("other", "other", "other")
    world.now = world.now.replace(day=9)
    world.work()
    assert len(world.client.sent) == 2
    assert world.client.sent[0] == world.client.sent[1]
    assert world.client.sent[0][0] == export.export_id == json.loads(world.client.sent[0][1])["batchId"]
    assert world.paid() == {"E1": 100}


def test_who_comes_to_nothing_is_settled_and_payroll_hears_nothing() -> None:
    world = World()
    world.hire("E1")
    world.calculation("E1", 100)
    world.calculation("E1", -100, source="an amendment")
    export = world.export()
    assert (export.status, export.calculations, export.totals) == (ExportStatus.COMPLETED, 2, ControlTotals())
    assert world.client.sent == []
    assert world.folder.files == {}
    assert {one.state for one in world.calculations().values()} == {State.EXPORTED}
    assert {one.export_id for one in world.calculations().values()} == {export.export_id}


def test_withheld_employees_stay_approved_are_told_and_paid_by_the_delta_once_they_are_known() -> None:
    world = World()
    world.hire("E1")
    world.calculation("E1", 100)
    unknown = world.calculation("E2", 200)
    first = world.export()
    assert (first.withheld_count, list(first.withheld)) == (1, ["E2"])
    assert world.calculations()[unknown].state is State.APPROVED
    [told] = world.told("export.withheld")
    assert (told.data["count"], told.data["employeeIds"]) == (1, "E2")
    world.hire("E2")
    world.export()
    assert world.paid() == {"E1": 100, "E2": 200}


def test_an_export_with_nobody_to_pay_ends_as_empty_and_says_who_is_withheld() -> None:
    world = World()
    world.calculation("E1", 100)
    export = world.export()
    assert (export.status, export.step, export.withheld_count) == (ExportStatus.EMPTY, None, 1)
    assert list(export.completed) == [Step.FREEZE]
    assert len(world.told("export.withheld")) == 1
    world.hire("E1")
    again = world.export()
    assert (again.sequence, again.status) == (2, ExportStatus.COMPLETED)
