"""INC-71: an operator lists, inspects, edits, sends again or discards dead letters, one or many."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from shared.kernel.errors import Conflict, DataRefused, NotFound, PartnerRefused, StorageUnavailable
from shared.messaging.dead_letter_store import Selection
from tests.unit.messaging.post import QUEUE, Crash, Post, failing


def park(post: Post, message_id: str = "m-1", queue: str = QUEUE, **more: Any) -> str:
    """Let a message be parked, return the dead letter's ID."""
    body = post.message(message_id, **more).to_json().encode()
    post.processor.process(queue, body, failing(PartnerRefused("erp", "no", status=400)))
    return next(str(letter["id"]) for letter in post.listed() if letter["messageId"] == message_id)


def test_the_list_is_newest_first_in_pages_and_by_filter() -> None:
    post = Post()
    for number in range(5):
        park(post, f"m-{number}", queue=QUEUE if number % 2 else "notifications")
        post.pass_time(60)
    first, position = post.letters.page(size=2, position=None, equal={})
    second, position = post.letters.page(size=2, position=position, equal={})
    third, end = post.letters.page(size=2, position=position, equal={})
    assert [one["messageId"] for one in first + second + third] == ["m-4", "m-3", "m-2", "m-1", "m-0"]
    assert end is None
    assert [one["messageId"] for one in post.listed(queue=QUEUE)] == ["m-3", "m-1"]
    since, until = post.now - timedelta(minutes=4), post.now - timedelta(minutes=2)
    found, _ = post.letters.page(size=100, position=None, equal={}, since=since, until=until)
    assert [one["messageId"] for one in found] == ["m-3", "m-2", "m-1"]
    assert all("stack" not in one for one in first)


def test_a_message_is_inspected_with_its_body() -> None:
    post = Post()
    shown = post.letters.show(park(post, data={"runId": "r"}))
    assert json.loads(shown["message"])["data"] == {"runId": "r"}
    assert ("messageBase64" in shown, shown["errorType"]) == (False, "PartnerRefused")


@pytest.mark.parametrize("identifier", ["", "x", "0" * 13 + "-" + "0" * 32, "../x", "a" * 5000])
def test_what_is_not_there_is_not_found(identifier: str) -> None:
    post = Post()
    for act in (post.letters.show, lambda one: post.letters.resubmit(one, "admin")):
        with pytest.raises(NotFound):
            act(identifier)


def test_a_resubmitted_message_is_a_new_one_and_is_sent_once() -> None:
    post = Post()
    letter = park(post, data={"runId": "r"})
    post.pass_time(3600)
    assert {post.letters.resubmit(letter, "admin") for _ in range(3)} == {"new-1"}
    ((_, message),) = post.waiting()
    assert (message.id, message.attempt, message.data) == ("new-1", 0, {"runId": "r"})
    assert (message.correlationid, message.time) == ("m-1", "2025-01-15T02:00:00.000Z")
    shown = post.letters.show(letter)
    assert (shown["status"], shown["resubmittedAs"], shown["resubmittedBy"]) == ("Resubmitted", "new-1", "admin")


def test_edited_data_replaces_the_payload() -> None:
    post = Post()
    letter = park(post, data={"runId": "wrong"})
    post.letters.resubmit(letter, "admin", {"runId": "right"})
    assert [message.data for _, message in post.waiting()] == [{"runId": "right"}]
    assert json.loads(post.letters.show(letter)["message"])["data"] == {"runId": "wrong"}


@pytest.mark.parametrize("edited", [None, {"runId": "right"}], ids=["as-it-was", "edited"])
@pytest.mark.parametrize("moment", ["before send", "after send", "before replace", "after replace", "before write"])
def test_a_crash_in_between_is_finished_by_a_repeat_as_it_was_begun(moment: str, edited: dict[str, Any] | None) -> None:
    post = Post()
    letter = park(post, data={"runId": "first"})
    when, operation = moment.split()
    setattr(post.hook, f"crash_{when}", operation)
    try:
        post.letters.resubmit(letter, "admin", edited)
    except Crash:
        begun = post.letters.show(letter)["status"] != "Open"
        post.letters.resubmit(letter, "admin", None if begun else edited)
    sent = [message for _, message in post.waiting()]
    assert len({message.id for message in sent}) == 1
    assert {json.dumps(message.data) for message in sent} == {json.dumps(edited or {"runId": "first"})}
    assert post.letters.show(letter)["status"] == "Resubmitted"


@pytest.mark.parametrize("edited", [None, {"runId": "right"}], ids=["as-it-was", "edited"])
@pytest.mark.parametrize("moment", ["before send", "after send", "after replace"])
def test_a_resubmission_that_died_is_finished_when_nobody_repeats_it(
    moment: str, edited: dict[str, Any] | None
) -> None:
    post = Post()
    gone, letter = park(post, "m-0"), park(post, data={"runId": "first"})
    when, operation = moment.split()
    for one in (gone, letter):
        setattr(post.hook, f"crash_{when}", operation)
        with pytest.raises(Crash):
            post.letters.resubmit(one, "admin", edited)
    for name in (f"default/{gone}", f"default/{gone}.edited-new-1.json"):
        post.blobs.container("dead-letters").delete(name)
    assert post.letters.finish_resubmissions() == []
    post.pass_time(900)
    assert post.letters.finish_resubmissions() == [letter]
    assert post.letters.finish_resubmissions() == []
    shown = post.letters.show(letter)
    assert (shown["status"], shown["resubmittedBy"]) == ("Resubmitted", "admin")
    sent = {(message.id, json.dumps(message.data)) for _, message in post.waiting() if message.id == "new-2"}
    assert sent == {("new-2", json.dumps(edited or {"runId": "first"}))}


def large(post: Post) -> str:
    post.queues.send(QUEUE, post.message("large", data={"text": "x" * 40_000}))
    text = post.queues.take(QUEUE)
    assert text is not None
    post.process(text.encode(), failing(DataRefused("unfit")))
    return str(post.listed()[0]["id"])


def test_a_claim_check_goes_with_the_new_message() -> None:
    post = Post()
    post.letters.resubmit(large(post), "admin")
    ((_, message),) = post.waiting()
    assert post.queues.resolve(message).data == {"text": "x" * 40_000}


def test_a_message_that_cannot_be_sent_again_stays_open_and_says_why() -> None:
    post = Post()
    gone = large(post)
    for blob in list(post.blobs.container("message-payloads").list()):
        post.blobs.container("message-payloads").delete(blob.name)
    post.process(b"no json", failing(AssertionError()))
    post.process(post.message("foreign", tenant="other"), failing(AssertionError()))
    reasons = {}
    for letter in post.listed():
        with pytest.raises(Conflict) as refused:
            post.letters.resubmit(letter["id"], "admin")
        reasons[letter["messageId"]] = refused.value.message
    assert "not a hub message" in reasons[""]
    assert "another tenant" in reasons["foreign"]
    assert "without new data" in reasons["large"]
    assert {letter["status"] for letter in post.listed()} == {"Open"}
    assert post.letters.resubmit(gone, "admin", {"text": "again"})


def test_a_dead_letter_is_discarded_with_a_reason_or_sent_again_never_both() -> None:
    post = Post()
    one, other = park(post, "m-1"), park(post, "m-2")
    for _ in range(2):
        post.letters.discard(one, "admin", "known fault")
    shown = post.letters.show(one)
    assert (shown["status"], shown["discardReason"], shown["discardedBy"]) == ("Discarded", "known fault", "admin")
    with pytest.raises(Conflict):
        post.letters.resubmit(one, "admin")
    post.letters.resubmit(other, "admin")
    with pytest.raises(Conflict):
        post.letters.discard(other, "admin", "too late")


def test_many_at_once_tells_of_each_and_one_that_fails_stops_no_other() -> None:
    post = Post()
    ids = [park(post, f"m-{number}") for number in range(3)]
    post.letters.discard(ids[0], "admin", "known")
    outcomes = post.letters.resubmit_many([*ids, "unknown"], "admin")
    assert [one.get("messageId") or one["error"]["code"] for one in outcomes] == [
        "Conflict",
        "new-1",
        "new-2",
        "NotFound",
    ]
    outcomes = post.letters.discard_many(ids, "admin", "all of them")
    assert [one.get("status") or one["error"]["code"] for one in outcomes] == ["Discarded", "Conflict", "Conflict"]


def test_a_filter_chooses_open_ones_a_hundred_at_most() -> None:
    post = Post()
    for number in range(103):
        park(post, f"m-{number}", queue=QUEUE if number else "notifications")
    chosen, more = post.letters.open_ones(Selection({"queue": QUEUE}))
    assert (len(chosen), more) == (100, True)
    post.letters.discard_many(chosen, "admin", "known")
    chosen, more = post.letters.open_ones(Selection({"queue": QUEUE}))
    assert (len(chosen), more) == (2, False)


def test_operators_are_told_of_a_dead_letter_once() -> None:
    """INC-71: the alert carries the dead letter's ID, by which a repeat is known."""
    post = Post()
    for _ in range(2):  # the worker died before the broker knew that the message was parked
        post.process(post.message(), failing(DataRefused("unfit")))
    letter = post.listed()[0]["id"]
    told = post.queues.messages("notifications")
    assert {(one.type, one.id, one.subject) for one in told} == {("dead-letter.created", f"{letter}-alert", letter)}


def test_keeping_one_is_a_blob_a_row_and_an_alert_and_finding_it_is_a_point_read() -> None:
    post, counted = Post(), list[str]()
    post.hook.seen = counted
    post.process(post.message(), failing(DataRefused("unfit")))
    assert counted == ["write", "insert", "send"]
    letter = post.listed()[0]["id"]
    counted.clear()
    post.store.row(letter)
    assert counted == ["get"]


@pytest.mark.parametrize("what", ["resubmitted", "discarded", "finished"])
def test_while_storage_is_away_many_are_not_tried_one_by_one(what: str) -> None:
    """Each would wait for it: an answer after minutes, if any. What was not done is asked for again as it stands."""
    post = Post()
    for number in range(3):
        post.process(post.message(f"m-{number}"), failing(DataRefused("unfit")))
    identifiers = [letter["id"] for letter in post.listed()]
    if what == "finished":
        post.hook.away = {"send"}
        for one in identifiers:
            with pytest.raises(StorageUnavailable):
                post.letters.resubmit(one, "admin")
        post.pass_time(24 * 3600)
    post.hook.away, post.hook.seen = {"send", "replace"}, []
    acts: dict[str, Callable[[], object]] = {
        "resubmitted": lambda: post.letters.resubmit_many(identifiers, "admin"),
        "discarded": lambda: post.letters.discard_many(identifiers, "admin", "known"),
        "finished": post.letters.finish_resubmissions,
    }
    with pytest.raises(StorageUnavailable):
        acts[what]()
    assert len([one for one in post.hook.seen if one in post.hook.away]) == 1
