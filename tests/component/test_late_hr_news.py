"""INC-23, INC-40: what HR tells late of a period that is calculated already leads to its being calculated again.

What was approved stays as it is, and is told as a difference. Sales, people and plans as in the sandbox.
"""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from local.sandbox.generator import Shape
from local.sandbox.server import Sandbox
from shared.hub import replaced_hub
from shared.workforce.apply import apply_event
from shared.workforce.full_sync import start_sync
from tests.component.office import PERIOD, Office


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(Shape(records=300, employees=40), sftp_port=0) as running:
        yield running


@pytest.fixture(params=["true", "false"], ids=["by-itself", "told"])
def triggers(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def office(sandbox: Sandbox, triggers: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    monkeypatch.setattr("shared.wiring.past_periods._LOOKED_BACK", 120)
    monkeypatch.setattr("shared.wiring.past_periods._GAP", 120)  # the sandbox sells in January 2025
    office = Office(sandbox, IMPORT_TRIGGERS_CALCULATION=triggers)
    with replaced_hub(office.hub):
        office.deliver("calculation-requests")
        office.calculate()
        while office.queues.take("notifications"):
            pass
        yield office


def approved(office: Office) -> dict[str, Any]:
    """Return a calculation of a sales associate, approved."""
    one = next(one for one in office.listed() if one["planVersion"] == "store-associates@1" and one["net"] != "0.00")
    assert office.decide("SubmitCalculation", one["id"])[0] == 200
    assert office.decide("ApproveCalculation", one["id"], user="approver")[0] == 200
    while office.queues.take("notifications"):
        pass
    shown: dict[str, Any] = office.data("GetCalculation", id=one["id"])
    return shown


def moved(office: Office, employee_id: str, since: str) -> bytes:
    """Return an event: somebody became another role on a day, as HR says now."""
    person = office.hub.workforce.employees.get(employee_id)
    assigned = next(iter(person.assignments), None)
    office.now += timedelta(minutes=1)
    content = {
        "eventId": f"late-{since}",
        "eventType": "assignment.updated" if assigned else "employee.updated",
        "timestamp": office.now.isoformat(),
        "data": {
            "employeeId": employee_id,
            "assignmentId": assigned,
            "effectiveDate": since,
            "changes": [{"field": "role", "oldValue": "SalesAssociate", "newValue": "Trainee"}],
        },
    }
    return json.dumps(content).encode()


def told(office: Office) -> list[str]:
    return [json.loads(body)["type"] for body in iter(lambda: office.queues.take("notifications"), None)]


def test_a_past_period_is_calculated_again_and_what_was_approved_stays(office: Office, triggers: str) -> None:
    one = approved(office)
    event = moved(office, one["employeeId"], "2025-01-01")
    for _ in range(2):  # a repeat, or a worker that goes on after a death
        apply_event(office.hub.workforce, event)
    if triggers == "false":
        assert set(told(office)) == {"calculation.outdated"}
        office.calculate()
    else:
        office.deliver("calculation-requests")
        assert office.data("ListCalculationRuns")[0]["startedBy"] == "Workforce"
    assert "calculation.differing" in told(office)
    again = office.data("GetCalculation", id=one["id"])
    assert (again["status"], again["net"]) == ("Approved", one["net"])
    assert [found["id"] for found in office.differing()] == [one["id"]]


def test_what_concerns_days_to_come_asks_for_nothing(office: Office) -> None:
    one = approved(office)
    apply_event(office.hub.workforce, moved(office, one["employeeId"], office.now.date().isoformat()))
    assert (told(office), office.queues.take("calculation-requests")) == ([], None)


def test_what_a_full_sync_shows_of_days_gone_by_is_noticed(
    office: Office, triggers: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the worker died before it was asked for: the sync looks at what was shown since the day before."""
    one = approved(office)
    reader = office.hub.hr

    class Corrected:
        def get_json(self, path: str, params: Any, *, check: Any = None) -> Any:
            answer = reader.get_json(path, params, check=check)
            for record in answer["data"]:
                if record["employeeId"] == one["employeeId"]:
                    record["hireDate"] = "2025-01-20"
                    for assignment in record.get("assignments") or []:
                        assignment["startDate"] = "2025-01-20"
            return answer

    monkeypatch.setitem(vars(office.hub), "hr", Corrected())
    office.now += timedelta(hours=1)
    start_sync(office.hub.workforce, "test")
    office.deliver("hr-events")
    if triggers == "false":
        assert told(office) == ["calculation.outdated"]
    else:
        office.deliver("calculation-requests")
        assert PERIOD in {
            run["period"] for run in office.data("ListCalculationRuns") if run["startedBy"] == "Workforce"
        }
        assert "calculation.differing" in told(office)
