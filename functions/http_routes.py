"""The HTTP functions: every route of the table, with the endpoint that answers it.

Endpoints load when first called: whatever is imported here is paid for at each cold start.
"""

from collections.abc import Callable
from importlib import import_module

import azure.functions as func

from functions.invocation import invoked
from shared.access.routes import ROUTES, Route

blueprint = func.Blueprint()

ENDPOINTS = {
    "StartImport": "imports.start",
    "ListImports": "imports.list_all",
    "GetImport": "imports.show",
    "ConfirmImport": "imports.confirm",
    "ListImportRejects": "imports.list_what_was_rejected",
    "MapEmployees": "imports.put_mappings",
    "ReceiveHrEvent": "hr_webhook.receive",
    "ListEmployees": "employees.list_all",
    "GetEmployee": "employees.show",
    "StartEmployeeSync": "employees.start_sync",
    "ListEmployeeSyncs": "employees.list_syncs",
    "GetEmployeeSync": "employees.show_sync",
    "ListHrEventsForReview": "employees.list_for_review",
    "StartCalculation": "calculations.start_run",
    "ListCalculationRuns": "calculations.list_runs",
    "GetCalculationRun": "calculations.show_run",
    "PostCalculations": "calculations.post",
    "ListCalculations": "calculations.list_all",
    "GetCalculation": "calculations.show",
    "SubmitCalculation": "decisions.submit",
    "ApproveCalculation": "decisions.approve",
    "RejectCalculation": "decisions.reject",
    "AmendCalculation": "calculations.amend",
    "SubmitCalculations": "decisions.submit_many",
    "ApproveCalculations": "decisions.approve_many",
    "RejectCalculations": "decisions.reject_many",
    "TriggerExport": "exports.trigger",
    "PreviewExport": "exports.preview",
    "ListExports": "exports.list_all",
    "GetExport": "exports.show",
    "GetExportFile": "exports.file",
    "ResumeExport": "exports.resume",
    "TakeInOrder": "orders.take_in",
    "Trace": "trace.show",
    "ListDeadLetters": "dead_letters.list_all",
    "GetDeadLetter": "dead_letters.show",
    "ResubmitDeadLetter": "dead_letters.resubmit",
    "DiscardDeadLetter": "dead_letters.discard",
    "ResubmitDeadLetters": "dead_letters.resubmit_many",
    "DiscardDeadLetters": "dead_letters.discard_many",
    "ListCircuits": "circuits.list_all",
    "ResetCircuit": "circuits.reset",
    "StartProvisioningSync": "provisioning.start_sync",
    "ListProvisioningSyncs": "provisioning.list_syncs",
    "GetProvisioningSync": "provisioning.show_sync",
    "CreateUser": "scim.create",
    "ListUsers": "scim.list_all",
    "GetUser": "scim.show",
    "ReplaceUser": "scim.put",
    "PatchUser": "scim.patch",
    "DeleteUser": "scim.delete",
    "CreateGroup": "scim.create",
    "ListGroups": "scim.list_all",
    "GetGroup": "scim.show",
    "ReplaceGroup": "scim.put",
    "PatchGroup": "scim.patch",
    "DeleteGroup": "scim.delete",
    "GetScimConfiguration": "scim.configuration",
    "ListScimSchemas": "scim.discover",
    "GetScimSchema": "scim.discover",
    "ListScimResourceTypes": "scim.discover",
    "GetScimResourceType": "scim.discover",
    "UnknownHrWebhookPath": "unmatched.decline",
    "UnknownScimPath": "scim.decline",
    "UnmatchedPath": "unmatched.decline",
    "GetHealth": "health.show",
    "GetReadiness": "health.readiness",
    "GetLiveness": "health.liveness",
    "GetStartup": "health.startup",
}
"""Function name -> module and function in `functions.endpoints`."""


def _handler(route: Route) -> Callable[[func.HttpRequest, func.Context], func.HttpResponse]:
    def handle(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
        module, name = ENDPOINTS[route.function].split(".")
        endpoint = getattr(import_module(f"functions.endpoints.{module}"), name)
        with invoked(context):
            if route.contract:
                from functions.partner_contract import respond_to_partner

                return respond_to_partner(route, endpoint, req)
            from functions.answering import respond

            return respond(route, endpoint, req)

    return handle


for _route in ROUTES:
    blueprint.function_name(name=_route.function)(
        blueprint.route(route=_route.path, methods=[*_route.methods, "OPTIONS"], auth_level=func.AuthLevel.ANONYMOUS)(
            _handler(_route)
        )
    )
