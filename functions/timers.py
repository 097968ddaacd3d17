"""The timer functions: every timer of the table, with what it does.

Each due time's work is done once, however many instances fire, and leaves a heartbeat. What a timer needs loads when
it first runs: whatever is imported here is paid for at each cold start.
"""

from collections.abc import Callable
from importlib import import_module

import azure.functions as func

from functions.invocation import invoked
from shared.health.timers import TIMERS
from shared.kernel.timer import Timer

blueprint = func.Blueprint()

WORK = {
    "ImportErpSalesData": "import_erp_sales_data",
    "WatchImports": "watch_imports",
    "SyncEmployees": "sync_employees",
    "ResumeHrEvents": "resume_hr_events",
    "ExportPayroll": "export_payroll",
    "SyncUsers": "sync_users",
    "MeasureHub": "measure_hub",
}
"""Function name -> function in `functions.scheduled`."""


def _handler(entry: Timer) -> Callable[[func.TimerRequest, func.Context], None]:
    def handle(timer: func.TimerRequest, context: func.Context) -> None:
        scheduled = import_module("functions.scheduled")
        given = str((getattr(timer, "schedule", None) or {}).get("Input", ""))
        with invoked(context):
            scheduled.run(entry, getattr(scheduled, WORK[entry.name]), given)

    return handle


for _entry in TIMERS:
    blueprint.function_name(name=_entry.name)(
        blueprint.timer_trigger(arg_name="timer", schedule=_entry.schedule, run_on_startup=False)(_handler(_entry))
    )
