"""INC-55: what payroll accepted is exported, what it refused goes into the delta, an audit record is kept."""

import json

from shared.incentives.calculation import State
from shared.kernel.keys import join_key
from shared.payroll.export import ControlTotals, ExportStatus, Step
from shared.payroll.run import carry_on
from tests.unit.payroll.world import World


def ready() -> World:
    world = World()
    world.hire("E1", "E2", "E3")
    for number, employee in enumerate(("E1", "E2", "E3"), 1):
        world.calculation(employee, number * 10_000)
    return world


def of(world: World, employee: str) -> list[tuple[State, str, str]]:
    found = [one for one in world.calculations().values() if one.employee_id == employee]
    return [(one.state, one.export_id, one.payroll_reason) for one in found]


def test_accepted_ones_are_exported_and_refused_ones_keep_the_reason() -> None:
    world = ready()
    world.client.ledger.reject(["E2"], 1, "no bank account")
    export = world.export()
    assert of(world, "E1") == [(State.EXPORTED, export.export_id, "")]
    assert of(world, "E2") == [(State.APPROVED, "", "no bank account")]
    history = next(one for one in world.calculations().values() if one.employee_id == "E1").history
    assert (history[-1].action, history[-1].by, history[-1].note) == ("Export", "PayrollExport", export.export_id)


def test_the_delta_has_the_refused_ones_what_was_amended_since_and_nothing_else() -> None:
    world = ready()
    world.client.ledger.reject(["E2"], 1, "no bank account")
    first = world.export()
    world.calculation("E2", -2_500, source="an amendment", amends="x")
    world.calculation("E1", 700, source="an amendment", amends="x")
    delta = world.export()
    assert (delta.sequence, delta.totals) == (2, ControlTotals(2, 18_200))
    batch = json.loads(world.client.sent[-1][1])
    assert {one["employeeId"]: len(one["calculationIds"]) for one in batch["records"]} == {"E1": 1, "E2": 2}
    assert world.paid() == {"E1": 10_700, "E2": 17_500, "E3": 30_000}
    assert {one.export_id for one in world.calculations().values()} == {first.export_id, delta.export_id}
    assert {one.payroll_reason for one in world.calculations().values()} == {""}


def test_who_is_refused_again_for_the_same_reason_waits_for_the_next_one() -> None:
    world = ready()
    world.client.ledger.reject(["E2"], 2, "no bank account")
    world.export()
    second = world.export()
    assert (second.status, second.records_rejected, second.accepted_minor) == (ExportStatus.COMPLETED, 1, 0)
    assert of(world, "E2") == [(State.APPROVED, "", "no bank account")]
    world.export()
    assert world.paid()["E2"] == 20_000


def test_what_is_approved_while_an_export_runs_is_not_in_it_and_not_lost() -> None:
    world = ready()
    export = world.trigger()
    world.hook = lambda operation, place: late(operation)
    added: list[str] = []

    def late(operation: str) -> None:
        if operation == "post" and not added:
            added.append("now")
            world.hook = lambda _operation, _place: None
            world.calculation("E3", 123, source="late")
            pending = world.calculation("E2", 77, source="later", state=State.PENDING)
            world.set_state(pending, State.APPROVED)

    world.work_with_hook()
    assert world.context.exports.get(export.export_id).totals == ControlTotals(3, 60_000)
    assert world.export().totals == ControlTotals(2, 200)
    assert world.paid() == {"E1": 10_000, "E2": 20_077, "E3": 30_123}


def test_a_calculation_that_something_else_changed_stops_the_export() -> None:
    """Nothing in the hub does that to an approved one: if it happens, a person must look."""
    world = ready()
    taken = next(key for key, one in world.calculations().items() if one.employee_id == "E3")
    world.client.change = lambda answer: world.set_state(taken, State.REJECTED) or answer  # type: ignore[func-returns-value]
    export = world.export()
    assert (export.status, export.step) == (ExportStatus.STOPPED, Step.SETTLE)
    assert "2 of 3 calculations could be marked" in export.failure


def test_an_audit_record_with_the_control_totals_is_kept_once() -> None:
    world = ready()
    world.client.ledger.reject(["E2"], 1, "no bank account")
    export = world.export()
    rows = list(world.context.audit.query(join_key("default", "2025-02")))
    assert [row.values["by"] for row in rows] == ["admin"]
    content = json.loads(str(rows[0].values["content"]))
    assert content["controlTotals"] == {"recordCount": 3, "totalAmount": "600.00"}
    assert (content["acceptedAmount"], content["recordsRejected"]) == ("400.00", 1)
    assert content["payrollBatchId"] == "PB-000001"
    assert content["csvSha256"] == export.csv_sha256


def test_finance_gets_one_summary_with_control_totals_and_refusals() -> None:
    """INC-57."""
    world = ready()
    world.client.ledger.reject(["E2"], 1, "no bank account")
    export = world.export()
    carry_on(world.context, export.export_id)
    [summary] = world.told("export.completed")
    assert summary.data["controlTotals"] == {"recordCount": 3, "totalAmount": "600.00"}
    assert summary.data["rejectedRecords"] == [{"employeeNumber": "N-E2", "reason": "no bank account"}]
    assert (summary.data["recordsAccepted"], summary.data["acceptedAmount"]) == (2, "400.00")
    assert summary.data["fileName"] == f"{export.export_id}.csv"


def test_more_calculations_than_one_round_of_settling_takes() -> None:
    world = World()
    world.hire(*(f"E{number}" for number in range(900)))
    for number in range(900):
        world.calculation(f"E{number}", 100)
        world.calculation(f"E{number}", 1, source="bonus")
    world.client.ledger.reject(["E7", "E450"], 1, "no bank account")
    export = world.export()
    assert (export.status, export.calculations) == (ExportStatus.COMPLETED, 1800)
    assert export.totals == ControlTotals(900, 90_900)
    states = [one.state for one in world.calculations().values()]
    assert (states.count(State.EXPORTED), states.count(State.APPROVED)) == (1796, 4)
