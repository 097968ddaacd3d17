"""What the pull from Microsoft Graph works with: ports, stores, rules."""

from dataclasses import dataclass
from decimal import Decimal

from shared.kernel.clock import Clock
from shared.kernel.identifiers import NewId
from shared.kernel.message import Queues
from shared.provisioning.graph_pages import GraphClient
from shared.provisioning.graph_users import GraphUsers
from shared.provisioning.sync_runs import SyncRunStore

SYNC_QUEUE = "provisioning-syncs"
NOTIFICATION_QUEUE = "notifications"


@dataclass(frozen=True)
class SyncRules:
    """How users are pulled; see the settings of the same names."""

    base_url: str
    pages_per_slice: int
    max_deactivation_share: Decimal


@dataclass(frozen=True)
class SyncContext:
    """Everything that the pull needs from outside, for one tenant."""

    tenant: str
    rules: SyncRules
    clock: Clock
    new_id: NewId
    queues: Queues
    graph: GraphClient
    users: GraphUsers
    runs: SyncRunStore
