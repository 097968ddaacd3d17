"""A hub in this process around a real sandbox over HTTP; storage is in memory or on Azurite."""

from datetime import UTC, datetime, timedelta
from typing import Any

from local.sandbox.generator import employees_of
from local.sandbox.server import Sandbox
from shared.hub import Hub
from shared.sales.employees import map_employees
from shared.sales.handle import give_up_import_message, handle_import_message
from shared.sales.runs import ImportRun, Trigger
from shared.sales.start import StartRequest, start_import
from tests.fakes.blobs import MemoryBlobs
from tests.fakes.queues import MemoryQueues
from tests.fakes.tables import MemoryTables

IMPORT_QUEUE = "import-slices"
NO_HOST_KEY = "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU"
"""A fingerprint that no server has."""


def environment(sandbox: Sandbox, **more: str) -> dict[str, str]:
    """Return settings of a hub whose partners are the sandbox."""
    return {
        "AzureWebJobsStorage": "UseDevelopmentStorage=true",
        "HUB_PAGE_TOKEN_SECRET": "a secret for page tokens",
        "HUB_MESSAGE_RETRY_DELAYS": "1,2",
        "ERP_BASE_URL": f"{sandbox.url}/erp",
        "ERP_TOKEN_URL": f"{sandbox.url}/identity/oauth2/v2.0/token",
        "ERP_CLIENT_ID": "hub-erp",
        "ERP_CLIENT_SECRET": "erp-secret",
        "ERP_BUSINESS_TIME_ZONE": "Europe/Berlin",
        "ERP_KNOWN_STORES": "S001,S002",
        "ERP_RETRY_FIRST_DELAY": "0.01",
        "ERP_CALL_TIMEOUT": "2",
        "HR_BASE_URL": f"{sandbox.url}/hr",
        "HR_TOKEN_URL": f"{sandbox.url}/identity/oauth2/v2.0/token",
        "HR_CLIENT_ID": "hub-hr",
        "HR_CLIENT_SECRET": "hr-secret",
        "HR_RETRY_FIRST_DELAY": "0.01",
        "HR_WEBHOOK_SECRET": "a secret of the HR system",
        "PAYROLL_BASE_URL": f"{sandbox.url}/payroll",
        "PAYROLL_TOKEN_URL": f"{sandbox.url}/identity/oauth2/v2.0/token",
        "PAYROLL_CLIENT_ID": "hub-payroll",
        "PAYROLL_CLIENT_SECRET": "payroll-secret",
        "PAYROLL_RETRY_FIRST_DELAY": "0.01",
        "SFTP_HOST": "127.0.0.1",
        "SFTP_PORT": str(sandbox.sftp.port if sandbox.sftp else 7022),
        "SFTP_USERNAME": "hub",
        "SFTP_PASSWORD": "sftp-password",
        "SFTP_HOST_KEY": sandbox.sftp.host_key_line if sandbox.sftp else NO_HOST_KEY,
        "SFTP_RETRY_FIRST_DELAY": "0.01",
        "AUTH_ISSUER": f"{sandbox.url}/identity/v2.0",
        "AUTH_JWKS_URL": f"{sandbox.url}/identity/discovery/v2.0/keys",
        **more,
    }


class ImportHub:
    """A hub with storage in memory and a clock that jumps over waits."""

    def __init__(self, sandbox: Sandbox, **settings: str) -> None:
        self.now = datetime(2025, 1, 20, 1, 0, tzinfo=UTC)
        self.sandbox = sandbox
        self.hub = Hub(environment(sandbox, **settings), clock=lambda: self.now, sleep=self._sleep)
        self.hub.__dict__["tables"] = MemoryTables()
        self.hub.__dict__["blobs"] = blobs = MemoryBlobs()
        self.queues = MemoryQueues(lambda: self.now, blobs)
        self.hub.__dict__["queues"] = self.queues
        map_employees(self.hub.sales, {one["erpEmployeeId"]: one["employeeId"] for one in employees_of(sandbox.shape)})

    def _sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def run(self, day: Any, **more: Any) -> ImportRun:
        """Start an import of a day, work until nothing is left, return the run."""
        run_id = start_import(self.hub.sales, StartRequest(day, Trigger.API, "somebody", **more))
        self.work()
        return self.hub.sales.runs.get(run_id)

    def work(self) -> None:
        """Process the import queue, letting time pass where messages wait."""
        sales = self.hub.sales
        while True:
            body = self.queues.take(IMPORT_QUEUE)
            if body is not None:
                self.hub.messages.process(
                    IMPORT_QUEUE,
                    body.encode() if isinstance(body, str) else body,
                    lambda message: handle_import_message(sales, message),
                    lambda message, error: give_up_import_message(sales, message, error),
                )
            elif self.queues.depth(IMPORT_QUEUE):
                self.now += timedelta(seconds=30)
            else:
                return

    def metrics(self) -> tuple[int, int]:
        """Return records and amount (minor units) in SalesMetrics."""
        found = list(self.hub.sales.metrics.of_period("2025-01"))
        return sum(one.total.transactions for one in found), sum(one.total.amount_minor for one in found)
