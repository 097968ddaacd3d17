"""A function of each trigger type, called through Microsoft's worker with what the host sends; hostile things too."""

import json
from base64 import b64decode, b64encode
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.hub import Hub
from shared.kernel.message import new_message
from shared.kernel.webhook_signature import sign
from shared.sales.runs import Trigger, runs_of
from shared.workforce.apply import apply_event
from tests.conformance.conftest import HR_WEBHOOK_SECRET
from tests.conformance.trigger_data import blob, http, message, timer
from tests.conformance.worker import FunctionRaised, Worker


def hired(employee_id: str) -> bytes:
    """Return the HR system's event of a new employee."""
    data = {"employeeId": employee_id, "employeeNumber": "1", "firstName": "Ada", "lastName": "Abel"}
    event = {
        "eventId": f"event-{employee_id}",
        "eventType": "employee.created",
        "timestamp": "2025-01-10T12:00:00Z",
        "data": data | {"role": "SalesAssociate"},
    }
    return json.dumps(event).encode()


def signed(body: bytes, delivery_id: str) -> dict[str, str]:
    return {
        "authorization": f"Bearer {HR_WEBHOOK_SECRET}",
        "x-webhook-signature": sign(HR_WEBHOOK_SECRET, body),
        "x-event-type": "employee.created",
        "x-delivery-id": delivery_id,
    }


def dead_letter_of(hub: Hub, queue: str, body: bytes) -> dict[str, Any]:
    """Return the dead letter that holds exactly this body."""
    listed, _ = hub.dead_letters.page(size=1000, position=None, equal={"queue": queue})
    letters = [hub.dead_letters.show(one["id"]) for one in listed]
    exact = b64encode(body).decode()
    found = [one for one in letters if one.get("messageBase64", b64encode(one["message"].encode()).decode()) == exact]
    assert len(found) == 1
    return found[0]


# HTTP ----------------------------------------------------------------------------------------------------------------


def test_a_request_with_a_body_changes_what_is_stored(worker: Worker, hub: Hub, token: str, transport: str) -> None:
    erp_id = f"E-{transport}-1"
    body = json.dumps({"mappings": [{"erpEmployeeId": erp_id, "employeeId": "H-1"}]}).encode()
    request = http("PUT", "v1/admin/employees/mappings", headers={"Authorization": f"Bearer {token}"}, body=body)
    answer = worker.call("MapEmployees", request)
    assert (answer.status, answer.json()["data"]["mapped"]) == (200, 1)
    assert answer.headers["content-type"] == "application/json"
    assert [*hub.sales.mappings.find([erp_id])[erp_id].turns.values()] == ["H-1"]


@pytest.mark.parametrize(
    ("employee_id", "status"),
    [
        ("H-route", 200),
        ("nobody", 404),
        ("../H-route", 404),
        ("H-route' or RowKey ne '", 404),
        ("H-route\x00", 404),
        ("\U0001f600 ü #?%2F\\", 404),
        ("x" * 5000, 404),
        ("", 404),
    ],
    ids=["there", "nobody", "parent", "quotes", "nul", "signs", "long", "empty"],
)
def test_a_route_parameter_names_what_is_asked_for(
    worker: Worker, hub: Hub, token: str, employee_id: str, status: int
) -> None:
    apply_event(hub.workforce, hired("H-route"))
    headers = {"Authorization": f"Bearer {token}"}
    answer = worker.call("GetEmployee", http("GET", "v1/employees/x", path={"id": employee_id}, headers=headers))
    assert answer.status == status
    if status == 200:
        assert answer.json()["data"]["employeeId"] == "H-route"
    else:
        assert answer.json()["error"]["code"] == "NotFound"


@pytest.mark.parametrize("body", [b"\xff\xfe", b"{", b"[]", b'{"mappings": 1}', b'{"mappings": [{}]}', b"\x00" * 100])
def test_a_body_that_is_none_is_refused_by_name(worker: Worker, token: str, body: bytes) -> None:
    request = http("PUT", "v1/admin/employees/mappings", headers={"Authorization": f"Bearer {token}"}, body=body)
    answer = worker.call("MapEmployees", request)
    assert (answer.status, answer.json()["error"]["code"]) == (400, "InvalidRequest")


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("request-0001", True),
        ("request-0001\r\nSet-Cookie: stolen=1", False),
        ("request-0001\n", False),
        ("<script>alert(1)</script>", False),
        ("x" * 101, False),
    ],
    ids=["sound", "new-line", "end-of-line", "markup", "long"],
)
def test_no_header_of_a_request_gets_into_the_answer_unless_it_is_sound(
    worker: Worker, given: str, *, kept: bool
) -> None:
    answer = worker.call("GetLiveness", http("GET", "v1/health/liveness", headers={"X-Request-ID": given}))
    assert answer.status == 200
    assert (answer.headers["x-request-id"] == given) is kept
    assert "set-cookie" not in answer.headers
    assert not [value for value in answer.headers.values() if "\n" in value or "<" in value]


def test_a_request_without_a_token_is_refused_before_anything_is_read(worker: Worker) -> None:
    request = http("PUT", "v1/admin/employees/mappings", body=b'{"mappings": []}')
    assert worker.call("MapEmployees", request).status == 401


def test_a_webhook_is_verified_over_its_raw_bytes(sending_worker: Worker, hub: Hub) -> None:
    body = hired("H-webhook")
    answer = sending_worker.call(
        "ReceiveHrEvent", http("POST", "v1/webhooks/hr", headers=signed(body, "w-1"), body=body)
    )
    assert (answer.status, answer.json()["received"]) == (200, True)
    assert hub.workforce.deliveries.find("w-1") is not None
    spoilt = http("POST", "v1/webhooks/hr", headers=signed(body, "w-2"), body=body + b" ")
    assert sending_worker.call("ReceiveHrEvent", spoilt).status == 401


# Timers --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("past_due", [False, True])
def test_the_timer_starts_the_import_of_yesterday_once(sending_worker: Worker, hub: Hub, *, past_due: bool) -> None:
    sending_worker.invoke("ImportErpSalesData", timer(past_due=past_due))
    sending_worker.invoke("ImportErpSalesData", timer(past_due=past_due))
    runs = [run for run in runs_of(hub.sales.runs.page(100, None, {})) if run.trigger is Trigger.TIMER]
    assert [run.started_by for run in runs] == ["ImportErpSalesData"]


def test_the_host_s_trace_of_an_invocation_goes_on_in_what_the_function_sends(sending_worker: Worker, hub: Hub) -> None:
    """RES-08: a timer's messages belong to the operation that the host opened for it."""
    host = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    sending_worker.invoke("SyncEmployees", replace(timer(), traceparent=host))
    waiting = hub.storage_account.queues.get_queue_client("hr-events").peek_messages(max_messages=32)
    sent = [json.loads(b64decode(one.content)) for one in waiting]
    assert host.split("-")[1] in {one["traceparent"].split("-")[1] for one in sent}


def test_a_request_without_a_trace_belongs_to_the_host_s_and_another_one_to_its_caller_s(worker: Worker) -> None:
    """RES-08."""
    caller = {"traceparent": f"00-{'c' * 32}-00f067aa0ba902b7-01"}
    for headers, trace in (({}, "a" * 32), (caller, "c" * 32)):
        asked = replace(http("GET", "v1/health/liveness", headers=headers), traceparent=f"00-{'a' * 32}-{'b' * 16}-01")
        assert worker.call("GetLiveness", asked).headers["traceresponse"].split("-")[1] == trace


# Messages, by either transport ---------------------------------------------------------------------------------------


def hr_message(employee_id: str, **more: Any) -> bytes:
    """Return what `hr-events` carries for a new employee, with more properties beside the envelope's."""
    envelope = new_message(
        message_id=f"message-{employee_id}",
        message_type="hr.event",
        tenant="default",
        now=datetime(2025, 1, 10, 12, tzinfo=UTC),
        data={"event": hired(employee_id).decode(), "deliveryId": f"delivery-{employee_id}"},
    )
    return json.dumps(json.loads(envelope.to_json()) | more).encode()


@pytest.mark.parametrize(
    ("number", "more"),
    [
        (0, {}),
        (1, {"Id": "another", "dequeueCount": "abc", "insertionTime": 7, "popReceipt": {"a": 1}}),
        (2, {"messageId": {"a": 1}, "deliveryCount": "abc", "userProperties": "none", "lockToken": {}}),
        (3, {"expirationTime": "never", "expiresAtUtc": "never", "EnqueuedTimeUtc": {}, "sequenceNumber": "x"}),
    ],
    ids=["plain", "storage-queue", "service-bus", "times"],
)
def test_a_message_is_worked_on_whatever_its_body_calls_itself(
    worker: Worker, hub: Hub, transport: str, number: int, more: dict[str, Any]
) -> None:
    employee_id = f"H-{transport}-{number}"
    body = hr_message(employee_id, **more)
    worker.invoke("ProcessHrEvent", message(worker.trigger("ProcessHrEvent"), body))
    assert hub.workforce.employees.get(employee_id).at(hub.clock()).first_name == "Ada"


@pytest.mark.parametrize(
    "metadata",
    [
        {"DequeueCount": 2**31 - 1, "DeliveryCount": 2**31 - 1},
        {"DequeueCount": None, "DeliveryCount": None, "MessageId": None, "Id": None},
        {"ExpirationTime": None, "ExpiresAtUtc": None, "LockToken": None},
        {"UserProperties": {"DeadLetterReason": "forged", "nested": {"a": [1]}}},
    ],
    ids=["huge-counts", "no-counts", "no-times", "foreign-properties"],
)
def test_what_the_host_says_of_a_message_decides_nothing(
    worker: Worker, hub: Hub, transport: str, metadata: dict[str, Any]
) -> None:
    trigger = worker.trigger("ProcessHrEvent")
    employee_id = f"H-{transport}-{'-'.join(metadata)}"
    worker.invoke("ProcessHrEvent", message(trigger, hr_message(employee_id), **metadata))
    assert hub.workforce.employees.get(employee_id).at(hub.clock()).last_name == "Abel"


def test_a_service_bus_message_without_user_properties_is_not_done(worker: Worker, hub: Hub, transport: str) -> None:
    """The worker's decoder asks for them. The host is told of the failure, so that the broker keeps the message."""
    trigger = worker.trigger("ProcessHrEvent")
    without = message(trigger, hr_message(f"H-{transport}-none"), UserProperties=None)
    if transport == "storage":
        worker.invoke("ProcessHrEvent", without)
        assert hub.workforce.employees.find(f"H-{transport}-none")
        return
    with pytest.raises(FunctionRaised, match="UserProperties"):
        worker.invoke("ProcessHrEvent", without)
    assert hub.workforce.employees.find(f"H-{transport}-none") is None


HOSTILE_BODIES = {
    "no-utf-8": b"\xff\xfe\x00binary",
    "empty-object": b"{}",
    "no-object": b"[1, 2]",
    "number": b"17",
    "nul": b"\x00",
    "deep": b"[" * 20_000,
    "id-alone": b'{"id": {"a": 1}}',
    "count-alone": b'{"deliveryCount": "abc", "DequeueCount": "abc"}',
    "other-tenant": b'{"id": "<own>", "type": "t", "time": "2025-01-10T12:00:00Z", "tenant": "other"}',
    "no-time": b'{"id": "<own>", "type": "t", "time": "yesterday", "tenant": "default"}',
}


@pytest.mark.parametrize("name", HOSTILE_BODIES)
@pytest.mark.parametrize("function", ["SendNotification", "DeadLetterNotifications"])
def test_a_message_that_is_none_of_ours_is_kept_byte_for_byte(
    worker: Worker, hub: Hub, transport: str, function: str, name: str
) -> None:
    """INC-71: nobody's message is lost or goes round and round, on its queue or after the broker gave it up."""
    own = f"{transport}-{function}-{name}".encode()
    body = HOSTILE_BODIES[name].replace(b"<own>", own) + b" " * len(
        own
    )  # its own: what was kept once is not kept twice
    worker.invoke(function, message(worker.trigger(function), body))
    letter = dead_letter_of(hub, "notifications", body)
    assert letter["kind"] == ("Parked" if function == "SendNotification" else "Broker")
    assert letter["status"] == "Open"


# Blobs ---------------------------------------------------------------------------------------------------------------


def calculation(transport: str, **more: str) -> bytes:
    record = {
        "id": f"c-{transport}",
        "employeeId": f"B-{transport}",
        "period": "2025-01",
        "gross": "12.34",
        "net": "12.34",
    }
    return json.dumps(record | more).encode()


def test_a_dropped_file_is_taken_in(worker: Worker, hub: Hub, transport: str) -> None:
    apply_event(hub.workforce, hired(f"B-{transport}"))
    content = calculation(transport)
    hub.incentives.inbox.write(f"{transport}.jsonl", content)
    for _ in range(2):
        worker.invoke("TakeInCalculations", blob(worker.trigger("TakeInCalculations"), f"{transport}.jsonl", content))
    stored = hub.incentives.calculations.of_employee("2025-01", f"B-{transport}")
    assert [one.net_minor for one in stored] == [1234]


def test_the_content_of_a_file_cannot_say_that_it_is_another_one(sending_worker: Worker, hub: Hub) -> None:
    """Of a text that is JSON, the host would take `blobTrigger`, `uri` and `properties` from the file's own content."""
    content = b'{"blobTrigger": "erp-inbox/other.json", "uri": 7, "properties": "x", "name": "other.json"}'
    for name in ("hostile.json", "other.json"):
        hub.sales.inbox.write(name, content)
    sending_worker.invoke(
        "ImportDroppedFile", blob(sending_worker.trigger("ImportDroppedFile"), "hostile.json", content)
    )
    runs = runs_of(hub.sales.runs.page(100, None, {}))
    assert [run.file_name for run in runs if run.file_name] == ["hostile.json"]


def test_the_event_of_a_file_that_is_gone_changes_nothing(worker: Worker, hub: Hub) -> None:
    worker.invoke("ImportDroppedFile", blob(worker.trigger("ImportDroppedFile"), "gone.json", b"{}"))
    assert "gone.json" not in [run.file_name for run in runs_of(hub.sales.runs.page(100, None, {}))]


# Logs ----------------------------------------------------------------------------------------------------------------


def test_nothing_personal_or_secret_is_logged(worker: Worker, hub: Hub, token: str, transport: str) -> None:
    body = hr_message(f"H-{transport}-log")
    worker.invoke("ProcessHrEvent", message(worker.trigger("ProcessHrEvent"), body))
    worker.call("GetEmployee", http("GET", "x", path={"id": "H"}, headers={"Authorization": f"Bearer {token}"}))
    assert [word for word in ("Ada", "Abel", token, HR_WEBHOOK_SECRET, "erp-secret") if word in worker.log] == []
