"""What the use cases of the workforce work with: stores, ports, rules."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from decimal import Decimal
from zoneinfo import ZoneInfo

from shared.kernel.blob import BlobContainer
from shared.kernel.clock import Clock
from shared.kernel.identifiers import NewId
from shared.kernel.json_client import JsonReader
from shared.kernel.message import Queues
from shared.kernel.secret import Secret
from shared.workforce.deliveries import DeliveryStore
from shared.workforce.employees import EmployeeStore
from shared.workforce.erp_ids import ErpIdClaim
from shared.workforce.person import Person
from shared.workforce.sync_runs import SyncRunStore

HR_QUEUE = "hr-events"
NOTIFICATION_QUEUE = "notifications"


@dataclass(frozen=True)
class WorkforceRules:
    """How people are taken over; see the settings of the same names."""

    time_zone: ZoneInfo
    page_size: int
    pages_per_slice: int
    max_termination_share: Decimal


@dataclass(frozen=True)
class WorkforceContext:
    """Everything that the workforce needs from outside, for one tenant."""

    tenant: str
    rules: WorkforceRules
    clock: Clock
    new_id: NewId
    queues: Queues
    hr: Callable[[], JsonReader]
    webhook_secret: Secret
    """All versions that hold are accepted (INC-25)."""
    employees: EmployeeStore
    deliveries: DeliveryStore
    sync_runs: SyncRunStore
    seen: BlobContainer
    """Which employees a full sync has met so far."""
    became_known: Callable[[Collection[ErpIdClaim]], object]
    """Told which ERP employee IDs are whose whenever that was learnt; idempotent, and in any order."""
    changed: Callable[[Iterable[tuple[Person, Person]]], object]
    """Told people before and after something was learnt that may concern days gone by; idempotent."""
