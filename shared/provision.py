"""The tables, containers and storage queues of the hub. In Azure the templates create them; on a laptop this does.

Everything is created when first written to as well; creating it beforehand saves the failed first tries.
"""

from contextlib import suppress

from shared.adapters.storage_account import StorageAccount
from shared.messaging import queue_names

TABLES = (
    "ImportRuns",
    "ImportSlices",
    "StagingSalesData",
    "ImportRejects",
    "SalesSnapshots",
    "SalesMetrics",
    "EmployeeMappings",
    "HeldSales",
    "Employees",
    "Calculations",
    "Exports",
    "AuditTrail",
    "CalculationRuns",
    "PlanVersions",
    "UntoldDecisions",
    "HrDeliveries",
    "HrSyncRuns",
    "ScimUsers",
    "ScimGroups",
    "ProvisioningSyncs",
    "MailLog",
    "DeadLetters",
    "Heartbeats",
    "Idempotency",
    "Locks",
    "CircuitBreakers",
    "RateLimits",
)
CONTAINERS = (
    "erp-inbox",
    "erp-quarantine",
    "import-slices",
    "hr-events",
    "hr-sync",
    "calculations-inbox",
    "exports",
    "calculations-quarantine",
    "dead-letters",
    "message-payloads",
)
QUEUES = (
    *queue_names.QUEUES,
    *map(queue_names.poison_queue_of, queue_names.QUEUES),
    "webjobs-blobtrigger-poison",
)


def provision(account: StorageAccount) -> None:
    """Create what is missing. Idempotent."""
    from azure.core.exceptions import ResourceExistsError

    for table in TABLES:
        account.tables.create_table_if_not_exists(table)
    for container in CONTAINERS:
        with suppress(ResourceExistsError):
            account.blobs.create_container(container)
    for queue in QUEUES:
        with suppress(ResourceExistsError):
            account.queues.create_queue(queue)
