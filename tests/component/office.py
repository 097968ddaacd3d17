"""A hub with people and a day of sales, called over its HTTP endpoints with real tokens; storage is in memory."""

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import azure.functions as func

from functions.answering import respond
from functions.http_routes import ENDPOINTS
from functions.queues import CONSUMERS, process
from local.sandbox.server import Sandbox
from shared.access.routes import ROUTES
from shared.workforce.apply import handle_hr_message
from shared.workforce.full_sync import start_sync
from tests.component.import_hub import ImportHub

PERIOD = "2025-01"


ROUTE = {route.function: route for route in ROUTES}


class Office(ImportHub):
    """A hub into which people and a day of sales came, and people who call it."""

    def __init__(self, sandbox: Sandbox, **settings: str) -> None:
        super().__init__(sandbox, **settings)
        self.now = datetime.now(UTC) + timedelta(minutes=5)  # after whatever the HR system tells as of now
        start_sync(self.hub.workforce, "test")
        while message := self.queues.receive("hr-events"):
            handle_hr_message(self.hub.workforce, self.queues.resolve(message))
        self.imported = self.run(date(2025, 1, 15))

    def ask(
        self,
        function: str,
        *,
        user: str = "admin",
        body: object = None,
        claims: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        **given: str,
    ) -> tuple[int, Any]:
        """Call a route, by the name of its function; what the path does not take goes into the query."""
        answer = self._answer(function, user, body, claims, headers, given)
        content = json.loads(answer.get_body())
        return answer.status_code, content.get("error", content)

    def headers_of(self, function: str, *, user: str = "admin", **given: str) -> Any:
        """Return the headers of an answer."""
        return self._answer(function, user, None, None, None, given).headers

    def _answer(
        self,
        function: str,
        user: str,
        body: object,
        claims: dict[str, Any] | None,
        headers: dict[str, str] | None,
        given: dict[str, str],
    ) -> func.HttpResponse:
        route = ROUTE[function]
        module, name = ENDPOINTS[function].split(".")
        endpoint = getattr(__import__(f"functions.endpoints.{module}", fromlist=[name]), name)
        in_path = {key: value for key, value in given.items() if f"{{{key}}}" in route.path}
        request = func.HttpRequest(
            method=route.method,
            url=f"http://127.0.0.1/api/{route.path}",
            headers={
                "Authorization": f"Bearer {self.sandbox.identity.token(user, **(claims or {}))}",
                **(headers or {}),
            },
            params={key: value for key, value in given.items() if key not in in_path},
            route_params=in_path,
            body=b"" if body is None else json.dumps(body).encode(),
        )
        return respond(route, endpoint, request)

    def data(self, function: str, **given: Any) -> Any:
        """Return the data of an answer that is a success."""
        status, content = self.ask(function, **given)
        assert status < 300, content
        return content["data"]

    def decide(self, function: str, one: str, **given: Any) -> tuple[int, Any]:
        """Look at a calculation and decide on what is seen."""
        return self.ask(function, id=one, headers={"If-Match": self.etag(one)}, **given)

    def etag(self, one: str) -> str:
        """Return the entity tag of a calculation as it is now."""
        return str(self.data("GetCalculation", id=one)["etag"])

    def seen(self, *ids: str) -> list[dict[str, str]]:
        """Return what a request for many calculations says of each, as it is now."""
        return [{"id": one, "etag": self.etag(one)} for one in ids]

    def whole(self, status: str) -> dict[str, Any]:
        """Return what a request for the whole period says of it, as it is now."""
        cents = [round(float(one["net"]) * 100) for one in self.listed(status=status)]
        return {"period": PERIOD, "count": len(cents), "totalNet": f"{sum(cents) / 100:.2f}"}

    def calculate(self) -> dict[str, Any]:
        """Calculate the period through the API and the queue; return the run."""
        run_id = self.data("StartCalculation", body={"period": PERIOD})["runId"]
        self.deliver("calculation-requests")
        run: dict[str, Any] = self.data("GetCalculationRun", id=run_id)
        return run

    def deliver(self, queue: str) -> None:
        """Let the function of a queue process what waits there."""
        (consumer,) = (one for one in CONSUMERS if one.queue == queue)
        while text := self.queues.take(queue):
            process(consumer, text.encode())

    def listed(self, **query: str) -> list[dict[str, Any]]:
        """Return the calculations of the period."""
        found: list[dict[str, Any]] = self.data("ListCalculations", period=PERIOD, pageSize="1000", **query)
        return found

    def differing(self) -> list[dict[str, Any]]:
        """Return what would come to something else now, read two at a time."""
        found: list[dict[str, Any]] = []
        token: dict[str, Any] = {}
        while True:
            _, content = self.ask("ListCalculations", period=PERIOD, differing="true", pageSize="2", **token)
            found += content["data"]
            if not content["metadata"]["nextPageToken"]:
                return found
            token = {"pageToken": content["metadata"]["nextPageToken"]}

    def sells_no_more(self, employee_id: str) -> None:
        """Let the metrics hold no sales of somebody."""
        metrics = self.hub.tables.table("SalesMetrics")
        for row in list(metrics.query(f"{self.hub.tenant}|{PERIOD}")):
            if row.key.endswith(employee_id):
                metrics.delete(row.partition, row.key)
