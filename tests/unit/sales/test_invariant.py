"""INC-07: whatever is repeated, run at once, killed or corrected, SalesMetrics equals one clean run on the latest."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from shared.kernel.message import parse_message
from shared.sales.confirm import confirm_import
from shared.sales.context import IMPORT_QUEUE
from shared.sales.drops import DropRules
from shared.sales.employees import map_employees, resume_mappings
from shared.sales.files import import_file
from shared.sales.handle import handle_import_message
from shared.sales.outcome import resume_run
from shared.sales.owners import Owners
from shared.sales.runs import ImportRun, RunStatus, Trigger
from shared.sales.start import StartRequest, start_import
from tests.unit.sales.world import Interruption, Killed, World

DAYS = [date(2025, 1, 14), date(2025, 1, 15), date(2025, 1, 16)]
EMPLOYEES = ["E1", "E2", "E3", "E4"]
STORES = ["S1", "S2"]
TRANSACTIONS = [f"T{number}" for number in range(14)]

days = st.sampled_from(DAYS)
HUB = ["H-E1", "H-E2", "H-X"]

small = st.integers(0, 50)
several = st.integers(1, 120)


PUSHING = ["S8", "S9"]
"""Stores that the ERP does not know."""


class ImportMachine(RuleBasedStateMachine):
    """Sales are made, corrected and moved, and imported each time; the imports interleave and die; employees appear.

    Stores that the ERP does not know push files, which are told of in any order. Drops wait until they are confirmed.
    Every day whose sales changed is imported afterwards, so there is nothing left to repair at the end.
    """

    def __init__(self) -> None:
        super().__init__()
        self.world = World(page_size=2, pages_per_slice=2, drops=DropRules(Decimal("0.5"), 2))
        self.untold: list[str] = []
        self.pushed: dict[tuple[date, str], list[tuple[str, int]]] = {}
        """Day and pushing store -> the sales of its newest file: ERP employee, amount in minor units."""
        self.owners: dict[str, list[tuple[date, int, str]]] = {}
        """ERP ID -> what was said of its owners: since when, as how manieth, who."""
        self.said = 0
        self.stood: dict[str, set[date]] = {}
        """Transaction -> the days on which it ever stood: their snapshots may hold it still."""

    @initialize()
    def a_beginning(self) -> None:
        self._map("E1")
        self._map("E2")
        for number, transaction in enumerate(TRANSACTIONS[:9]):
            day = DAYS[number % 3]
            self.world.erp.sell(day, transaction, EMPLOYEES[number % 4], f"{number + 1}.00", store=STORES[number % 2])
            self.stood[transaction] = {day}
        for day in DAYS:
            self._import(day)

    def _map(self, erp_id: str) -> None:
        self._say(erp_id, f"H-{erp_id}", DAYS[1])

    def _say(self, erp_id: str, employee: str, since: date, *, steps: int = 0) -> None:
        """Map an ERP ID; a worker that dies on the way is not asked again when he got as far as the mapping."""
        self.world.now += timedelta(milliseconds=1)
        self.said += 1
        self.world.hook = self._dying(steps)
        try:
            map_employees(self.world.context, {erp_id: employee}, since)
        except Killed:
            self.world.hook = lambda _operation, _name: None
            claims = self.world.context.mappings.find([erp_id]).get(erp_id, Owners()).claims
            if all(claim.stated != self.world.now for claim in claims):
                map_employees(self.world.context, {erp_id: employee}, since)
        finally:
            self.world.hook = lambda _operation, _name: None
        self.owners.setdefault(erp_id, []).append((since, self.said, employee))

    def owner(self, erp_id: str, day: date) -> str | None:
        """Return whose an ERP ID is on a day, by what was said."""
        said = self.owners.get(erp_id, [])
        until_then = [one for one in said if one[0] <= day]
        first = [one for one in said if one[0] == min(since for since, _, _ in said)]
        return max(until_then or first)[2] if said else None

    def _dying(self, steps: int) -> Interruption:
        left = steps

        def die(_operation: str, _name: str) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                raise Killed

        return die

    def _import(self, day: date, store: str = "") -> None:
        start_import(self.world.context, StartRequest(day, Trigger.API, "somebody", store_id=store))

    @rule(
        day=days,
        transaction=st.sampled_from(TRANSACTIONS),
        employee=st.sampled_from(EMPLOYEES),
        cents=st.integers(1, 9999),
        store=st.sampled_from(STORES),
    )
    def sell_or_correct_or_move(self, day: date, transaction: str, employee: str, cents: int, store: str) -> None:
        """Only the day where the sale stands now is imported: the day that it left gives it up."""
        self.world.erp.remove(transaction)
        self.world.erp.sell(day, transaction, employee, f"{cents / 100:.2f}", store=store)
        self.stood.setdefault(transaction, set()).add(day)
        self._import(day)

    @rule(transaction=st.sampled_from(TRANSACTIONS))
    def take_back(self, transaction: str) -> None:
        self.world.erp.remove(transaction)
        for day in sorted(self.stood.pop(transaction, ())):
            self._import(day)

    @rule(day=days)
    def import_again(self, day: date) -> None:
        self._import(day)

    @rule(day=days, store=st.sampled_from(STORES))
    def import_one_store(self, day: date, store: str) -> None:
        self._import(day, store)

    @rule(index=small, times=st.integers(1, 6))
    def work_a_little(self, index: int, times: int) -> None:
        for _ in range(times):
            self.world.deliver(index)

    @rule()
    def work_until_nothing_is_left(self) -> None:
        self.world.work()

    @rule(index=small)
    def deliver_twice(self, index: int) -> None:
        self.world.deliver(index, keep=True)

    @rule(index=small, steps=st.integers(1, 120))
    def kill_a_worker(self, index: int, steps: int) -> None:
        self.world.hook = self._dying(steps)
        try:
            self.world.deliver(index)
        finally:
            self.world.hook = lambda _operation, _name: None

    @rule(index=small, other=small, steps=st.integers(1, 120))
    def let_other_workers_run_inside_one(self, index: int, other: int, steps: int) -> None:
        left = steps

        def interrupt(_operation: str, _name: str) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                self.world.hook = lambda _operation, _name: None
                for _ in range(3):
                    self.world.deliver(other)

        self.world.hook = interrupt
        try:
            self.world.deliver(index)
        finally:
            self.world.hook = lambda _operation, _name: None

    @rule(erp_id=st.sampled_from(EMPLOYEES), employee=st.sampled_from(HUB), since=days, steps=st.integers(0, 14))
    def an_id_changes_hands_and_the_worker_may_die(self, erp_id: str, employee: str, since: date, steps: int) -> None:
        self._say(erp_id, employee, since, steps=steps)

    @rule(erp_id=st.sampled_from(EMPLOYEES), employee=st.sampled_from(HUB), since=days, index=small, steps=several)
    def an_id_changes_hands_while_a_worker_works(
        self, erp_id: str, employee: str, since: date, index: int, steps: int
    ) -> None:
        left = steps

        def change(_operation: str, _name: str) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                self._say(erp_id, employee, since)

        self.world.hook = change
        try:
            self.world.deliver(index)
        finally:
            self.world.hook = lambda _operation, _name: None

    @precondition(lambda self: len(self.owners) < len(EMPLOYEES))
    @rule(index=small, steps=st.integers(0, 120))
    def an_employee_appears_while_a_worker_works(self, index: int, steps: int) -> None:
        left = steps

        def appear(_operation: str, _name: str) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                self.world.hook = lambda _operation, _name: None
                self._map(next(erp_id for erp_id in EMPLOYEES if erp_id not in self.owners))

        self.world.hook = appear
        try:
            self.world.deliver(index)
        finally:
            self.world.hook = lambda _operation, _name: None

    @rule(
        day=days,
        store=st.sampled_from(PUSHING),
        sales=st.lists(st.tuples(st.sampled_from(EMPLOYEES), st.integers(1, 9999)), min_size=1, max_size=4),
    )
    def a_store_writes_a_file(self, day: date, store: str, sales: list[tuple[str, int]]) -> None:
        self.world.now += timedelta(seconds=1)  # files of one second count as they come
        name = f"{store}_{day}_{len(self.untold)}_{self.world.now.timestamp()}.jsonl"
        lines = [
            (f"{store}-{day}-{number}", employee, f"{cents / 100:.2f}", store)
            for number, (employee, cents) in enumerate(sales)
        ]
        self.world.push(name, *lines, day=day)
        self.pushed[day, store] = sales
        self.untold.append(name)

    @rule(index=small, steps=st.integers(0, 30), forget=st.booleans())
    def a_file_is_told_of(self, index: int, steps: int, *, forget: bool) -> None:
        """In any order, and by a host that tells again when its worker dies, or although it did not."""
        if not self.untold:
            return
        name = self.untold[index % len(self.untold)]
        self.world.hook = self._dying(steps)
        try:
            import_file(self.world.context, name)
        except Killed:
            return
        finally:
            self.world.hook = lambda _operation, _name: None
        if forget:
            self.untold.remove(name)

    @rule(index=small, steps=st.integers(0, 10))
    def somebody_confirms(self, index: int, steps: int) -> None:
        waiting = self._waiting()
        if not waiting:
            return
        self.world.hook = self._dying(steps)
        try:
            confirm_import(self.world.context, waiting[index % len(waiting)], "ada")
        except Killed:
            return
        finally:
            self.world.hook = lambda _operation, _name: None

    def _runs(self) -> list[ImportRun]:
        return list(self.world.context.runs.since("00000000-0000-7000-8000-000000000000"))

    def _waiting(self) -> list[str]:
        return [run.run_id for run in self._runs() if run.status is RunStatus.NEEDS_CONFIRMATION]

    def _expected(self) -> dict[str, tuple[int, int, int]]:
        sums = self.world.clean_metrics(self.owner)
        for (day, _store), sales in self.pushed.items():
            for erp_id, cents in sales:
                if employee := self.owner(erp_id, day):
                    amount, units, number = sums.get(employee, (0, 0, 0))
                    sums[employee] = (amount + cents, units + 1, number + 1)
        return sums

    def _finish(self) -> None:
        """Work until nothing is left, waking what a dead worker left and confirming what waits."""
        self.world.work()
        while waiting := self._waiting():
            for run_id in waiting:
                confirm_import(self.world.context, run_id, "ada")
            self.world.work()
        self.world.now += timedelta(hours=1)
        started = {run.run_id for run in self._runs() if not run.status.final}
        for run in self._runs():
            if run.run_id in started:
                resume_run(self.world.context, run)
        self.world.work()

    @rule(seconds=st.integers(1, 100))
    def time_passes(self, seconds: int) -> None:
        self.world.now += timedelta(seconds=seconds)

    @invariant()
    def sums_fit_together(self) -> None:
        for item in self.world.context.metrics.of_period("2025-01"):
            cells = [cell for stores in item.days.values() for cell in stores.values()]
            assert item.total.amount_minor == sum(cell[0] for cell in cells)
            assert item.total.transactions == sum(cell[2] for cell in cells)

    def teardown(self) -> None:
        self.world.work()
        for name in self.untold:
            import_file(self.world.context, name)
        self._finish()
        assert all(run.status.final for run in self._runs())
        gave_up = {run.day for run in self._runs() if run.status is RunStatus.FAILED}
        for day in sorted(gave_up):  # the ERP changed three times while a run read it
            self._import(day)
        resume_mappings(self.world.context)
        self._finish()
        assert self.world.metrics() == self._expected()


ImportMachine.TestCase.settings = settings(
    max_examples=250, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
TestImportInvariant = ImportMachine.TestCase


@pytest.mark.parametrize("victim", range(1, 240))
def test_a_worker_killed_at_any_storage_operation_leaves_the_same_result(victim: int) -> None:
    """INC-07: one kill around each storage operation of a run of several slices, before it or after it took effect."""
    world = World(page_size=2, pages_per_slice=2)
    mapping = {"E1": "H-E1", "E2": "H-E2"}
    map_employees(world.context, mapping)
    for number in range(11):
        world.erp.sell(DAYS[1], f"T{number}", EMPLOYEES[number % 3], f"{number + 1}.10")
    operations = 0

    def die_once(_operation: str, _name: str) -> None:
        nonlocal operations
        operations += 1
        if operations == victim:
            raise Killed

    run_id = start_import(world.context, StartRequest(DAYS[1], Trigger.TIMER, "timer"))
    world.hook = die_once
    while world.deliver():
        pass
    world.work()
    assert world.metrics() == world.clean_metrics(lambda erp_id, _day: mapping.get(erp_id))
    run = world.context.runs.get(run_id)
    assert (run.status, run.staged, run.held) == (RunStatus.SUCCEEDED, 11, 3)


def test_a_message_that_comes_again_after_the_end_changes_nothing() -> None:
    """INC-07: the broker delivers at least once."""
    world = World()
    map_employees(world.context, {"E1": "H-E1"})
    world.erp.sell(DAYS[1], "T1", "E1", "10.00")
    start_import(world.context, StartRequest(DAYS[1], Trigger.TIMER, "timer"))
    text = world.queues.take(IMPORT_QUEUE)
    assert text is not None
    handle_import_message(world.context, parse_message(text))
    before = world.metrics()
    handle_import_message(world.context, parse_message(text))
    assert world.metrics() == before == {"H-E1": (1000, 1, 1)}
