"""A client of the hub's API, as an operator's script would have it."""

import time
from decimal import Decimal
from typing import Any

import requests


class HubClient:
    """Calls the hub as a client of the sandbox's identity provider."""

    def __init__(self, host_url: str, sandbox_url: str, user: str = "admin") -> None:
        """Get a token."""
        self.base = f"{host_url}/api/v1"
        self.sandbox = sandbox_url
        self.session = requests.Session()
        self.session.trust_env = False
        form = {"grant_type": "client_credentials", "client_id": user, "client_secret": f"{user}-secret"}
        answer = self.session.post(f"{sandbox_url}/identity/oauth2/v2.0/token", data=form, timeout=10)
        self.session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def call(self, method: str, path: str, **options: Any) -> Any:  # noqa: ANN401 - JSON
        """Return the data of an answer. HTTPError."""
        answer = self.session.request(method, f"{self.base}{path}", timeout=30, **options)
        answer.raise_for_status()
        return answer.json()["data"]

    def raw(self, method: str, path: str, **options: Any) -> requests.Response:  # noqa: ANN401
        """Return an answer as it came. HTTPError."""
        answer = self.session.request(method, f"{self.base}{path}", timeout=60, **options)
        answer.raise_for_status()
        return answer

    def status(self, method: str, path: str, **options: Any) -> int:  # noqa: ANN401
        """Return the status that a call is answered with."""
        return self.session.request(method, f"{self.base}{path}", timeout=60, **options).status_code

    def all(self, path: str, **query: str) -> list[Any]:
        """Return all items of a listing."""
        items: list[Any] = []
        parameters = {"pageSize": "1000", **query}
        while True:
            content = self.raw("GET", path, params=parameters).json()
            items += content["data"]
            token = content["metadata"].get("nextPageToken")
            if not token:
                return items
            parameters["pageToken"] = token

    def seen(self, calculation_id: str) -> dict[str, str]:
        """Look at a calculation; return the header by which a decision on it says what was seen. HTTPError."""
        return {"If-Match": f'"{self.call("GET", f"/calculations/{calculation_id}")["etag"]}"'}

    def decide(self, what: str, calculation_id: str, **body: str) -> Any:  # noqa: ANN401 - JSON
        """Look at a calculation, and `submit`, `approve` or `reject` it. HTTPError."""
        return self.call("POST", f"/calculations/{calculation_id}/{what}", headers=self.seen(calculation_id), json=body)

    def decide_all(self, what: str, period: str) -> Any:  # noqa: ANN401 - JSON
        """Look at all that waits in a period, and `submit` or `approve` it. HTTPError."""
        status = {"submit": "Draft", "approve": "PendingApproval"}[what]
        nets = [Decimal(one["net"]) for one in self.all("/calculations", period=period, status=status)]
        seen = {"period": period, "count": len(nets), "totalNet": f"{sum(nets):.2f}"}
        return self.call("POST", f"/calculations/{what}", json=seen)

    def export(self, period: str, **more: Any) -> Any:  # noqa: ANN401 - JSON
        """Look at what is approved in a period, and export it. HTTPError."""
        there = self.call("GET", f"/admin/exports/{period}/preview")
        seen = {name: there[name] for name in ("period", "count", "totalNet")}
        return self.call("POST", "/admin/exports/trigger", json={**seen, **more})

    def ask_sandbox(self, method: str, path: str, **options: Any) -> Any:  # noqa: ANN401 - JSON
        """Return what the sandbox answers."""
        answer = self.session.request(method, f"{self.sandbox}{path}", timeout=30, **options)
        answer.raise_for_status()
        return answer.json()

    def map_all_employees(self) -> int:
        """Map every employee of the sandbox's ERP."""
        employees = self.ask_sandbox("GET", "/erp/employees")
        for start in range(0, len(employees), 1000):
            names = ("erpEmployeeId", "employeeId")
            mappings = [{name: one[name] for name in names} for one in employees[start : start + 1000]]
            self.call("PUT", "/admin/employees/mappings", json={"mappings": mappings})
        return len(employees)

    def start_import(self, day: str, **more: Any) -> str:  # noqa: ANN401 - fields of the body
        """Start an import, return the run's ID."""
        return str(self.call("POST", "/admin/imports", json={"date": day, **more})["runId"])

    def wait_for(self, run_id: str, *, seconds: float = 300, each: Any = None) -> dict[str, Any]:  # noqa: ANN401
        """Return a run once it has ended. TimeoutError. `each` is called with every look at it."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            run: dict[str, Any] = self.call("GET", f"/admin/imports/{run_id}")
            if each:
                each(run)
            if run["status"] not in ("Queued", "Staging", "Publishing"):
                return run
            time.sleep(0.15)
        raise TimeoutError(f"import run {run_id} has not ended within {seconds:g} s")
