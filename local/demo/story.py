"""The story of the demo, chapter by chapter; what is seen on the way goes into `Seen`."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from local.client import HubClient
from local.processes import Stack
from shared.messaging.queue_names import NOTIFICATIONS

Tell = Callable[[str], None]

SECRET = "local-hr-webhook-secret"  # noqa: S105 - of local.settings.example.json
NEWCOMERS = (("H-90001", "E90001"), ("H-90002", "E90002"))
"""People whose sales the ERP sends before the HR system tells of them."""
_ENDED = ("Succeeded", "PartialSuccess", "Failed", "Superseded", "NeedsConfirmation", "Completed", "Empty", "Stopped")


@dataclass
class Seen:
    """What was seen."""

    month: date
    deliveries: dict[str, Any] = field(default_factory=dict)
    sync: dict[str, Any] = field(default_factory=dict)
    imports: list[dict[str, Any]] = field(default_factory=list)
    calculation: dict[str, Any] = field(default_factory=dict)
    calculations: list[dict[str, Any]] = field(default_factory=list)
    rejected_id: str = ""
    amended_id: str = ""
    exports: list[dict[str, Any]] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    traces: list[dict[str, Any]] = field(default_factory=list)
    refusals: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def period(self) -> str:
        """The pay period."""
        return f"{self.month:%Y-%m}"

    @property
    def days(self) -> list[date]:
        """The days of the month."""
        following = (self.month + timedelta(days=31)).replace(day=1)
        return [self.month + timedelta(days=number) for number in range((following - self.month).days)]


class Story:
    """Plays the story on a running stack."""

    def __init__(self, stack: Stack, month: date, *, faults: bool, tell: Tell) -> None:
        """Sign in as an administrator and as an approver."""
        self.admin = HubClient(stack.host_url, stack.sandbox_url)
        self.approver = HubClient(stack.host_url, stack.sandbox_url, "approver")
        self.seen = Seen(month)
        self._queues = stack.queues
        self._webhook = f"{stack.host_url}/api/v1/webhooks/hr"
        self._faults = faults
        self._tell = tell

    def play(self) -> Seen:
        """Play all chapters."""
        for chapter in (
            self.people,
            self.sales,
            self.newcomers,
            self.calculate,
            self.decide,
            self.export,
            self.export_again,
            self.look_back,
        ):
            began = time.monotonic()
            self._tell(chapter.__name__.replace("_", " "))
            chapter()
            self.seen.seconds[chapter.__name__] = round(time.monotonic() - began, 2)
        return self.seen

    def people(self) -> None:
        """HR events come, some twice, in no order; then the full sync reads everybody."""
        if self._faults:
            self.admin.ask_sandbox("POST", "/faults", json={"preset": "demo"})
            self.admin.ask_sandbox("POST", "/sftp/faults", json={"faults": ["cut-half", "before-rename", "reset"]})
            failing = {"recipient": "employee00003@retail.example", "code": 451}
            self.admin.ask_sandbox("POST", "/mailbox/failures", json=failing)
        order = {"url": self._webhook, "secret": SECRET, "shuffle": True, "repeat": 0.3}
        self.seen.deliveries = self.admin.ask_sandbox("POST", "/hr/deliver", json=order)
        run_id = self.admin.call("POST", "/admin/employees/syncs")["runId"]
        self.seen.sync = self._wait(f"/admin/employees/syncs/{run_id}")

    def sales(self) -> None:
        """Every day of the month is imported."""
        run_ids = [self.admin.start_import(day.isoformat()) for day in self.seen.days]
        for number, run_id in enumerate(run_ids, 1):
            self._tell(f"sales: day {number} of {len(run_ids)}")
            self.seen.imports.append(self._wait(f"/admin/imports/{run_id}"))

    def newcomers(self) -> None:
        """The HR system tells of people whose sales were held: they flow in."""
        now = datetime.now(UTC).isoformat()
        events = []
        for employee_id, erp_id in NEWCOMERS:
            about = {
                "employeeId": employee_id,
                "employeeNumber": employee_id[2:],
                "erpEmployeeId": erp_id,
                "firstName": "Newcomer",
                "lastName": employee_id,
                "email": f"{employee_id.lower()}@retail.example",
                "role": "SalesAssociate",
                "storeId": "S001",
                "hireDate": self.seen.month.isoformat(),
            }
            place = {
                "assignmentId": f"A-{employee_id}",
                "storeId": "S001",
                "role": "SalesAssociate",
                "startDate": self.seen.month.isoformat(),
            }
            assigned = {"employeeId": employee_id, **place}
            for kind, data in (("employee.created", about), ("assignment.created", assigned)):
                event_id = f"newcomer-{employee_id}-{kind}"
                events.append({"eventId": event_id, "eventType": kind, "timestamp": now, "data": data})
            person = {"add": {**about, "status": "Active", "assignments": [place]}}
            self.admin.ask_sandbox("POST", "/hr/employees", json=[person])
        order = {"url": self._webhook, "secret": SECRET, "events": events}
        self.admin.ask_sandbox("POST", "/hr/deliver", json=order)
        for run in self.seen.imports:
            self._until(f"/admin/imports/{run['runId']}", lambda found: found["held"] == 0)
        self.seen.imports = [self.admin.call("GET", f"/admin/imports/{run['runId']}") for run in self.seen.imports]

    def calculate(self) -> None:
        """The plans turn sales into calculations."""
        run_id = self.admin.call("POST", "/admin/calculations/runs", json={"period": self.seen.period})["runId"]
        self.seen.calculation = self._wait(f"/admin/calculations/runs/{run_id}")

    def decide(self) -> None:
        """All are submitted; one is rejected, the others are approved by somebody else, one of them is amended."""
        period = {"period": self.seen.period}
        self.admin.decide_all("submit", self.seen.period)
        pending = self._calculations(status="PendingApproval")
        self.seen.rejected_id, self.seen.amended_id = pending[0]["id"], pending[1]["id"]
        path = f"/calculations/{self.seen.rejected_id}/approve"
        self.seen.refusals["approving without saying what was seen"] = self.approver.status("POST", path)
        outdated = {"If-Match": f'"{pending[0]["etag"]}"'}
        self.seen.refusals["approving what one submitted"] = self.admin.status("POST", path, headers=outdated)
        self.approver.decide("reject", self.seen.rejected_id, reason="Sales of another team were counted")
        self.seen.refusals["approving what has changed since"] = self.approver.status("POST", path, headers=outdated)
        self.approver.decide_all("approve", self.seen.period)
        corrected = f"{Decimal(pending[1]['net']) + 25:.2f}"
        amendment = self.admin.call(
            "POST",
            f"/calculations/{self.seen.amended_id}/amendments",
            json={"correctedNet": corrected, "reason": "A sale was booked on a colleague"},
        )
        self.admin.decide("submit", amendment["id"])
        self.seen.refusals["approving what one brought in"] = self.admin.status(
            "POST", f"/calculations/{amendment['id']}/approve", headers=self.admin.seen(amendment["id"])
        )
        self.seen.refusals["exporting while a decision is open"] = self.admin.status(
            "POST", "/admin/exports/trigger", json=period
        )
        self.approver.decide("approve", amendment["id"])

    def export(self) -> None:
        """The approved ones go to payroll, which rejects two."""
        approved = self._calculations(status="Approved")
        employees = sorted({one["employeeId"] for one in approved})
        self.admin.ask_sandbox("POST", "/payroll/reject", json={"employeeIds": [employees[5], employees[-5]]})
        self._export()

    def export_again(self) -> None:
        """The delta export pays the two; a third one has nothing left to do."""
        self._export()
        self.seen.refusals["exporting what was exported"] = self.admin.status(
            "POST", "/admin/exports/trigger", json={"period": self.seen.period}
        )

    def look_back(self) -> None:
        """Everything is collected for the account."""
        self.seen.calculations = self._calculations()
        self._await_mails()
        for export in self.seen.exports:
            file = self.admin.raw("GET", f"/admin/exports/{export['exportId']}/file")
            self.seen.files[export["exportId"]] = file.content.decode()
        amended = next(one for one in self.seen.calculations if one["id"] == self.seen.amended_id)
        refused = self.seen.exports[0]["rejectedRecords"][0]["employeeId"]
        for employee_id in (amended["employeeId"], refused, NEWCOMERS[0][0]):
            self.seen.traces.append(self.admin.call("GET", f"/trace/{employee_id}/{self.seen.period}"))

    def _await_mails(self) -> None:
        """Wait until nobody is left to be told anything; e-mails go out beside everything else. TimeoutError."""
        end = time.monotonic() + 120
        with self._queues() as queues:
            while queues.depth(NOTIFICATIONS):
                if time.monotonic() > end:
                    raise TimeoutError(f"queue {NOTIFICATIONS} is not empty after two minutes")
                time.sleep(0.3)

    def _export(self) -> None:
        begun = self.admin.export(self.seen.period)
        self.seen.exports.append(self._wait(f"/admin/exports/{begun['exportId']}"))

    def _calculations(self, **query: str) -> list[dict[str, Any]]:
        return self.admin.all("/calculations", period=self.seen.period, **query)

    def _wait(self, path: str) -> dict[str, Any]:
        return self._until(path, lambda found: found["status"] in _ENDED)

    def _until(self, path: str, done: Callable[[dict[str, Any]], bool], *, seconds: float = 240) -> dict[str, Any]:
        """Return what lies at a path once it is as it should be. TimeoutError."""
        end = time.monotonic() + seconds
        found: dict[str, Any] = {}
        while time.monotonic() < end:
            found = self.admin.call("GET", path)
            if done(found):
                return found
            time.sleep(0.1)
        raise TimeoutError(f"{path} is not done within {seconds:g} s: {found}")
