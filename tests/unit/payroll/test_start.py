"""INC-50, INC-51: when an export begins, and when it is refused with the count and the IDs."""

import weakref
from collections.abc import Iterator
from datetime import timedelta

import pytest

from shared.incentives.calculation import State
from shared.kernel.contention import MOST_TRIES
from shared.kernel.errors import Busy, Conflict, DataRefused, InvalidRequest, PreconditionFailed, PreconditionRequired
from shared.kernel.table import RowChanged
from shared.payroll.approved import Expected
from shared.payroll.context import EXPORT_QUEUE
from shared.payroll.export import ControlTotals, ExportStatus, Step
from shared.payroll.export_store import ExportStore
from shared.payroll.records import Payable
from shared.payroll.run import resume_export, stop_export
from tests.unit.payroll.world import PERIOD, World


@pytest.fixture
def world() -> World:
    world = World()
    world.hire("E1", "E2", "E3")
    return world


def test_it_is_stored_and_queued(world: World) -> None:
    world.calculation("E1", 100)
    export = world.trigger()
    assert (export.status, export.step, export.sequence) == (ExportStatus.RUNNING, Step.FREEZE, 1)
    assert (export.trigger, export.started_by, export.currency) == ("Api", "admin", "EUR")
    [message] = world.queues.messages(EXPORT_QUEUE)
    assert message.data == {"exportId": export.export_id}
    assert message.correlationid == export.export_id


@pytest.mark.parametrize(
    "states",
    [[], [State.DRAFT], [State.REJECTED], [State.EXPORTED]],
    ids=["no calculation", "a draft", "a rejected one", "one of another export"],
)
def test_nothing_approved_is_refused(world: World, states: list[State]) -> None:
    for number, state in enumerate(states):
        world.calculation("E1", 100, source=f"s{number}", state=state)
    with pytest.raises(Conflict, match=f"nothing of {PERIOD} is approved"):
        world.trigger(force=True)
    assert list(world.all_exports()) == []


def test_nothing_approved_names_what_waits(world: World) -> None:
    pending = world.calculation("E1", 100, state=State.PENDING)
    with pytest.raises(Conflict, match="nothing of 2025-01 is approved") as refusal:
        world.trigger()
    assert [one.message for one in refusal.value.details] == [f"{pending} waits for a decision"]


@pytest.mark.parametrize("amends", ["", "another"], ids=["a calculation", "an amendment"])
def test_pending_ones_are_refused_with_count_and_ids_unless_forced(world: World, amends: str) -> None:
    world.calculation("E1", 100)
    pending = {
        world.calculation(employee, 100, source="p", state=State.PENDING, amends=amends) for employee in ("E2", "E3")
    }
    with pytest.raises(Conflict, match="2 calculations of 2025-01 wait for a decision") as refusal:
        world.trigger()
    assert {one.message.split()[0] for one in refusal.value.details} == pending
    export = world.export(force=True)
    assert (export.status, export.force, export.calculations) == (ExportStatus.COMPLETED, True, 1)
    assert world.paid() == {"E1": 100}


def test_at_most_fifty_ids_are_named_and_all_are_counted(world: World) -> None:
    world.calculation("E1", 100)
    for number in range(60):
        world.calculation("E2", 100, source=f"p{number}", state=State.PENDING)
    with pytest.raises(Conflict, match="60 calculations") as refusal:
        world.trigger()
    assert len(refusal.value.details) == 50


def test_a_period_that_was_exported_is_refused_until_there_is_a_delta(world: World) -> None:
    world.calculation("E1", 100)
    first = world.export()
    with pytest.raises(Conflict, match=f"exported already by {first.export_id}, and nothing has come since"):
        world.trigger(force=True)
    world.calculation("E1", -30, source="an amendment", amends="x")
    second = world.export()
    assert (second.sequence, second.status, second.totals.total_minor) == (2, ExportStatus.COMPLETED, -30)
    assert world.paid() == {"E1": 70}


def test_a_drafted_amendment_is_no_reason_to_wait(world: World) -> None:
    world.calculation("E1", 100)
    world.calculation("E1", 5, source="draft", state=State.DRAFT, amends="x")
    assert world.export().totals.total_minor == 100


def test_while_one_runs_a_trigger_gives_that_one_and_queues_it_again(world: World) -> None:
    world.calculation("E1", 100)
    first = world.trigger()
    assert world.trigger().export_id == first.export_id
    assert world.queues.depth(EXPORT_QUEUE) == 2
    world.work()
    assert len(world.client.ledger.batches) == 1


def test_a_stopped_one_is_to_be_resumed_not_started_beside(world: World) -> None:
    world.calculation("E1", 100)
    world.client.change = lambda answer: answer | {"recordsAccepted": 0}
    stopped = world.export()
    with pytest.raises(Conflict, match=f"export {stopped.export_id} of 2025-01 is stopped \\(DataRefused\\): resume"):
        world.trigger(force=True)


def test_periods_are_exported_each_for_itself(world: World) -> None:
    world.calculation("E1", 100)
    world.calculation("E1", 200, period="2025-02")
    january = world.export()
    world.now += timedelta(days=28)
    february = world.export(period="2025-02")
    assert (january.sequence, february.sequence) == (1, 1)
    assert [batch["payPeriod"] for batch in world.client.ledger.batches] == ["2025-01", "2025-02"]
    assert world.paid() == {"E1": 300}


# What was seen is what is exported.


def test_what_is_approved_after_the_trigger_goes_into_the_next_export(world: World) -> None:
    world.calculation("E1", 100)
    world.trigger()
    world.calculation("E2", 200)
    world.calculation("E1", 50, source="an amendment")
    world.work()
    assert world.paid() == {"E1": 100}
    world.export()
    assert sum(world.paid().values()) == 350


@pytest.mark.parametrize(("count", "cents"), [(1, 300), (2, 299), (2, 200)])
def test_a_trigger_for_something_else_starts_nothing_and_says_what_there_is(
    world: World, count: int, cents: int
) -> None:
    world.calculation("E1", 100)
    world.calculation("E2", 200)
    with pytest.raises(PreconditionFailed, match=r"2 calculations of 2025-01 over 3\.00 are approved") as refusal:
        world.trigger_seen(Expected(count, cents))
    assert [(one.field, one.message) for one in refusal.value.details] == [("count", "2"), ("totalNet", "3.00")]
    with pytest.raises(PreconditionRequired):
        world.trigger_seen(Expected())
    assert list(world.all_exports()) == []


def test_a_trigger_whose_answer_was_lost_gives_the_export_that_it_started(world: World) -> None:
    world.calculation("E1", 100)
    seen = world.seen()
    done = world.export()
    assert world.trigger_seen(seen).export_id == done.export_id
    with pytest.raises(Conflict):
        world.trigger_seen(seen, by="another")
    world.calculation("E2", 900)
    assert world.trigger_seen(seen).export_id == done.export_id
    with pytest.raises(PreconditionFailed):
        world.trigger_seen(seen, by="another")
    assert world.trigger().export_id != done.export_id


def test_the_timer_is_no_caller(world: World) -> None:
    world.calculation("E1", 100)
    begun = world.trigger_seen(None)
    world.calculation("E2", 200)
    world.work()
    assert world.context.exports.get(begun.export_id).totals == ControlTotals(2, 300)


@pytest.mark.parametrize(
    ("period", "reason"), [("2025-W03", "is of another pay calendar"), ("2031-07", "has not begun")]
)
def test_a_period_that_is_none_of_ours_or_is_to_come_is_not_exported(world: World, period: str, reason: str) -> None:
    with pytest.raises(InvalidRequest, match=reason):
        world.trigger(period=period, force=True)
    assert world.context.exports.of_period(period) == []


@pytest.mark.parametrize("what", ["start", "resume"])
def test_whoever_is_always_overtaken_ends_busy(world: World, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    monkeypatch.setattr("shared.kernel.contention._LONGEST_PAUSE", 0.0)
    world.calculation("E1", 100)
    lost = 0

    def lose(*_arguments: object) -> None:
        nonlocal lost
        lost += 1
        if what == "resume":
            raise RowChanged

    if what == "start":
        monkeypatch.setattr(ExportStore, "create", lose)
        with pytest.raises(Busy, match="the next export of 2025-01 is being changed by others"):
            world.trigger()
    else:
        export = world.trigger()
        stop_export(world.context, export, DataRefused("look"))
        monkeypatch.setattr(ExportStore, "save", lose)
        with pytest.raises(Busy, match="is being changed by others"):
            resume_export(world.context, export.export_id)
    assert lost == MOST_TRIES


def test_what_is_approved_is_looked_at_one_by_one(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(50):
        world.calculation("E1", 100, source=f"s{number}")
    alive, peak = weakref.WeakSet[Payable](), 0
    approved = world.context.payables.approved

    def watched(period: str) -> Iterator[Payable]:
        nonlocal peak
        for one in approved(period):
            alive.add(one)
            peak = max(peak, len(alive))
            yield one

    monkeypatch.setattr(world.context.payables, "approved", watched)
    export = world.trigger()
    assert export.seen
    assert (export.seen.count, export.seen.total_minor) == (50, 5000)
    assert len(world.context.archive.read(export.seen_blob).split()) == 50
    assert peak <= 2
