"""INC-56: whatever dies, repeats, interleaves or is refused, payroll pays everybody exactly what he is due, once."""

from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from hashlib import sha256

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from shared.incentives.calculation import State
from shared.kernel.errors import Conflict, NetworkFailure, PreconditionFailed
from shared.payroll.context import NOTIFICATION_QUEUE
from shared.payroll.export import ExportStatus
from shared.payroll.run import resume_export
from shared.payroll.schedule import export_what_is_due
from tests.unit.payroll.world import PERIOD, Killed, World, nothing

EMPLOYEES = ["E1", "E2", "E3", "E4", "E5"]
employees = st.sampled_from(EMPLOYEES)
small = st.integers(0, 50)


def killing(victim: int) -> tuple[Callable[[str, str], None], Callable[[], bool]]:
    """Return an interruption that dies at the n-th place, and what tells whether it came to that."""
    seen = 0

    def die(_operation: str, _place: str) -> None:
        nonlocal seen
        seen += 1
        if seen == victim:
            raise Killed

    return die, lambda: seen >= victim


def settle_everything(world: World) -> None:
    """Do what operators and time do until nothing is left to be exported."""
    world.client.ledger.reject(EMPLOYEES, 0, "")
    world.client.failures.clear()
    world.client.change = lambda answer: answer
    world.hire(*EMPLOYEES)
    for _ in range(50):
        world.now += timedelta(minutes=20)
        export_what_is_due(world.context)
        world.work()
        for export in world.all_exports():
            if export.status is ExportStatus.STOPPED:
                resume_export(world.context, export.export_id)
        world.work()
        try:
            world.trigger(force=True)
        except Conflict:
            return
        world.work()
    raise AssertionError("the exports never end")


def check(world: World) -> None:
    """Compare calculations, payroll's ledger and the files, after everything was exported."""
    calculations = world.calculations()
    due: dict[str, int] = defaultdict(int)
    for one in calculations.values():
        assert one.state is State.EXPORTED, one
        due[one.employee_id] += one.net_minor
    payments = [payment for paid in world.client.ledger.payments.values() for payment in paid]
    times = Counter(key for payment in payments for key in payment["calculationIds"])
    assert world.client.ledger.paid_twice == []
    assert max(times.values(), default=0) <= 1
    assert world.paid() == {employee: amount for employee, amount in due.items() if amount or employee in world.paid()}
    batches = {batch["batchId"]: batch for batch in world.client.ledger.batches}
    assert len(batches) == len(world.client.ledger.batches)
    exports = {one.export_id: one for one in world.all_exports()}
    sent = {key: one for key, one in exports.items() if one.totals.record_count}
    assert batches.keys() == sent.keys()
    received = world.folder.received()
    assert received.keys() == {one.file_name for one in sent.values()}
    for export in sent.values():
        assert sha256(received[export.file_name]).hexdigest() == export.csv_sha256
        assert world.context.archive.read(export.csv_blob) == received[export.file_name]
    for payment in payments:
        assert {calculations[key].export_id for key in payment["calculationIds"]} == {payment["batchId"]}


class ExportMachine(RuleBasedStateMachine):
    """Calculations are approved and amended while exports run, die, interleave, are refused, stop and are resumed."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.number = 0

    @initialize()
    def a_beginning(self) -> None:
        self.world.hire("E1", "E2", "E3")
        for employee in ("E1", "E2", "E3", "E4"):
            self.approve(employee, 10_000)

    @rule(employee=employees, cents=st.integers(-5_000, 20_000))
    def approve(self, employee: str, cents: int) -> None:
        self.number += 1
        self.world.calculation(employee, cents, source=f"source {self.number}")

    @rule(employee=employees)
    def the_employee_is_confirmed(self, employee: str) -> None:
        self.world.hire(employee)

    @rule(employee=employees, times=st.integers(1, 2))
    def payroll_will_reject(self, employee: str, times: int) -> None:
        self.world.client.ledger.reject([employee], times, "no bank account")

    @rule(collects=st.booleans())
    def payroll_takes_files_away_or_leaves_them(self, collects: bool) -> None:
        self.world.folder.collects = collects

    @rule(times=st.integers(1, 3))
    def answers_get_lost(self, times: int) -> None:
        self.world.client.failures += [NetworkFailure("payroll", "the answer was lost")] * times

    @rule()
    def control_totals_differ(self) -> None:
        def once(answer: dict[str, object]) -> dict[str, object]:
            self.world.client.change = lambda same: same
            return answer | {"controlTotals": {"recordCount": 999, "totalAmount": "1.00"}}

        self.world.client.change = once

    @rule(steps=st.integers(0, 12))
    def somebody_triggers(self, steps: int) -> None:
        self.world.hook, _ = killing(steps)
        try:
            self.world.trigger(force=True)
        except (Conflict, Killed):
            pass
        finally:
            self.world.hook = nothing

    @rule(steps=st.integers(1, 12))
    def two_trigger_at_once(self, steps: int) -> None:
        left = steps

        def other(_operation: str, _place: str) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                self.world.hook = nothing
                with suppress(Conflict):
                    self.world.trigger(force=True)

        self.world.hook = other
        try:
            with suppress(Conflict):
                self.world.trigger(force=True)
        finally:
            self.world.hook = nothing

    @rule()
    def the_timer_fires(self) -> None:
        export_what_is_due(self.world.context)

    @rule(index=small, times=st.integers(1, 4))
    def work_a_little(self, index: int, times: int) -> None:
        for _ in range(times):
            self.world.deliver(index)

    @rule()
    def work_until_nothing_is_left(self) -> None:
        self.world.work()

    @rule(index=small)
    def deliver_twice(self, index: int) -> None:
        self.world.deliver(index, keep=True)

    @rule(index=small, steps=st.integers(1, 90))
    def kill_a_worker(self, index: int, steps: int) -> None:
        self.world.hook, _ = killing(steps)
        try:
            self.world.deliver(index)
        finally:
            self.world.hook = nothing

    @rule(index=small, steps=st.integers(1, 90), seconds=st.sampled_from([0, 200]))
    def others_overtake_a_slow_worker(self, index: int, steps: int, seconds: int) -> None:
        """With 200 seconds its lease runs out while it is still at it: others do its work, then it wakes up."""
        left = steps

        def interrupt(_operation: str, _place: str) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                self.world.hook = nothing
                self.world.now += timedelta(seconds=seconds)
                with suppress(Conflict):
                    self.world.trigger(force=True)
                for _ in range(3):
                    self.world.deliver()

        self.world.hook = interrupt
        try:
            self.world.deliver(index, keep=True)
        finally:
            self.world.hook = nothing

    @rule(seconds=st.integers(1, 1000))
    def time_passes(self, seconds: int) -> None:
        self.world.now += timedelta(seconds=seconds)

    @precondition(lambda self: any(one.status is ExportStatus.STOPPED for one in self.world.all_exports()))
    @rule()
    def an_operator_resumes(self) -> None:
        for one in self.world.all_exports():
            if one.status is ExportStatus.STOPPED:
                resume_export(self.world.context, one.export_id)

    @invariant()
    def nobody_is_paid_twice_and_every_stop_is_told(self) -> None:
        assert self.world.client.ledger.paid_twice == []
        exports = self.world.all_exports()
        assert len({one.sequence for one in exports}) == len(exports)
        assert sum(not one.status.final for one in exports) <= 1
        told = {one.id for one in self.world.queues.messages(NOTIFICATION_QUEUE)}
        for one in exports:
            if one.status is ExportStatus.COMPLETED:
                assert f"{one.export_id}-export.completed" in told

    def teardown(self) -> None:
        self.world.work()
        told = {one.id for one in self.world.queues.messages(NOTIFICATION_QUEUE)}
        for one in self.world.all_exports():
            assert {f"{one.export_id}-stopped-{number}" for number in range(1, one.stops + 1)} <= told
        settle_everything(self.world)
        check(self.world)


ExportMachine.TestCase.settings = settings(
    max_examples=150, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
TestExportInvariant = ExportMachine.TestCase


def everything_once() -> World:
    """Return a world with two employees to be paid, one to be rejected, one unknown, one whose sum is zero."""
    world = World()
    world.hire("E1", "E2", "E3", "E5")
    world.calculation("E1", 10_050)
    world.calculation("E2", 20_000)
    world.calculation("E2", -500, source="an amendment")
    world.calculation("E3", 7_000)
    world.calculation("E4", 3_000)
    world.calculation("E5", 1_000)
    world.calculation("E5", -1_000, source="an amendment")
    world.client.ledger.reject(["E3"], 1, "no bank account")
    return world


def places() -> int:
    """Return at how many places a worker of that export can die."""
    world, number = everything_once(), 0

    def count(_operation: str, _place: str) -> None:
        nonlocal number
        number += 1

    world.trigger()
    world.hook = count
    while world.deliver():
        pass
    return number


@pytest.mark.parametrize("collects", [False, True], ids=["the file stays", "payroll takes the file at once"])
@pytest.mark.parametrize("times", [1, 2], ids=["killed once", "killed twice at the same place"])
def test_a_worker_killed_at_any_operation_ends_in_the_same_place(times: int, collects: bool) -> None:
    """INC-56: before and after each storage operation, the POST, the upload, the rename."""
    number = places()
    assert number > 60
    for victim in range(1, number + 1):
        world = everything_once()
        world.folder.collects = collects
        export = world.trigger()
        for _ in range(times):
            world.hook, died = killing(victim)
            while world.deliver() and not died():
                pass
            world.now += timedelta(seconds=130)
        world.work()
        found = world.context.exports.get(export.export_id)
        assert found.status is ExportStatus.COMPLETED, victim
        assert len(world.client.ledger.batches) == 1, victim
        assert world.paid() == {"E1": 10_050, "E2": 19_500}, victim
        assert list(world.folder.received()) == [found.file_name], victim
        states = Counter(one.state for one in world.calculations().values())
        assert states == {State.EXPORTED: 5, State.APPROVED: 2}, victim
        assert [one.subject for one in world.told("export.completed")] == [export.export_id]
        settle_everything(world)
        check(world)


def test_whoever_starts_an_export_can_die_at_any_operation() -> None:
    """INC-56: an export that was stored and not queued is queued by the next trigger, and by the timer."""
    for again in ("trigger", "timer"):
        victim, reached = 0, True
        while reached:
            victim += 1
            world = everything_once()
            world.hook, died = killing(victim)
            with suppress(Killed):
                world.trigger()
            reached = died()
            world.hook = nothing
            world.now += timedelta(hours=6, minutes=20)
            if again == "trigger":
                world.trigger()
            else:
                export_what_is_due(world.context)
            world.work()
            assert [one.status for one in world.all_exports()] == [ExportStatus.COMPLETED], (again, victim)
            assert world.paid() == {"E1": 10_050, "E2": 19_500}
        assert victim > 6


@pytest.mark.parametrize("at_once", [False, True], ids=["started alone", "worked on too"])
def test_two_that_start_at_once_are_one_export(at_once: bool) -> None:
    """INC-56: the second one begins at each moment of the first."""
    for moment in range(1, 20):
        world = everything_once()
        left = moment

        def meanwhile(_operation: str, _place: str, world: World = world) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                world.hook = nothing
                world.trigger()
                while at_once and world.deliver():
                    pass

        world.hook = meanwhile
        with suppress(Conflict, PreconditionFailed):  # the other one has paid everybody by now, or most
            world.trigger()
        world.work()
        first, *delta = world.all_exports()
        assert (first.sequence, first.status) == (1, ExportStatus.COMPLETED)
        assert [one.sequence for one in delta] in ([], [2])
        assert world.client.ledger.paid_twice == []
        assert sum(one["payPeriod"] == PERIOD for one in world.client.ledger.batches) == 1 + len(delta)
