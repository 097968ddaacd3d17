"""What the use cases of the import work with: stores, ports, rules."""

from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import time
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from shared.kernel.blob import BlobContainer, Blobs
from shared.kernel.clock import Clock
from shared.kernel.identifiers import NewId
from shared.kernel.message import Queues
from shared.kernel.once import RunOnce
from shared.kernel.pay_period import PayCalendar
from shared.kernel.table import Table, Tables
from shared.sales.drops import DropRules
from shared.sales.held import HeldStore
from shared.sales.mappings import MappingStore
from shared.sales.metrics import MetricsStore
from shared.sales.runs import ImportRun, RunStore
from shared.sales.slices import SliceStore
from shared.sales.snapshots import SnapshotStore
from shared.sales.sources import SalesSource

IMPORT_QUEUE = "import-slices"
NOTIFICATION_QUEUE = "notifications"
CALCULATION_QUEUE = "calculation-requests"


@dataclass(frozen=True)
class ImportRules:
    """How sales are imported; see the settings of the same names."""

    time_zone: ZoneInfo
    max_reject_share: Decimal
    known_stores: frozenset[str]
    currency: str
    pay_calendar: PayCalendar
    pages_per_slice: int
    slice_lease: float
    stall_after: float
    expected_by: time
    triggers_calculation: bool
    drops: DropRules = field(default_factory=DropRules)


@dataclass(frozen=True)
class ImportContext:
    """Everything that an import needs from outside, for one tenant."""

    tenant: str
    rules: ImportRules
    clock: Clock
    new_id: NewId
    queues: Queues
    once: RunOnce
    source_of: Callable[[ImportRun], SalesSource]
    writers: Callable[[], AbstractContextManager[Executor]]
    """Opens the threads that write staged sales."""
    runs: RunStore
    slices: SliceStore
    snapshots: SnapshotStore
    metrics: MetricsStore
    mappings: MappingStore
    held: HeldStore
    staging: Table
    rejects: Table
    inbox: BlobContainer
    quarantine: BlobContainer


def stores_of(tables: Tables, blobs: Blobs, tenant: str, currency: str) -> Mapping[str, Any]:
    """Return the stores of an ImportContext, by field name: the tables and containers that the import uses."""
    return {
        "runs": RunStore(tables.table("ImportRuns"), tenant),
        "slices": SliceStore(tables.table("ImportSlices"), blobs.container("import-slices")),
        "snapshots": SnapshotStore(tables.table("SalesSnapshots"), tenant),
        "metrics": MetricsStore(tables.table("SalesMetrics"), tenant, currency),
        "mappings": MappingStore(tables.table("EmployeeMappings"), tenant),
        "held": HeldStore(tables.table("HeldSales"), tenant),
        "staging": tables.table("StagingSalesData"),
        "rejects": tables.table("ImportRejects"),
        "inbox": blobs.container("erp-inbox"),
        "quarantine": blobs.container("erp-quarantine"),
    }
