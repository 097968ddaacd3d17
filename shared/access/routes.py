"""Every HTTP route of the hub with what it requires. Authorisation is this table; the endpoints only read it.

A route is added by a row here, and its endpoint in `functions.http_routes`.
"""

from dataclasses import dataclass
from enum import Enum

from shared.access.requirement import (
    ADMIN_READERS,
    ADMINS,
    ANYONE,
    APPROVERS,
    CALCULATION_READERS,
    EMPLOYEE_ADMINS,
    EMPLOYEE_READERS,
    SIGNED,
    Requirement,
)


class Contract(Enum):
    """A contract with an outside system that says what answers look like."""

    HR_WEBHOOK = "hr webhook"
    SCIM = "scim"


@dataclass(frozen=True)
class Route:
    """An HTTP function: its name, method, path below `/api/`, and what callers need."""

    function: str
    method: str
    path: str
    requirement: Requirement
    about: str
    contract: Contract | None = None
    """The answer has the shape of a contract with an outside system, not that of the hub's own envelope."""
    query: tuple[str, ...] = ()
    """The query parameters that there are; of a contract's routes the contract says what is done with others."""
    others: tuple[str, ...] = ()
    """Further methods that the function answers."""

    @property
    def methods(self) -> tuple[str, ...]:
        """Every method that the function answers but OPTIONS; HEAD wherever GET is (RFC 9110, 9.1)."""
        return (self.method, *(["HEAD"] if self.method == "GET" else []), *self.others)

    @property
    def takes_every_path(self) -> bool:
        """Whether it answers what no other function answers."""
        return "{*" in self.path


SCIM_ROOT = "v1/scim/v2"
PAGING = ("pageSize", "pageToken")
_EVERY_OTHER_METHOD = ("POST", "PUT", "PATCH", "DELETE")

ROUTES: tuple[Route, ...] = (
    Route("StartImport", "POST", "v1/admin/imports", ADMINS, "Import the sales of a day"),
    Route(
        "ListImports",
        "GET",
        "v1/admin/imports",
        ADMIN_READERS,
        "The import log, newest first",
        query=("status", "date", *PAGING),
    ),
    Route("GetImport", "GET", "v1/admin/imports/{id}", ADMIN_READERS, "An import: status, counts, control totals"),
    Route("ConfirmImport", "POST", "v1/admin/imports/{id}/confirm", ADMINS, "Let an import count by which stores drop"),
    Route(
        "ListImportRejects",
        "GET",
        "v1/admin/imports/{id}/rejects",
        ADMIN_READERS,
        "What an import refused, and why",
        query=PAGING,
    ),
    Route("MapEmployees", "PUT", "v1/admin/employees/mappings", EMPLOYEE_ADMINS, "Map ERP employee IDs to employees"),
    Route("ReceiveHrEvent", "POST", "v1/webhooks/hr", SIGNED, "Take in an HR event", Contract.HR_WEBHOOK),
    Route("ListEmployees", "GET", "v1/employees", EMPLOYEE_READERS, "Employees by ID", query=PAGING),
    Route("GetEmployee", "GET", "v1/employees/{id}", EMPLOYEE_READERS, "An employee with his assignments"),
    Route("StartEmployeeSync", "POST", "v1/admin/employees/syncs", EMPLOYEE_ADMINS, "Read everybody from HR"),
    Route(
        "ListEmployeeSyncs", "GET", "v1/admin/employees/syncs", ADMIN_READERS, "Full syncs, newest first", query=PAGING
    ),
    Route("GetEmployeeSync", "GET", "v1/admin/employees/syncs/{id}", ADMIN_READERS, "A full sync: status and counts"),
    Route(
        "ListHrEventsForReview",
        "GET",
        "v1/admin/hr-events",
        ADMIN_READERS,
        "HR events of unknown type, kept for review",
        query=PAGING,
    ),
    Route("StartCalculation", "POST", "v1/admin/calculations/runs", ADMINS, "Calculate a period"),
    Route(
        "ListCalculationRuns",
        "GET",
        "v1/admin/calculations/runs",
        ADMIN_READERS,
        "Calculation runs, newest first",
        query=PAGING,
    ),
    Route(
        "GetCalculationRun",
        "GET",
        "v1/admin/calculations/runs/{id}",
        ADMIN_READERS,
        "A calculation run with its counts",
    ),
    Route("PostCalculations", "POST", "v1/calculations", ADMINS, "Store calculations that were made elsewhere"),
    Route(
        "ListCalculations",
        "GET",
        "v1/calculations",
        CALCULATION_READERS,
        "Calculations of a period",
        query=("period", "status", "employeeId", "differing", *PAGING),
    ),
    Route("GetCalculation", "GET", "v1/calculations/{id}", CALCULATION_READERS, "A calculation with its breakdown"),
    Route("SubmitCalculation", "POST", "v1/calculations/{id}/submit", ADMINS, "Submit a calculation for approval"),
    Route("ApproveCalculation", "POST", "v1/calculations/{id}/approve", APPROVERS, "Approve a calculation"),
    Route("RejectCalculation", "POST", "v1/calculations/{id}/reject", APPROVERS, "Reject a calculation"),
    Route("AmendCalculation", "POST", "v1/calculations/{id}/amendments", ADMINS, "Correct an approved calculation"),
    Route("SubmitCalculations", "POST", "v1/calculations/submit", ADMINS, "Submit many for approval"),
    Route("ApproveCalculations", "POST", "v1/calculations/approve", APPROVERS, "Approve many"),
    Route("RejectCalculations", "POST", "v1/calculations/reject", APPROVERS, "Reject many"),
    Route("TriggerExport", "POST", "v1/admin/exports/trigger", ADMINS, "Export a period to payroll"),
    Route(
        "PreviewExport",
        "GET",
        "v1/admin/exports/{period}/preview",
        ADMIN_READERS,
        "What an export of a period would take now",
    ),
    Route("ListExports", "GET", "v1/admin/exports", ADMIN_READERS, "Payroll exports, newest first", query=PAGING),
    Route("GetExport", "GET", "v1/admin/exports/{id}", ADMIN_READERS, "An export: steps, totals, rejected records"),
    Route("GetExportFile", "GET", "v1/admin/exports/{id}/file", ADMIN_READERS, "The archived CSV of an export"),
    Route("ResumeExport", "POST", "v1/admin/exports/{id}/resume", ADMINS, "Let a stopped export go on"),
    Route("TakeInOrder", "POST", "v1/orders", ADMINS, "Bring an order to the sales system"),
    Route("Trace", "GET", "v1/trace/{employeeId}/{period}", CALCULATION_READERS, "Why somebody was paid what he was"),
    Route(
        "ListDeadLetters",
        "GET",
        "v1/admin/dead-letters",
        ADMIN_READERS,
        "Messages that were given up, newest first",
        query=("queue", "status", "reason", "kind", "messageType", "correlationId", "from", "to", *PAGING),
    ),
    Route("GetDeadLetter", "GET", "v1/admin/dead-letters/{id}", ADMIN_READERS, "A dead letter with its message"),
    Route("ResubmitDeadLetter", "POST", "v1/admin/dead-letters/{id}/resubmit", ADMINS, "Send it again, edited or not"),
    Route("DiscardDeadLetter", "POST", "v1/admin/dead-letters/{id}/discard", ADMINS, "Give it up for good"),
    Route("ResubmitDeadLetters", "POST", "v1/admin/dead-letters/resubmit", ADMINS, "Send many again"),
    Route("DiscardDeadLetters", "POST", "v1/admin/dead-letters/discard", ADMINS, "Give many up for good"),
    Route("ListCircuits", "GET", "v1/admin/circuits", ADMIN_READERS, "Circuits of all partners: state, failures"),
    Route("ResetCircuit", "POST", "v1/admin/circuits/{adapterId}/reset", ADMINS, "Close a circuit by hand"),
    Route("StartProvisioningSync", "POST", "v1/admin/provisioning/syncs", ADMINS, "Pull users from Microsoft Graph"),
    Route(
        "ListProvisioningSyncs",
        "GET",
        "v1/admin/provisioning/syncs",
        ADMIN_READERS,
        "Pulls of users, newest first",
        query=PAGING,
    ),
    Route("GetProvisioningSync", "GET", "v1/admin/provisioning/syncs/{id}", ADMIN_READERS, "A pull: status and counts"),
    Route("CreateUser", "POST", "v1/scim/v2/Users", ADMINS, "Provision a user (SCIM)", Contract.SCIM),
    Route("ListUsers", "GET", "v1/scim/v2/Users", ADMIN_READERS, "Provisioned users (SCIM)", Contract.SCIM),
    Route("GetUser", "GET", "v1/scim/v2/Users/{id}", ADMIN_READERS, "A provisioned user (SCIM)", Contract.SCIM),
    Route("ReplaceUser", "PUT", "v1/scim/v2/Users/{id}", ADMINS, "Replace a user (SCIM)", Contract.SCIM),
    Route("PatchUser", "PATCH", "v1/scim/v2/Users/{id}", ADMINS, "Change a user (SCIM)", Contract.SCIM),
    Route("DeleteUser", "DELETE", "v1/scim/v2/Users/{id}", ADMINS, "Remove a user (SCIM)", Contract.SCIM),
    Route("CreateGroup", "POST", "v1/scim/v2/Groups", ADMINS, "Provision a group (SCIM)", Contract.SCIM),
    Route("ListGroups", "GET", "v1/scim/v2/Groups", ADMIN_READERS, "Provisioned groups (SCIM)", Contract.SCIM),
    Route("GetGroup", "GET", "v1/scim/v2/Groups/{id}", ADMIN_READERS, "A provisioned group (SCIM)", Contract.SCIM),
    Route("ReplaceGroup", "PUT", "v1/scim/v2/Groups/{id}", ADMINS, "Replace a group (SCIM)", Contract.SCIM),
    Route("PatchGroup", "PATCH", "v1/scim/v2/Groups/{id}", ADMINS, "Change a group (SCIM)", Contract.SCIM),
    Route("DeleteGroup", "DELETE", "v1/scim/v2/Groups/{id}", ADMINS, "Remove a group (SCIM)", Contract.SCIM),
    Route(
        "GetScimConfiguration",
        "GET",
        "v1/scim/v2/ServiceProviderConfig",
        ADMIN_READERS,
        "What the SCIM server can do",
        Contract.SCIM,
    ),
    Route("ListScimSchemas", "GET", "v1/scim/v2/Schemas", ADMIN_READERS, "Schemas of SCIM", Contract.SCIM),
    Route("GetScimSchema", "GET", "v1/scim/v2/Schemas/{id}", ADMIN_READERS, "A schema of SCIM", Contract.SCIM),
    Route(
        "ListScimResourceTypes",
        "GET",
        "v1/scim/v2/ResourceTypes",
        ADMIN_READERS,
        "Kinds of resources of SCIM",
        Contract.SCIM,
    ),
    Route(
        "GetScimResourceType",
        "GET",
        "v1/scim/v2/ResourceTypes/{id}",
        ADMIN_READERS,
        "A kind of resource of SCIM",
        Contract.SCIM,
    ),
    # The host asks functions in the order of their names: what takes every path must have the last ones, and of these
    # the most general one the very last.
    Route(
        "UnknownHrWebhookPath",
        "GET",
        "v1/webhooks/hr/{*path}",
        ANYONE,
        "Every other address and method of the webhook: 404 or 405",
        Contract.HR_WEBHOOK,
        others=_EVERY_OTHER_METHOD,
    ),
    Route(
        "UnknownScimPath",
        "GET",
        f"{SCIM_ROOT}/{{*path}}",
        ADMIN_READERS,
        "Every other address below (SCIM): 404, 405 or 501",
        Contract.SCIM,
        others=_EVERY_OTHER_METHOD,
    ),
    Route(
        "UnmatchedPath",
        "GET",
        "{*path}",
        ANYONE,
        "Every other address and method: 404 or 405",
        others=_EVERY_OTHER_METHOD,
    ),
    Route("GetHealth", "GET", "v1/health", ANYONE, "All integrations: healthy, degraded, unhealthy"),
    Route("GetLiveness", "GET", "v1/health/liveness", ANYONE, "The process answers"),
    Route("GetReadiness", "GET", "v1/health/readiness", ANYONE, "Storage answers"),
    Route("GetStartup", "GET", "v1/health/startup", ANYONE, "Settings are complete and valid"),
)


def methods_of(path: str) -> tuple[str, ...]:
    """Return every method that a path of the table answers, OPTIONS last."""
    return (*(method for route in ROUTES if route.path == path for method in route.methods), "OPTIONS")


def methods_at(address: str) -> tuple[str, ...]:
    """Return every method that some function has for an address below `/api/`, each once; () where nothing is.

    Functions that take every path do not count.
    """
    segments = address.strip("/").lower().split("/")
    found = (method for route in ROUTES if _leads_to(route, segments) for method in route.methods)
    return tuple(dict.fromkeys(found))


def _leads_to(route: Route, segments: list[str]) -> bool:
    parts = route.path.lower().split("/")
    return len(parts) == len(segments) and all(
        segment if part.startswith("{") and not route.takes_every_path else part == segment
        for part, segment in zip(parts, segments, strict=True)
    )
