"""The pull of users from Microsoft Graph, where it is set."""

from typing import TYPE_CHECKING

from shared.kernel.errors import Conflict, FieldProblem
from shared.provisioning.attributes import USER
from shared.provisioning.context import SyncContext, SyncRules
from shared.provisioning.graph_pages import PARTNER
from shared.provisioning.graph_users import GraphUsers
from shared.provisioning.store import ResourceStore
from shared.provisioning.sync_runs import SyncRunStore

if TYPE_CHECKING:
    from shared.hub import Hub


def build(hub: "Hub") -> SyncContext:
    """Return what the pull works with. Conflict where Graph is not set: this hub pulls no users."""
    given = hub.settings.graph
    if given is None:
        problem = FieldProblem("GRAPH_CLIENT_ID", "is not set")
        raise Conflict("this hub pulls no users: setting GRAPH_CLIENT_ID is not set", (problem,))

    users = hub.tables.table("ScimUsers")
    return SyncContext(
        tenant=hub.tenant,
        rules=SyncRules(given.base_url, given.pages_per_slice, given.max_deactivation_share),
        clock=hub.clock,
        new_id=hub.new_id,
        queues=hub.queues,
        graph=hub.partners.with_oauth(PARTNER, given),
        users=GraphUsers(users, hub.tenant, ResourceStore(users, hub.tenant, USER), hub.clock, hub.new_id),
        runs=SyncRunStore(hub.tables.table("ProvisioningSyncs"), hub.tenant),
    )
