"""INC-40: the run of a calculation, from the request to its end, whatever dies or comes twice in between."""

from datetime import timedelta

import pytest

from shared.incentives.calculate_period import (
    give_up_calculation,
    handle_calculation_message,
    start_calculation,
    watch_calculations,
)
from shared.incentives.calculation_runs import calculation_runs_of
from shared.incentives.context import CALCULATION_QUEUE
from shared.kernel.errors import DataRefused, InvalidRequest
from shared.kernel.message import new_message, parse_message
from tests.unit.incentives.world import PERIOD, Killed, a_world, sold


@pytest.mark.parametrize("victim", range(1, 21))
def test_a_worker_killed_at_any_storage_operation_leaves_the_same_result(victim: int) -> None:
    """One kill around each operation, before it or after it took effect; whoever is paid something is told of it."""
    world, clean = a_world(), a_world()
    for one in (world, clean):
        one.calculate()
        one.approve(one.one("H2").calculation_id)
        while one.queues.receive("notifications"):
            pass
        one.sell("H1", sold(12_300))
        one.sell("H2", sold(99_900))
        one.hire("H5")
        one.sell("H5", sold(7_700))
    operations = 0

    def die_once(_operation: str, _place: str) -> None:
        nonlocal operations
        operations += 1
        if operations == victim:
            raise Killed

    run_id = world.start()
    world.hook = die_once
    while world.deliver():
        pass
    assert operations >= victim, "nothing was left to be killed at: shorten the range"
    world.hook = lambda _operation, _place: None
    clean.calculate()
    assert world.amounts() == clean.amounts()
    assert [len(one.history) for one in world.all()] == [len(one.history) for one in clean.all()]
    run = world.context.runs.get(run_id)
    assert (run.status, run.differing, run.net_minor) == ("Succeeded", 1, 12_300 // 100 + 99_900 // 100 + 77)
    assert "calculation.completed" in [kind for kind, _ in world.told()]


def test_a_message_that_comes_again_after_the_end_changes_nothing() -> None:
    world = a_world()
    world.start()
    text = world.queues.take(CALCULATION_QUEUE)
    assert text is not None
    handle_calculation_message(world.context, parse_message(text))
    before, runs = world.all(), world.context.runs.page(10, None)
    handle_calculation_message(world.context, parse_message(text))
    give_up_calculation(world.context, parse_message(text), DataRefused("its repeat crashed"))
    assert (world.all(), world.context.runs.page(10, None)) == (before, runs)


@pytest.mark.parametrize("victim", range(1, 5))
def test_a_run_whose_message_was_never_sent_is_queued_later(victim: int) -> None:
    """Killed anywhere between the request and its answer: what was stored does not stay queued for ever."""
    world, left = a_world(), victim

    def die_once(_operation: str, _place: str) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise Killed

    world.hook = die_once
    with pytest.raises(Killed):
        world.start()
    world.hook = lambda _operation, _place: None
    assert watch_calculations(world.context) == []
    world.now += timedelta(minutes=15)
    queued_again = watch_calculations(world.context)
    assert watch_calculations(world.context) == []
    while world.deliver():
        pass
    runs = calculation_runs_of(world.context.runs.page(10, None))
    assert [(run.run_id, run.status) for run in runs] == [(run_id, "Succeeded") for run_id in queued_again]
    assert len(runs) == (victim > 1)
    world.now += timedelta(hours=1)
    assert watch_calculations(world.context) == []


def test_an_import_that_is_published_again_has_the_run_begin_again_and_is_told_of_under_another_id() -> None:
    """INC-06: the request has the ID of the import run, each time."""
    world = a_world()
    data = {"period": PERIOD, "runId": "01941f29-7c00-7000-8000-000000000001"}
    for cents in (10_000, 20_000):
        world.sell("H1", sold(cents))
        world.now += timedelta(minutes=1)
        message = new_message(
            message_id="m", message_type="calculation.requested", tenant="default", now=world.now, data=data
        )
        handle_calculation_message(world.context, message)
    run = world.context.runs.get(data["runId"])
    assert (run.status, run.replaced, run.started_at, run.started_by) == ("Succeeded", 1, world.now, "Import")
    assert len({message.id for message in world.queues.messages("notifications")}) == 2


@pytest.mark.parametrize(
    ("kind", "data", "reason"),
    [
        ("calculation.undone", {"period": PERIOD}, "which the incentives do not know"),
        ("calculation.requested", {"period": "January"}, "'January' is no pay period"),
        ("calculation.requested", {"period": "2025-W03"}, "2025-W03 is of another pay calendar"),
        ("calculation.requested", {"period": "2031-07"}, "2031-07 has not begun"),
        ("calculation.requested", {"period": PERIOD, "runId": "run-1"}, "runId is no UUIDv7"),
    ],
)
def test_a_message_that_makes_no_sense_is_refused(kind: str, data: dict[str, str], reason: str) -> None:
    world = a_world()
    message = new_message(message_id="m", message_type=kind, tenant="default", now=world.now, data=data)
    with pytest.raises(DataRefused, match=reason):
        handle_calculation_message(world.context, message)
    give_up_calculation(world.context, message, DataRefused(reason))


def test_a_run_whose_message_was_given_up_ends_as_failed_with_the_reason() -> None:
    world = a_world()
    run_id = world.start()
    text = world.queues.take(CALCULATION_QUEUE)
    assert text is not None
    give_up_calculation(world.context, parse_message(text), DataRefused("the plans are broken"))
    run = world.context.runs.get(run_id)
    assert (run.status, run.failure, run.started_by) == ("Failed", "the plans are broken", "admin")


@pytest.mark.parametrize(
    ("period", "reason"), [("2025-W03", "is of another pay calendar"), ("2031-07", "has not begun")]
)
def test_a_period_that_is_none_of_ours_or_is_to_come_is_not_calculated(period: str, reason: str) -> None:
    world = a_world()
    with pytest.raises(InvalidRequest, match=reason):
        start_calculation(world.context, period, "admin")
    assert calculation_runs_of(world.context.runs.page(10, None)) == []
