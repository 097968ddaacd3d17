"""A workforce with storage in memory, an HR system that is a list of employees, and a clock that is set."""

import json
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

from shared.adapters.identifiers import new_uuid7
from shared.kernel.message import parse_message
from shared.kernel.webhook_signature import sign
from shared.sales.mappings import MappingStore
from shared.wiring.workforce import claims_by_erp_id
from shared.workforce.apply import handle_hr_message
from shared.workforce.context import WorkforceContext, WorkforceRules
from shared.workforce.deliveries import DeliveryStore
from shared.workforce.employees import EmployeeStore
from shared.workforce.erp_ids import ErpIdClaim
from shared.workforce.receive import Receipt, receive
from shared.workforce.sync_runs import SyncRunStore
from tests.fakes import hook
from tests.fakes.blobs import MemoryBlobs
from tests.fakes.queues import MemoryQueues
from tests.fakes.secrets import fixed
from tests.fakes.tables import MemoryTables

SECRET = "a secret of the HR system"
OLD_SECRET = "the secret before it"
TENANT = "default"

Told = Callable[[Collection[ErpIdClaim]], object]


class Killed(Exception):
    """The worker died right here."""


class _Around(hook.Hook):
    def __init__(self, world: "World") -> None:
        self._world = world

    def before(self, operation: str, place: str, item: str) -> None:
        self._world.hook(operation, place)

    def after(self, operation: str, place: str, item: str) -> None:
        self._world.hook(operation, place)


class World:
    """Everything around the workforce."""

    def __init__(self, *, page_size: int = 3, pages_per_slice: int = 2, told: Told | None = None) -> None:
        """What becomes known of ERP IDs is told; where nobody is told it is kept."""
        self.now = datetime(2025, 1, 10, 12, tzinfo=UTC)
        self.hook: Callable[[str, str], None] = lambda _operation, _place: None
        around = _Around(self)
        self.tables, self.blobs = MemoryTables(around), MemoryBlobs(around, lambda: self.now)
        self.queues = MemoryQueues(lambda: self.now, self.blobs, around)
        self.people: list[dict[str, Any]] = []
        self.mappings = MappingStore(self.tables.table("EmployeeMappings"), TENANT)
        self.between_pages: Callable[[int], None] = lambda _page: None
        self._numbers = count(1)
        self.context = WorkforceContext(
            tenant=TENANT,
            rules=WorkforceRules(ZoneInfo("Europe/Berlin"), page_size, pages_per_slice, Decimal("0.5")),
            clock=lambda: self.now,
            new_id=new_uuid7,
            queues=self.queues,
            hr=lambda: self,
            webhook_secret=fixed(SECRET, OLD_SECRET),
            employees=EmployeeStore(self.tables.table("Employees"), TENANT),
            deliveries=DeliveryStore(self.tables.table("HrDeliveries"), self.blobs.container("hr-events"), TENANT),
            sync_runs=SyncRunStore(self.tables.table("HrSyncRuns"), TENANT),
            seen=self.blobs.container("hr-sync"),
            became_known=told or (lambda claims: self.mappings.learn(claims_by_erp_id(claims))),
            changed=list,
        )

    def mapped(self, *erp_ids: str, on: date | None = None) -> dict[str, str | None]:
        """Return whose ERP employee IDs are on a day."""
        found = self.mappings.find(erp_ids)
        return {erp_id: owners.on(on or self.now.date()) for erp_id, owners in found.items()}

    def get_json(self, path: str, params: Mapping[str, str], *, check: Callable[[Any], object] | None = None) -> Any:
        """Answer as the HR system does."""
        assert path == "/api/v1/employees"
        page, size = int(params["page"]), int(params["pageSize"])
        self.between_pages(page)
        people = sorted(self.people, key=lambda one: str(one["employeeId"]))
        pages = -(-len(people) // size)
        answer = {
            "data": people[(page - 1) * size : page * size],
            "pagination": {"page": page, "pageSize": size, "totalRecords": len(people), "totalPages": pages},
            "metadata": {"extractedAt": self.now.isoformat()},
        }
        if check:
            check(answer)
        return json.loads(json.dumps(answer))

    def event(self, kind: str, data: Mapping[str, Any], at: datetime | None = None, event_id: str = "") -> bytes:
        """Return the body of an event."""
        content = {
            "eventId": event_id or f"event-{next(self._numbers):05d}",
            "eventType": kind,
            "timestamp": (at or self.now).isoformat(),
            "data": data,
        }
        return json.dumps(content).encode()

    def headers(self, body: bytes, delivery_id: str = "delivery-1", secret: str = SECRET) -> dict[str, str]:
        """Return the headers of a delivery as the HR system sends them."""
        return {
            "authorization": f"Bearer {secret}",
            "x-webhook-signature": sign(secret, body),
            "x-event-type": json.loads(body)["eventType"],
            "x-delivery-id": delivery_id,
        }

    def deliver(self, body: bytes, delivery_id: str = "delivery-1") -> Receipt:
        """Deliver an event."""
        return receive(self.context, self.headers(body, delivery_id), body)

    def work(self) -> None:
        """Apply everything that is queued. A killed worker's message comes back."""
        while body := self.queues.take("hr-events"):
            try:
                handle_hr_message(self.context, self.queues.resolve(parse_message(body)))
            except Killed:
                self.queues.put_back("hr-events", body)

    def employee(self, employee_id: str) -> dict[str, Any]:
        """Return what is known of an employee now."""
        employee = self.context.employees.get(employee_id).at(self.now)
        return vars(employee)


def created(employee_id: str, **fields: Any) -> dict[str, Any]:
    """Return the data of employee.created."""
    named = {"employeeNumber": employee_id[1:], "firstName": "Ada", "lastName": "Abel", "role": "SalesAssociate"}
    return {"employeeId": employee_id, **named, **fields}


def updated(employee_id: str, effective: str | None = None, **fields: Any) -> dict[str, Any]:
    """Return the data of employee.updated."""
    changes = [{"field": name, "oldValue": None, "newValue": value} for name, value in fields.items()]
    return {"employeeId": employee_id, "changes": changes, "effectiveDate": effective, "modifiedBy": "hr"}
