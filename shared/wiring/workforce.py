"""The workforce's context."""

from collections.abc import Collection
from typing import TYPE_CHECKING

from shared.sales.employees import learn_owners
from shared.sales.mappings import Claims
from shared.sales.owners import Claim
from shared.wiring.past_periods import calculate_past_periods_again
from shared.workforce.context import WorkforceContext, WorkforceRules
from shared.workforce.deliveries import DeliveryStore
from shared.workforce.employees import EmployeeStore
from shared.workforce.erp_ids import ErpIdClaim
from shared.workforce.sync_runs import SyncRunStore

if TYPE_CHECKING:
    from shared.hub import Hub


def build(hub: "Hub") -> WorkforceContext:
    """Return what the workforce works with. A person who becomes known takes along the sales that were held for him."""
    given, tables, tenant = hub.settings.hr, hub.tables, hub.tenant
    rules = WorkforceRules(
        time_zone=hub.settings.imports.time_zone,
        page_size=given.page_size,
        pages_per_slice=given.pages_per_slice,
        max_termination_share=given.max_termination_share,
    )
    return WorkforceContext(
        tenant=tenant,
        rules=rules,
        clock=hub.clock,
        new_id=hub.new_id,
        queues=hub.queues,
        hr=lambda: hub.hr,
        webhook_secret=given.webhook_secret,
        employees=EmployeeStore(tables.table("Employees"), tenant),
        deliveries=DeliveryStore(tables.table("HrDeliveries"), hub.blobs.container("hr-events"), tenant),
        sync_runs=SyncRunStore(tables.table("HrSyncRuns"), tenant),
        seen=hub.blobs.container("hr-sync"),
        became_known=lambda told: learn_owners(hub.sales, claims_by_erp_id(told)),
        changed=lambda people: calculate_past_periods_again(hub, people),
    )


def claims_by_erp_id(told: Collection[ErpIdClaim]) -> Claims:
    """Return what the workforce tells of ERP IDs as the sales take it in."""
    claims: dict[str, list[Claim]] = {}
    for one in told:
        claim = Claim(one.since, one.stated, one.source, one.employee_id, one.holds, one.revision, one.vacates)
        claims.setdefault(one.erp_id, []).append(claim)
    return claims
