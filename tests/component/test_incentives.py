"""INC-40, INC-41, INC-42 and "why was I paid this?" over the HTTP endpoints: with real tokens, sales from the
sandbox's ERP, people from its HR system, and its payroll; storage is in memory.
"""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from local.sandbox.generator import Shape
from local.sandbox.server import Sandbox
from shared.hub import replaced_hub
from tests.component.office import PERIOD, Office
from tests.fakes.invocation import context
from tests.unit.functions.indexed import indexed_functions

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(Shape(records=300, employees=40), sftp_port=0) as running:
        yield running


@pytest.fixture
def office(sandbox: Sandbox) -> Iterator[Office]:
    office = Office(sandbox)
    with replaced_hub(office.hub):
        yield office


def test_a_period_is_calculated_and_listed_page_by_page(office: Office) -> None:
    """INC-40."""
    run = office.calculate()
    everything = office.listed()
    assert (run["status"], run["created"], run["startedBy"]) == ("Succeeded", len(everything), "admin")
    assert sum(round(float(one["net"]) * 100) for one in everything) == round(float(run["net"]) * 100)
    assert office.data("ListCalculationRuns")[0]["runId"] == run["runId"]

    pages: list[list[Any]] = []
    token: str | None = ""
    while token is not None:
        _, content = office.ask("ListCalculations", user="reader", period=PERIOD, pageSize="7", pageToken=token)
        pages.append(content["data"])
        token = content["metadata"]["nextPageToken"]
    assert [one for page in pages for one in page] == everything
    assert {len(page) for page in pages[:-1]} == {7}

    office.decide("SubmitCalculation", everything[0]["id"])
    assert [one["id"] for one in office.listed(status="PendingApproval")] == [everything[0]["id"]]
    assert len(office.listed(status="Draft")) == len(everything) - 1
    employee_id = everything[0]["employeeId"]
    assert {one["employeeId"] for one in office.listed(employeeId=employee_id)} == {employee_id}
    assert office.listed(employeeId=employee_id, status="Rejected") == []


def test_a_calculation_is_shown_with_its_breakdown(office: Office) -> None:
    """INC-40: which tier, which rate, which sales days."""
    office.calculate()
    one = next(one for one in office.listed() if one["planVersion"] == "store-associates@1")
    shown = office.data("GetCalculation", user="approver", id=one["id"])
    breakdown = shown["breakdown"]
    assert shown.items() >= one.items()
    assert (breakdown["planId"], breakdown["planVersion"], breakdown["net"]) == ("store-associates", 1, one["net"])
    assert [tier["rate"] for tier in breakdown["tiers"]] == ["0.01"]
    assert {day["date"] for day in breakdown["salesDays"]} == {"2025-01-15"}
    assert [(change["action"], change["by"], change["state"]) for change in shown["history"]] == [
        ("Create", "Calculation", "Draft")
    ]


def test_the_way_of_one_calculation(office: Office) -> None:
    """INC-42."""
    office.calculate()
    one = office.listed()[0]["id"]

    def decided(function: str, calculation_id: str, **given: Any) -> str:
        _, content = office.decide(function, calculation_id, **given)
        return str(content["data"]["status"])

    assert decided("SubmitCalculation", one) == "PendingApproval"
    assert decided("RejectCalculation", one, user="approver", body={"reason": "wrong team"}) == "Rejected"
    assert decided("SubmitCalculation", one) == "PendingApproval"
    assert decided("ApproveCalculation", one, user="approver", body={"note": "fine"}) == "Approved"
    status, content = office.ask(
        "AmendCalculation", id=one, body={"correctedNet": "123.45", "reason": "a sale was missing"}
    )
    amendment = content["data"]
    assert (status, amendment["kind"], amendment["status"], amendment["amends"]) == (201, "Amendment", "Draft", one)
    assert amendment["breakdown"]["correctedNet"] == "123.45"
    assert decided("SubmitCalculation", amendment["id"]) == "PendingApproval"
    assert decided("ApproveCalculation", amendment["id"], user="approver") == "Approved"
    history = [
        (change["action"], change["by"], change["note"]) for change in office.data("GetCalculation", id=one)["history"]
    ]
    assert history == [
        ("Create", "Calculation", ""),
        ("Submit", "admin", ""),
        ("Reject", "approver", "wrong team"),
        ("Submit", "admin", ""),
        ("Approve", "approver", "fine"),
    ]


def test_many_at_once(office: Office) -> None:
    """INC-42: each for itself; 207 where some could not."""
    office.calculate()
    nothing = {"count": 0, "totalNet": "0.00"}
    ids = [one["id"] for one in office.listed()]
    status, content = office.ask("SubmitCalculations", body=office.whole("Draft"))
    done = {"done": len(ids), "refused": 0, "more": False, "remaining": nothing}
    assert (status, content["metadata"]) == (200, done)
    body = {"calculations": office.seen(*ids[:2]), "reason": "no"}
    status, content = office.ask("RejectCalculations", user="approver", body=body)
    assert (status, content["metadata"]["done"]) == (200, 2)
    body = {"calculations": [*office.seen(ids[0], ids[2]), {"id": "unknown", "etag": "1-0"}]}
    status, content = office.ask("ApproveCalculations", user="approver", body=body)
    assert status == 207
    assert [(one["id"], one["status"], one["code"]) for one in content["data"]] == [
        (ids[0], "Rejected", "Conflict"),
        (ids[2], "Approved", None),
        ("unknown", None, "NotFound"),
    ]
    body = {**office.whole("PendingApproval"), "note": "all fine"}
    status, content = office.ask("ApproveCalculations", user="approver", body=body)
    done = {"done": len(ids) - 3, "refused": 0, "more": False, "remaining": nothing}
    assert (status, content["metadata"]) == (200, done)
    assert len(office.listed(status="Approved")) == len(ids) - 2


@pytest.mark.parametrize("named", ["employeeId", "oid", "preferred_username", "email", "sub"])
def test_nobody_approves_his_own_whatever_his_token_calls_him(office: Office, named: str) -> None:
    """INC-42: also in bulk."""
    office.calculate()
    one, other = office.listed()[:2]
    employee = office.data("GetEmployee", id=one["employeeId"])
    number = one["employeeId"].removeprefix("H-")
    called = {
        "employeeId": one["employeeId"],
        "oid": f"user-{number}",
        "preferred_username": employee["email"].upper(),
        "email": employee["email"],
        "sub": f"user-{number}",
    }
    claims = {named: called[named]}
    office.data("SubmitCalculations", body={"calculations": office.seen(one["id"], other["id"])})
    status, error = office.decide("ApproveCalculation", one["id"], user="approver", claims=claims)
    assert (status, error["code"]) == (403, "Forbidden")
    assert error["message"] == f"calculation {one['id']} is your own: somebody else must approve it"
    body = {"calculations": office.seen(one["id"], other["id"])}
    status, content = office.ask("ApproveCalculations", user="approver", body=body, claims=claims)
    assert (status, [each["code"] for each in content["data"]]) == (207, ["Forbidden", None])


def test_nobody_approves_what_he_brought_in(office: Office) -> None:
    """INC-42."""
    employee_id = office.data("ListEmployees", pageSize="1")[0]["employeeId"]
    record = {"id": "X1", "employeeId": employee_id, "period": PERIOD, "gross": "5.00", "net": "5.00"}
    one = office.data("PostCalculations", body={"calculations": [record]})[0]["id"]
    office.decide("SubmitCalculation", one)
    assert office.decide("ApproveCalculation", one)[0] == 403
    assert office.decide("ApproveCalculation", one, user="approver")[0] == 200


def test_calculations_are_posted_and_a_bad_one_is_refused_by_name(office: Office) -> None:
    """INC-41."""
    employee_id = office.data("ListEmployees", pageSize="1")[0]["employeeId"]
    record = {"id": "X1", "employeeId": employee_id, "period": PERIOD, "gross": "5.00", "net": "4.50"}
    status, content = office.ask("PostCalculations", body={"calculations": [record, record | {"id": "X2", "net": 4.5}]})
    assert (status, content["metadata"]) == (207, {"accepted": 1, "refused": 1})
    assert [(one["record"], one["externalId"], one["status"], one["reason"]) for one in content["data"]] == [
        (1, "X1", "Draft", None),
        (2, "X2", "Refused", 'net: write the amount as text: "12.34"'),
    ]
    assert office.ask("PostCalculations", body={"calculations": [record]})[0] == 200
    assert [(one["kind"], one["net"]) for one in office.listed()] == [("Posted", "4.50")]


def test_a_dropped_file_is_taken_in_by_the_blob_function(office: Office) -> None:
    """INC-41."""
    employee_id = office.data("ListEmployees", pageSize="1")[0]["employeeId"]
    content = f"id,employeeId,period,gross,net\nX1,{employee_id},{PERIOD},5.00,4.50\n".encode()
    office.hub.blobs.container("calculations-inbox").write("january/a.csv", content)
    function = next(one for one in indexed_functions() if one.get_function_name() == "TakeInCalculations")
    function.get_user_function()(_Blob("calculations-inbox/january/a.csv"), context())
    assert [(one["kind"], one["source"], one["net"]) for one in office.listed()] == [("Posted", "posted:X1", "4.50")]


class _Blob:
    """What the host hands over of a blob, as far as the function looks at it."""

    def __init__(self, name: str) -> None:
        self.name = name


NOBODYS = "01941f29-7c00-7800-8000-000000000000"


@pytest.mark.parametrize(
    ("function", "given", "status", "told"),
    [
        ("ListCalculations", {}, 400, {"period": "must be a pay period such as 2025-01 or 2025-W03"}),
        (
            "ListCalculations",
            {"period": "2025-13"},
            400,
            {"period": "must be a pay period such as 2025-01 or 2025-W03"},
        ),
        (
            "ListCalculations",
            {"period": "9999-12"},
            400,
            {"period": "must be a pay period such as 2025-01 or 2025-W03"},
        ),
        (
            "ListCalculations",
            {"period": PERIOD, "status": "approved"},
            400,
            {"status": "must be one of Draft, PendingApproval, Approved, Rejected, Exported"},
        ),
        (
            "ListCalculations",
            {"period": PERIOD, "pageSize": "0"},
            400,
            {"pageSize": "must be a whole number from 1 to 1000"},
        ),
        ("GetCalculation", {"id": NOBODYS}, 404, {}),
        ("GetCalculation", {"id": "x"}, 404, {}),
        ("GetCalculationRun", {"id": NOBODYS}, 404, {}),
        ("SubmitCalculation", {"id": NOBODYS}, 404, {}),
        ("ApproveCalculation", {"id": "x"}, 404, {}),
        ("ApproveCalculation", {"id": "x", "body": {"remark": "x"}}, 400, {"remark": "is not a known field"}),
        ("RejectCalculation", {"id": "x"}, 400, {"reason": "is missing"}),
        (
            "RejectCalculation",
            {"id": "x", "body": {"reason": ""}},
            400,
            {"reason": "must not be empty"},
        ),
        ("AmendCalculation", {"id": NOBODYS, "body": {"correctedNet": "1.00", "reason": "x"}}, 404, {}),
        (
            "AmendCalculation",
            {"id": "x", "body": {"correctedNet": 1.5}},
            400,
            {"correctedNet": 'write the amount as text: "12.34"', "reason": "is missing"},
        ),
        (
            "SubmitCalculations",
            {"body": {}},
            400,
            {"calculations": "give what is to be decided on: [{id, etag}]"},
        ),
        (
            "SubmitCalculations",
            {"body": {"calculations": [{"id": "x", "etag": "1-0"}], "period": PERIOD}},
            400,
            {"calculations": "give either calculations or a period"},
        ),
        ("RejectCalculations", {"body": {"calculations": []}}, 400, {"reason": "is missing"}),
        (
            "ApproveCalculation",
            {"id": "x", "headers": {"If-Match": 'a"b'}},
            400,
            {"If-Match": 'must be the etag of what you saw, such as "3-0123456789abcdef"'},
        ),
        (
            "ApproveCalculation",
            {"id": "x", "body": {"expectedNet": 1.5}},
            400,
            {"expectedNet": 'write the amount as text: "12.34"'},
        ),
        ("ApproveCalculations", {"body": {"ids": [""]}}, 400, {"ids.0": "must not be empty"}),
        ("PostCalculations", {"body": {}}, 400, {"calculations": "is missing"}),
        (
            "StartCalculation",
            {"body": {"period": "January"}},
            400,
            {"period": "'January' is no pay period: write 2025-01 or 2025-W03"},
        ),
        (
            "Trace",
            {"employeeId": "H-00001", "period": "January"},
            400,
            {"period": "'January' is no pay period: write 2025-01 or 2025-W03"},
        ),
        ("Trace", {"employeeId": "nobody", "period": PERIOD}, 404, {}),
    ],
)
def test_what_is_wrong_is_told_by_field(
    office: Office, function: str, given: dict[str, Any], status: int, told: dict[str, str]
) -> None:
    found, error = office.ask(function, **given)
    assert (found, {one["field"]: one["message"] for one in error.get("details", [])}) == (status, told)


def test_what_its_state_does_not_allow_is_a_conflict(office: Office) -> None:
    office.calculate()
    one = office.listed()[0]["id"]
    body = {"correctedNet": "1.00", "reason": "x"}
    for function, given in (
        ("ApproveCalculation", {"user": "approver"}),
        ("RejectCalculation", {"user": "approver", "body": {"reason": "x"}}),
        ("AmendCalculation", {"body": body}),
    ):
        status, error = office.decide(function, one, **given)
        assert (status, error["code"]) == (409, "Conflict")
        assert "is Draft" in error["message"]


def test_why_somebody_was_paid_what_he_was(office: Office) -> None:
    """Traceability: from the payroll batch back to the transactions and the run that imported them."""
    office.calculate()
    one = next(one for one in office.listed() if one["planVersion"] == "store-associates@1")
    office.data("SubmitCalculations", body=office.whole("Draft"))
    body = {**office.whole("PendingApproval"), "note": "January is fine"}
    office.data("ApproveCalculations", user="approver", body=body)
    before = office.data("Trace", user="reader", employeeId=one["employeeId"], period=PERIOD)
    assert (before["paid"], before["toBePaid"], before["exports"]) == ("0.00", one["net"], [])
    export = office.data("TriggerExport", body=office.whole("Approved"))
    office.deliver("payroll-exports")

    found = office.data("Trace", user="reader", employeeId=one["employeeId"], period=PERIOD)
    assert (found["paid"], found["toBePaid"]) == (one["net"], "0.00")
    (calculation,) = found["calculations"]
    assert (calculation["planVersion"], calculation["status"]) == ("store-associates@1", "Exported")
    (rules,) = found["plans"]
    assert (rules["planVersion"], rules["cap"], [tier["rate"] for tier in rules["tiers"]]) == (
        "store-associates@1",
        "1500.00",
        ["0.01", "0.02", "0.035"],
    )
    approval = next(change for change in calculation["history"] if change["action"] == "Approve")
    assert (approval["by"], approval["note"]) == ("approver", "January is fine")
    (exported,) = found["exports"]
    assert exported["exportId"] == export["exportId"] == calculation["exportId"]
    batches = office.sandbox.payroll.ledger()["batches"]
    assert exported["payrollBatchId"] in {batch["payrollBatchId"] for batch in batches}

    (day,) = found["salesDays"]
    assert (day["date"], day["unexplained"], day["runId"]) == ("2025-01-15", "0.00", office.imported.run_id)
    assert [run["runId"] for run in found["importRuns"]] == [office.imported.run_id]
    counted = calculation["breakdown"]["salesDays"]
    assert [(each["date"], each["sales"]) for each in counted] == [(day["date"], day["sales"])]
    cents = sum(round(float(sale["salesAmount"]) * 100) for sale in day["transactions"])
    assert cents == round(float(found["salesTotal"]) * 100)
    served = {line.record["transactionId"] for line in office.sandbox.erp.day(date(2025, 1, 15)).lines}
    assert {sale["transactionId"] for sale in day["transactions"]} <= served


def test_a_mistake_in_a_plan_is_told_by_the_health_and_ends_a_run_as_failed(sandbox: Sandbox, tmp_path: Path) -> None:
    """INC-40: by file and field."""
    plan = (ROOT / "plans" / "store-managers.yaml").read_text()
    (tmp_path / "managers.yaml").write_text(plan.replace("rate: 0.025", "rate: 2.5 %"))
    office = Office(sandbox, INCENTIVE_PLANS=str(tmp_path))
    field = f"{tmp_path.name}/managers.yaml:tiers.1.rate"
    with replaced_hub(office.hub):
        status, content = office.ask("GetStartup")
        assert (status, content["data"]["problems"]) == (
            503,
            [{"setting": field, "problem": "'2.5 %' is not a number"}],
        )
        run = office.calculate()
        assert (run["status"], run["failure"]) == ("Failed", f"setting {field}: '2.5 %' is not a number")
        assert office.data("ListDeadLetters")[0]["reason"] == "ConfigurationError"
        (tmp_path / "managers.yaml").write_text(plan)
        assert office.ask("GetStartup")[0] == 200
        assert office.calculate()["status"] == "Succeeded"


DECISIONS = {
    "SubmitCalculation": ({}, "Draft"),
    "ApproveCalculation": ({}, "PendingApproval"),
    "RejectCalculation": ({"reason": "no"}, "PendingApproval"),
}


@pytest.mark.parametrize("function", DECISIONS)
def test_a_decision_names_what_was_seen(office: Office, function: str) -> None:
    """INC-42: 428 without, 412 for what has changed since, and the answer says what is there now."""
    office.calculate()
    (body, status), one = DECISIONS[function], office.listed()[0]
    if status == "PendingApproval":
        office.decide("SubmitCalculation", one["id"])
    shown = office.data("GetCalculation", id=one["id"])

    def ask(etag: str = "", **more: object) -> tuple[int, Any]:
        headers = {"If-Match": etag} if etag else {}
        return office.ask(function, user="admin" if status == "Draft" else "approver", id=one["id"], headers=headers,
                          body={**body, **more})  # fmt: skip

    for etag in ("", "*"):
        found, error = ask(etag)
        assert (found, error["code"]) == (428, "PreconditionRequired")
        told = {each["field"]: each["message"] for each in error["details"]}
        assert told == {name: shown[name] for name in ("status", "net", "etag")}
    others = (ask('"1-0123456789abcdef", "x"'), ask(expectedNet="0.01"), ask(shown["etag"], expectedNet="1"))
    for found, error in others:
        assert (found, error["code"]) == (412, "PreconditionFailed")
        assert {"field": "etag", "message": shown["etag"]} in error["details"]
    found, content = ask(f'"{shown["etag"]}"')
    assert found == 200
    assert content["data"]["etag"] == office.etag(one["id"])
    assert ask(f'"{shown["etag"]}"')[0] == 200, "the answer may have been lost"


def test_the_entity_tag_is_a_header_too(office: Office) -> None:
    office.calculate()
    one = office.listed()[0]
    headers = office.headers_of("GetCalculation", id=one["id"])
    assert headers["ETag"] == f'"{one["etag"]}"'


def test_many_are_decided_on_as_they_were_seen(office: Office) -> None:
    """INC-42: what is not said refuses the request, what has changed refuses the one."""
    office.calculate()
    ids = [one["id"] for one in office.listed()][:3]
    seen = office.seen(*ids)
    for body in ({"ids": ids}, {"calculations": [*seen[:2], {"id": ids[2]}]}):
        status, error = office.ask("SubmitCalculations", body=body)
        assert (status, error["code"]) == (428, "PreconditionRequired")
    net = office.data("GetCalculation", id=ids[2])["net"]
    body = {"calculations": [seen[0], {"id": ids[1], "expectedNet": "0.01"}, {"id": ids[2], "expectedNet": net}]}
    for _ in range(2):
        status, content = office.ask("SubmitCalculations", body=body)
        assert (status, [one["code"] for one in content["data"]]) == (207, [None, "PreconditionFailed", None])
    assert content["data"][1]["etag"] == seen[1]["etag"]


def test_a_period_is_decided_on_as_it_was_seen(office: Office) -> None:
    """INC-42: by count and total; the refusal tells them."""
    office.calculate()
    seen = office.whole("Draft")
    there = [{"field": name, "message": str(seen[name])} for name in ("count", "totalNet")]
    status, error = office.ask("SubmitCalculations", body={"period": PERIOD})
    assert (status, error["code"], error["details"]) == (428, "PreconditionRequired", there)
    status, error = office.ask("SubmitCalculations", body={**seen, "count": seen["count"] + 1})
    assert (status, error["code"], error["details"][:2]) == (412, "PreconditionFailed", there)
    for _ in range(2):
        status, content = office.ask("SubmitCalculations", body=seen)
        assert (status, content["metadata"]["done"]) == (200, seen["count"])


def test_whoever_ran_or_submitted_it_does_not_approve_it(office: Office) -> None:
    """INC-42: four eyes, unless they are switched off."""
    office.calculate()
    one = office.listed()[0]["id"]
    office.decide("SubmitCalculation", one)
    status, error = office.decide("ApproveCalculation", one)
    assert (status, error["code"]) == (403, "Forbidden")
    assert "you submitted calculation" in error["message"]
    status, content = office.ask("ApproveCalculations", body=office.whole("PendingApproval"))
    assert (status, content["data"][0]["code"]) == (207, "Forbidden")


def test_four_eyes_can_be_switched_off(sandbox: Sandbox) -> None:
    office = Office(sandbox, HUB_FOUR_EYES="false")
    with replaced_hub(office.hub):
        office.calculate()
        one = office.listed()[0]["id"]
        office.decide("SubmitCalculation", one)
        assert office.decide("ApproveCalculation", one)[0] == 200


def test_what_differs_is_listed_with_the_amendment_to_post(office: Office) -> None:
    """INC-40, INC-42: an approved calculation is not altered; the proposal can be posted as it stands."""
    office.calculate()
    office.data("SubmitCalculations", body=office.whole("Draft"))
    office.data("ApproveCalculations", user="approver", body=office.whole("PendingApproval"))
    assert office.differing() == []
    approved = {one["id"]: one["net"] for one in office.listed()}
    for employee_id in {one["employeeId"] for one in office.listed()}:
        office.sells_no_more(employee_id)
    run = office.calculate()
    found = office.differing()
    assert len(found) == run["differing"] == sum(net != "0.00" for net in approved.values())
    assert [(one["id"], one["net"], one["comesTo"], one["presentNet"]) for one in found] == [
        (key, net, net, "0.00") for key, net in sorted(approved.items()) if net != "0.00"
    ]
    one = found[0]
    assert office.data("GetCalculation", id=one["id"])["proposedAmendment"] == one["proposedAmendment"]
    body = {name: one["proposedAmendment"][name] for name in ("correctedNet", "reason")}
    amendment = office.data("AmendCalculation", id=one["id"], body=body)
    assert amendment["net"] == one["proposedAmendment"]["difference"]
    office.decide("SubmitCalculation", amendment["id"])
    office.decide("ApproveCalculation", amendment["id"], user="approver")
    assert [each["id"] for each in office.differing()] == [each["id"] for each in found[1:]]
    status, error = office.ask("ListCalculations", period=PERIOD, differing="perhaps")
    assert (status, error["details"]) == (400, [{"field": "differing", "message": "must be one of true"}])
