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
        **given: str,
    ) -> tuple[int, Any]:
        """Call a route, by the name of its function; what the path does not take goes into the query."""
        route = ROUTE[function]
        module, name = ENDPOINTS[function].split(".")
        endpoint = getattr(__import__(f"functions.endpoints.{module}", fromlist=[name]), name)
        in_path = {key: value for key, value in given.items() if f"{{{key}}}" in route.path}
        request = func.HttpRequest(
            method=route.method,
            url=f"http://127.0.0.1/api/{route.path}",
            headers={"Authorization": f"Bearer {self.sandbox.identity.token(user, **(claims or {}))}"},
            params={key: value for key, value in given.items() if key not in in_path},
            route_params=in_path,
            body=b"" if body is None else json.dumps(body).encode(),
        )
        answer = respond(route, endpoint, request)
        content = json.loads(answer.get_body())
        return answer.status_code, content.get("error", content)

    def data(self, function: str, **given: Any) -> Any:
        """Return the data of an answer that is a success."""
        status, content = self.ask(function, **given)
        assert status < 300, content
        return content["data"]

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
