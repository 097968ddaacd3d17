"""INC-56: stopping, resuming, being taken over, being given up by the broker."""

from datetime import timedelta

import pytest

from shared.kernel.errors import ConfigurationError, Conflict, DataRefused, FieldProblem, NetworkFailure, NotFound
from shared.kernel.message import new_message
from shared.messaging.processing import BrokerGaveUp
from shared.payroll.context import EXPORT_QUEUE
from shared.payroll.export import STEPS, ExportStatus, Step
from shared.payroll.run import carry_on, give_up_export, handle_export_message, resume_export, wake_stalled_exports
from tests.unit.payroll.world import LEASE, Killed, World


@pytest.fixture
def world() -> World:
    world = World()
    world.hire("E1")
    world.calculation("E1", 100)
    return world


def test_each_step_is_recorded_in_its_order(world: World) -> None:
    export = world.export()
    assert list(export.completed) == [step.value for step in STEPS]
    assert (export.step, export.finished_at) == (None, world.now)


def test_while_a_worker_is_at_it_another_one_waits(world: World) -> None:
    export = world.trigger()
    seen: list[int] = []

    def other(operation: str, _place: str) -> None:
        if operation == "post":
            world.hook = lambda _operation, _place: None
            world.trigger()
            world.deliver()
            seen.append(len(world.client.sent))

    world.hook = other
    world.deliver()
    assert seen == [0]
    assert world.context.exports.get(export.export_id).status is ExportStatus.COMPLETED
    assert world.queues.depth(EXPORT_QUEUE) >= 1, "the other one's message comes again"
    world.work()
    assert len(world.client.sent) == 1


def test_a_worker_whose_lease_was_taken_over_stops_at_its_next_step(world: World) -> None:
    export = world.trigger()
    sent: list[int] = []

    def slow(operation: str, place: str) -> None:
        if operation == "write" and place == "exports":
            world.hook = lambda _operation, _place: None
            world.now += timedelta(seconds=LEASE + 1)
            world.trigger()
            world.deliver()
            sent.append(len(world.client.sent))

    world.hook = slow
    world.deliver()
    assert sent == [1], "the other one has done everything"
    assert len(world.client.sent) == 1
    world.work()
    assert world.context.exports.get(export.export_id).status is ExportStatus.COMPLETED
    assert world.told("export.stopped") == []


def test_a_lease_is_prolonged_with_each_step(world: World) -> None:
    """Steps that together take longer than the lease are still one worker's."""
    world.trigger()
    began = world.now
    seen: list[Step | None] = []

    def slowly(operation: str, place: str) -> None:
        if (operation, place) == ("replace", "Exports"):
            world.now += timedelta(seconds=LEASE / 4)
        if (operation, place) == ("send", "notifications"):
            world.hook = lambda _operation, _place: None
            world.trigger()
            world.deliver()
            seen.extend(one.step for one in world.all_exports())

    world.hook = slowly
    world.deliver()
    assert world.now - began > timedelta(seconds=LEASE)
    assert seen == [Step.NOTIFY], "the other one had to wait"
    assert [one.status for one in world.all_exports()] == [ExportStatus.COMPLETED]


def test_a_late_freeze_of_a_worker_that_was_overtaken_changes_nothing(world: World) -> None:
    """What an export names as frozen is what it was recorded with; the other one's collection lies beside it."""
    world.hire("E2")

    def die_after_freezing(operation: str, place: str) -> None:
        if (operation, place) == ("info", "exports"):
            raise Killed

    def overtake(operation: str, place: str) -> None:
        if (operation, place) == ("write", "exports"):
            world.now += timedelta(seconds=LEASE + 1)
            world.calculation("E2", 500)
            world.hook = die_after_freezing
            world.trigger_seen(None)
            world.deliver()
            world.hook = lambda _operation, _place: None

    export = world.trigger_seen(None)
    world.hook = overtake
    world.deliver()
    world.now += timedelta(seconds=LEASE + 1)
    world.work()
    found = world.context.exports.get(export.export_id)
    assert (found.status, found.calculations) == (ExportStatus.COMPLETED, 2)
    assert world.paid() == {"E1": 100, "E2": 500}


def test_payroll_that_stays_away_stops_the_export_and_a_resume_ends_it(world: World) -> None:
    world.client.failures = [NetworkFailure("payroll", "no connection")] * 2
    export = world.export()
    assert (export.status, export.step, export.failure_code) == (ExportStatus.STOPPED, Step.POST, "NetworkFailure")
    [alert] = world.told("export.stopped")
    assert (alert.data["step"], alert.data["failureCode"]) == ("Post", "NetworkFailure")
    assert len(world.told("dead-letter.created")) == 1
    resume_export(world.context, export.export_id)
    world.work()
    assert world.context.exports.get(export.export_id).status is ExportStatus.COMPLETED
    assert world.paid() == {"E1": 100}


def test_wrong_settings_stop_it_at_once_by_their_names(world: World) -> None:
    problem = FieldProblem("SFTP_HOST_KEY", "the server shows another one")

    def refuse(_name: str, _content: bytes, **_options: object) -> None:
        raise ConfigurationError((problem,))

    world.folder.deliver = refuse  # type: ignore[method-assign, assignment]
    export = world.export()
    assert (export.status, export.step) == (ExportStatus.STOPPED, Step.TRANSFER)
    assert export.failure == "setting SFTP_HOST_KEY: the server shows another one"
    del world.folder.deliver
    resume_export(world.context, export.export_id)
    world.work()
    assert len(world.client.sent) == 1, "payroll is not asked again for what it has answered"
    assert list(world.folder.files) == [export.file_name]


def test_a_file_that_payroll_took_before_its_delivery_was_recorded_is_not_sent_again(world: World) -> None:
    """INC-56: the worker dies after the rename, and payroll is faster than the next one."""
    world.folder.collects = True

    def die(operation: str, _place: str) -> None:
        if operation == "upload" and world.folder.collected:
            raise Killed

    export = world.trigger()
    world.hook = die
    world.deliver()
    assert world.told("export.file-taken") == []
    world.now += timedelta(seconds=LEASE + 1)
    world.work()
    found = world.context.exports.get(export.export_id)
    assert (found.status, found.csv_taken) == (ExportStatus.COMPLETED, True)
    assert (list(world.folder.received()), world.folder.files) == ([export.file_name], {})
    [alert] = world.told("export.file-taken")
    assert (alert.data["exportId"], alert.data["csvSha256"]) == (export.export_id, found.csv_sha256)
    assert "Ask payroll's people" in str(alert.data["reason"])


def test_a_worker_that_was_overtaken_before_its_rename_renames_nothing(world: World) -> None:
    """What it uploaded is not what the export names: the other one's file counts."""
    world.folder.collects = True

    def overtake(operation: str, place: str) -> None:
        if (operation, place) == ("replace", "Exports") and world.folder.parts:
            world.hook = lambda _operation, _place: None
            world.now += timedelta(seconds=LEASE + 1)
            world.trigger()
            world.deliver()

    export = world.trigger()
    world.hook = overtake
    world.deliver()
    world.work()
    assert world.context.exports.get(export.export_id).status is ExportStatus.COMPLETED
    assert list(world.folder.received()) == [export.file_name]
    assert world.told("export.file-taken") == []


def test_an_archive_that_was_tampered_with_is_not_delivered(world: World) -> None:
    def at_post(operation: str, _place: str) -> None:
        if operation == "post":
            world.hook = lambda _operation, _place: None
            export = world.context.exports.of_period("2025-01")[0]
            world.context.archive.write(export.csv_blob, b"other")

    world.hook = at_post
    world.trigger()
    world.deliver()
    [export] = world.all_exports()
    assert (export.status, export.step) == (ExportStatus.STOPPED, Step.TRANSFER)
    assert "the archived file is not the one that was written" in export.failure
    assert world.folder.files == {}


def test_a_stop_whose_teller_died_is_told_when_the_message_comes_again(world: World) -> None:
    world.client.change = lambda answer: answer | {"recordsAccepted": 7}

    def die(operation: str, place: str) -> None:
        if operation == "send" and place == "notifications":
            raise Killed

    export = world.trigger()
    world.hook = die
    world.deliver()
    assert world.context.exports.get(export.export_id).status is ExportStatus.STOPPED
    assert world.told("export.stopped") == []
    world.hook = lambda _operation, _place: None
    world.now += timedelta(seconds=LEASE + 1)
    world.work()
    assert len(world.told("export.stopped")) == 1


def test_a_crash_loop_stops_the_export_once(world: World) -> None:
    export = world.trigger()
    message = world.queues.receive(EXPORT_QUEUE)
    assert message
    for _ in range(2):
        give_up_export(world.context, message, BrokerGaveUp("CrashLoop", "its function failed 5 times"))
    found = world.context.exports.get(export.export_id)
    assert (found.status, found.step, found.failure_code, found.stops) == (
        ExportStatus.STOPPED,
        Step.FREEZE,
        "CrashLoop",
        1,
    )
    assert len(world.told("export.stopped")) == 1
    resume_export(world.context, export.export_id)
    world.work()
    assert world.paid() == {"E1": 100}


def test_a_message_given_up_while_another_worker_gets_on_stops_nothing(world: World) -> None:
    export = world.trigger()
    message = world.queues.receive(EXPORT_QUEUE)
    assert message
    stale = world.context.exports.get(export.export_id)

    def meanwhile(operation: str, place: str) -> None:
        if operation == "replace" and place == "Exports":
            world.hook = lambda _operation, _place: None
            carry_on(world.context, export.export_id)

    world.hook = meanwhile
    give_up_export(world.context, message, BrokerGaveUp("CrashLoop", "x"))
    assert stale.status is ExportStatus.RUNNING
    assert world.context.exports.get(export.export_id).status is ExportStatus.COMPLETED
    assert world.told("export.stopped") == []


@pytest.mark.parametrize("data", [{}, {"exportId": 5}, {"exportId": "0194a0b4-b1f4-7a13-9d8a-5c93fbf6c4ba"}], ids=repr)
def test_a_message_about_no_export_becomes_a_dead_letter_and_no_crash_loop(world: World, data: dict[str, str]) -> None:
    message = new_message(message_id="m", message_type="payroll.export", tenant="default", now=world.now, data=data)
    world.queues.send(EXPORT_QUEUE, message)
    assert world.deliver()
    assert world.queues.depth(EXPORT_QUEUE) == 0
    assert len(world.told("dead-letter.created")) == 1


def test_another_kind_of_message_is_refused(world: World) -> None:
    other = new_message(message_id="m", message_type="other", tenant="default", now=world.now, data={"exportId": "x"})
    with pytest.raises(DataRefused, match="'other'"):
        handle_export_message(world.context, other)


def test_only_what_is_not_finished_can_be_resumed(world: World) -> None:
    export = world.trigger()
    assert resume_export(world.context, export.export_id).status is ExportStatus.RUNNING
    world.work()
    with pytest.raises(Conflict, match=f"export {export.export_id} is Completed"):
        resume_export(world.context, export.export_id)
    for unknown in ("0194a0b4-b1f4-7a13-9d8a-5c93fbf6c4ba", "no ID"):
        with pytest.raises(NotFound):
            resume_export(world.context, unknown)


def test_two_who_resume_at_once_do_it_once(world: World) -> None:
    world.client.change = lambda answer: answer | {"recordsAccepted": 7}
    export = world.export()
    world.client.change = lambda answer: answer

    def other(operation: str, place: str) -> None:
        if operation == "replace" and place == "Exports":
            world.hook = lambda _operation, _place: None
            resume_export(world.context, export.export_id)

    world.hook = other
    assert resume_export(world.context, export.export_id).status is ExportStatus.RUNNING
    world.work()
    assert world.context.exports.get(export.export_id).status is ExportStatus.COMPLETED
    assert len(world.told("export.stopped")) == 1


def test_an_export_without_progress_for_a_quarter_of_an_hour_is_queued_again(world: World) -> None:
    export = world.trigger()
    world.queues.receive(EXPORT_QUEUE)
    world.now += timedelta(minutes=15)
    assert wake_stalled_exports(world.context) == []
    world.now += timedelta(seconds=1)
    assert wake_stalled_exports(world.context) == [export.export_id]
    world.work()
    assert world.paid() == {"E1": 100}
    assert wake_stalled_exports(world.context) == []
