"""The queues of the hub. Everything that is done for each queue reads them here.

For each there is a second one, where the broker puts a message whose function crashed again and again: on storage
queues a queue of its own, on Service Bus a part of the queue.
"""

IMPORT_SLICES = "import-slices"
NOTIFICATIONS = "notifications"
HR_EVENTS = "hr-events"
CALCULATION_REQUESTS = "calculation-requests"
PAYROLL_EXPORTS = "payroll-exports"
PROVISIONING_SYNCS = "provisioning-syncs"

QUEUES = (IMPORT_SLICES, NOTIFICATIONS, HR_EVENTS, CALCULATION_REQUESTS, PAYROLL_EXPORTS, PROVISIONING_SYNCS)

BROKER_DELIVERIES = 5
"""How often the broker delivers a message before it gives it up.

`maxDequeueCount` in host.json for storage queues, `maxDeliveryCount` of each Service Bus queue.
"""


def poison_queue_of(queue: str) -> str:
    """Return the name that storage queues give to a queue's poison queue."""
    return f"{queue}-poison"


def dead_letter_queue_of(queue: str) -> str:
    """Return the path that Service Bus gives to what it gave up of a queue."""
    return f"{queue}/$deadletterqueue"
