"""INC-20, INC-21, INC-25: the receiver of HR webhooks."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any

import pytest

from shared.kernel.errors import CallerError, InvalidRequest, TooLarge, Unauthenticated
from shared.kernel.webhook_signature import is_one_of, is_signed, sign
from shared.workforce.receive import MAX_BODY_BYTES, receive, resume
from tests.fakes.secrets import RotatingSecrets, held_by
from tests.unit.workforce.world import OLD_SECRET, SECRET, World, created, updated


def test_an_event_is_taken_in_and_applied() -> None:
    world = World()
    receipt = world.deliver(world.event("employee.created", created("H1", erpEmployeeId="E1")), "d-1")
    assert (receipt.status, receipt.body) == (
        200,
        {"received": True, "processedAt": "2025-01-10T12:00:00.000Z", "correlationId": "d-1"},
    )
    world.work()
    assert world.employee("H1")["first_name"] == "Ada"
    assert world.mapped("E1") == {"E1": "H1"}


def test_a_delivery_seen_before_is_a_duplicate_and_queued_once() -> None:
    world = World()
    body = world.event("employee.created", created("H1"))
    world.deliver(body)
    again = world.deliver(body)
    assert (again.status, again.body) == (200, {"received": True, "duplicate": True})
    assert world.queues.depth("hr-events") == 1


def test_what_was_kept_and_not_queued_is_queued_later() -> None:
    """The process dies between keeping and queueing: the sender's repeat is a duplicate, the event is not lost."""
    world = World()
    body = world.event("employee.created", created("H1"))
    world.deliver(body)
    assert world.queues.take("hr-events")  # lost with the process
    assert resume(world.context) == 0
    world.now += timedelta(minutes=11)
    assert resume(world.context) == 1
    assert resume(world.context) == 0, "while its message waits, it is not sent again with each look"
    world.work()
    assert world.employee("H1")["last_name"] == "Abel"
    world.now += timedelta(minutes=11)
    assert resume(world.context) == 0


def test_old_and_new_secret_are_accepted_and_no_other() -> None:
    """INC-25."""
    world = World()
    body = world.event("employee.created", created("H1"))
    for number, secret in enumerate((SECRET, OLD_SECRET)):
        assert receive(world.context, world.headers(body, f"d-{number}", secret), body).status == 200
    with pytest.raises(Unauthenticated):
        receive(world.context, world.headers(body, "d-9", "another secret"), body)


def test_a_secret_that_hr_uses_before_we_have_read_it_is_accepted_at_once() -> None:
    """INC-25: nobody must wait for a cache between adding the new secret and using it."""
    world = World()
    store = RotatingSecrets((OLD_SECRET,), (SECRET, OLD_SECRET))
    world.context = replace(world.context, webhook_secret=held_by(store))
    body = world.event("employee.created", created("H1"))
    assert receive(world.context, world.headers(body, "d-0", OLD_SECRET), body).status == 200
    assert store.refreshed.total() == 0
    assert receive(world.context, world.headers(body, "d-1", SECRET), body).status == 200
    assert receive(world.context, world.headers(body, "d-2", OLD_SECRET), body).status == 200
    assert store.refreshed.total() == 1


def test_an_unknown_event_type_is_kept_for_review() -> None:
    world = World()
    receipt = world.deliver(world.event("employee.promoted", {"employeeId": "H1"}), "d-1")
    assert (receipt.status, receipt.body["received"]) == (202, True)
    found, after = world.context.deliveries.for_review(10, None)
    assert ([one.delivery_id for one in found], after) == (["d-1"], None)
    assert world.queues.depth("hr-events") == 0


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
def test_what_is_kept_for_review_is_given_page_by_page_whole_and_once(size: int) -> None:
    world = World()
    for number in range(40):
        world.deliver(world.event("employee.promoted", {"employeeId": "H1"}), f"d-{number}")
        world.deliver(world.event("employee.created", created(f"H{number}")), f"known-{number}")
    pages, position = [], None
    while True:
        found, position = world.context.deliveries.for_review(size, position)
        pages.append([one.delivery_id for one in found])
        if position is None:
            break
    assert max(map(len, pages)) <= size
    assert sorted(one for page in pages for one in page) == sorted(f"d-{number}" for number in range(40))


@pytest.mark.parametrize(
    ("header", "value", "error"),
    [
        ("x-webhook-signature", "", Unauthenticated),
        ("x-webhook-signature", "sha256=" + "0" * 64, Unauthenticated),
        ("x-webhook-signature", "sha1=" + "0" * 40, Unauthenticated),
        ("x-webhook-signature", "sha256=ü", Unauthenticated),
        ("authorization", "", Unauthenticated),
        ("authorization", "Bearer", Unauthenticated),
        ("authorization", f"Basic {SECRET}", Unauthenticated),
        ("authorization", f"Bearer {SECRET}, Bearer {SECRET}", Unauthenticated),
        ("x-event-type", "", InvalidRequest),
        ("x-event-type", "employee.updated", InvalidRequest),
        ("x-event-type", "employee.created,employee.created", InvalidRequest),
        ("x-delivery-id", "", InvalidRequest),
        ("x-delivery-id", "d-1,d-1", InvalidRequest),
        ("x-delivery-id", "x" * 129, InvalidRequest),
    ],
)
def test_headers_missing_wrong_or_doubled(header: str, value: str, error: type[CallerError]) -> None:
    world = World()
    body = world.event("employee.created", created("H1"))
    with pytest.raises(error):
        receive(world.context, world.headers(body) | {header: value}, body)
    assert world.queues.depth("hr-events") == 0


def test_the_signature_is_over_the_raw_bytes() -> None:
    world = World()
    body = world.event("employee.created", created("H1"))
    same_content = json.dumps(json.loads(body), indent=1).encode()
    with pytest.raises(Unauthenticated):
        receive(world.context, world.headers(body), same_content)


def _signed(world: World, body: bytes) -> dict[str, str]:
    return {
        "authorization": f"Bearer {SECRET}",
        "x-webhook-signature": sign(SECRET, body),
        "x-event-type": "employee.created",
        "x-delivery-id": "d-1",
    }


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe",
        b'{"eventId": "\xe4"}',
        b"null",
        b'{"eventId": "1", "eventType": "employee.created"}',
        b'{"eventId": "1", "eventId": "2"}',
        b"[" * 100_000,
        b'{"eventId": ' + b"9" * 5000 + b"}",
        b'{"eventId": NaN}',
    ],
    ids=repr,
)
def test_a_body_that_does_not_parse_is_refused_with_details(body: bytes) -> None:
    world = World()
    with pytest.raises(InvalidRequest) as refused:
        receive(world.context, _signed(world, body), body)
    assert refused.value.details


@pytest.mark.parametrize(
    ("kind", "data", "field"),
    [
        ("employee.created", {}, "data.employeeId"),
        ("employee.created", created("H1", hireDate="yesterday"), "hireDate"),
        ("employee.created", created("H1", lastName=["no", "text"]), "lastName"),
        ("employee.updated", {"employeeId": "H1"}, "data.changes"),
        ("employee.updated", updated("H1", effective="soon"), "data.effectiveDate"),
        ("employee.updated", updated("H1", effective="0001-01-01"), "data.effectiveDate"),
        ("employee.terminated", {"employeeId": "H1", "terminationDate": "9999-12-31"}, "data.terminationDate"),
        ("employee.created", created("H1", erpEmployeeId="x" * 129), "erpEmployeeId"),
        ("assignment.created", {"employeeId": "H1", "assignmentId": "A1", "storeId": "S1"}, "data.startDate"),
        ("assignment.ended", {"employeeId": "H1", "assignmentId": "A1"}, "data.endDate"),
    ],
)
def test_an_event_that_breaks_the_contract_names_the_field(kind: str, data: dict[str, Any], field: str) -> None:
    world = World()
    with pytest.raises(InvalidRequest) as refused:
        world.deliver(world.event(kind, data))
    assert [problem.field for problem in refused.value.details] == [field]


@pytest.mark.parametrize("timestamp", ["0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00"])
def test_an_event_of_no_sensible_instant_is_refused(timestamp: str) -> None:
    """INC-21: sent again it would be the same, so it must not be answered as our own failure."""
    world = World()
    content = json.loads(world.event("employee.created", created("H1"))) | {"timestamp": timestamp}
    with pytest.raises(InvalidRequest) as refused:
        world.deliver(json.dumps(content).encode())
    assert [problem.field for problem in refused.value.details] == ["timestamp"]


def test_a_body_of_characters_that_count_double_is_kept() -> None:
    world = World()
    content = json.loads(world.event("employee.created", created("H1", note="\U0001f600" * 20_000)))
    world.deliver(json.dumps(content, ensure_ascii=False).encode())
    world.work()
    assert world.employee("H1")["last_name"] == "Abel"


def test_a_body_above_the_limit_is_refused_before_anything_is_looked_at() -> None:
    world = World()
    with pytest.raises(TooLarge):
        receive(world.context, {}, b"x" * (MAX_BODY_BYTES + 1))


def test_a_large_body_travels_too() -> None:
    world = World()
    world.deliver(world.event("employee.created", created("H1", note="x" * 200_000)))
    world.work()
    assert world.employee("H1")["last_name"] == "Abel"


def _mutations() -> list[tuple[str, Callable[[Random, bytes], bytes]]]:
    def flip(draw: Random, body: bytes) -> bytes:
        at = draw.randrange(len(body))
        return body[:at] + bytes([draw.randrange(256)]) + body[at + 1 :]

    def cut(draw: Random, body: bytes) -> bytes:
        return body[: draw.randrange(len(body))]

    def repeat(draw: Random, body: bytes) -> bytes:
        at = draw.randrange(len(body))
        return body[:at] + body[at // 2 :]

    def value(draw: Random, body: bytes) -> bytes:
        content = json.loads(body)
        place = draw.choice([content, content["data"]])
        place[draw.choice(list(place))] = draw.choice(
            [None, 1, -1.5, "", "\x00", "x" * 1000, [], {}, [[[]]], True, 1e308]
        )
        return json.dumps(content).encode()

    return [("flip", flip), ("cut", cut), ("repeat", repeat), ("value", value)]


@pytest.mark.parametrize("seed", range(50))
@pytest.mark.parametrize(("name", "mutate"), _mutations())
def test_a_mutated_request_is_answered_or_refused_and_never_fails(
    name: str, mutate: Callable[[Random, bytes], bytes], seed: int
) -> None:
    world, draw = World(), Random(f"{name}{seed}")
    kind, data = draw.choice(
        [
            ("employee.created", created("H1", hireDate="2025-01-01")),
            ("employee.updated", updated("H1", "2025-02-01", role="StoreManager")),
            (
                "assignment.created",
                {"employeeId": "H1", "assignmentId": "A", "storeId": "S", "startDate": "2025-01-01"},
            ),
        ]
    )
    body = mutate(draw, world.event(kind, data))
    headers = _signed(world, body) | {"x-event-type": kind}
    try:
        assert receive(world.context, headers, body).status in (200, 202)
    except CallerError:
        return
    world.work()


def test_signatures() -> None:
    assert is_signed([SECRET], b"body", sign(SECRET, b"body").upper().replace("SHA256", "sha256"))
    assert not is_signed([], b"body", sign(SECRET, b"body"))
    assert not is_signed([SECRET], b"body ", sign(SECRET, b"body"))
    assert is_one_of([OLD_SECRET, SECRET], SECRET)
    assert not is_one_of([SECRET], SECRET + "x")
    assert not is_one_of([SECRET], "")
