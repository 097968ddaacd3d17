"""Why was I paid this? Every capability's part of the answer, put together.

ERP transaction -> import run -> sales day -> plan and breakdown -> approval -> export -> payroll batch.
"""

from typing import TYPE_CHECKING, Any

from shared.incentives.calculation import Kind, State
from shared.incentives.queries import whole
from shared.kernel.clock import to_iso
from shared.kernel.errors import NotFound
from shared.kernel.money import amount_text
from shared.payroll.notices import summary as export_summary
from shared.sales.outcome import run_summary
from shared.sales.trace import TracedDay, trace_sales

if TYPE_CHECKING:
    from shared.hub import Hub


def trace_pay(hub: "Hub", employee_id: str, period: str) -> dict[str, Any]:
    """Return everything that an employee's pay of a period comes from. NotFound when there is nothing."""
    calculations = hub.incentives.calculations.of_employee(period, employee_id)
    days = trace_sales(hub.sales, employee_id, period)
    if not calculations and not days:
        raise NotFound(f"there are no sales and no calculations of employee {employee_id!r} in {period}")
    exports = {one.export_id for one in calculations if one.export_id}
    versions = sorted({one.plan_version for one in calculations if one.kind is Kind.PLAN})
    return {
        "employeeId": employee_id,
        "period": period,
        "paid": amount_text(sum(one.net_minor for one in calculations if one.state is State.EXPORTED)),
        "toBePaid": amount_text(sum(one.net_minor for one in calculations if one.state is State.APPROVED)),
        "calculations": [whole(one) for one in calculations],
        "plans": [rules for version in versions if (rules := hub.incentives.plan_versions.find(version))],
        "exports": [export_summary(hub.payroll.exports.get(export_id)) for export_id in sorted(exports)],
        "salesTotal": amount_text(sum(one.amount_minor for one in days)),
        "salesDays": [_day(one) for one in days],
        "importRuns": _runs(hub, days),
    }


def _runs(hub: "Hub", days: list[TracedDay]) -> list[dict[str, Any]]:
    found = (hub.sales.runs.find(run_id) for run_id in sorted({one.run_id for one in days if one.run_id}))
    names = ("runId", "date", "source", "status", "requestedAt", "startedBy", "fileName")
    return [{name: run_summary(run, run.status)[name] for name in names} for run in found if run]


def _day(day: TracedDay) -> dict[str, Any]:
    return {
        "date": day.day.isoformat(),
        "storeId": day.store_id,
        "sales": amount_text(day.amount_minor),
        "units": day.units_sold,
        "runId": day.run_id or None,
        "unexplained": amount_text(day.unexplained_minor),
        "transactions": [
            {
                "transactionId": sale.transaction_id,
                "transactionDate": to_iso(sale.instant),
                "erpEmployeeId": sale.employee_id,
                "salesAmount": amount_text(sale.amount_minor),
                "unitsSold": sale.units_sold,
                "productSku": sale.product_sku,
            }
            for sale in day.transactions
        ],
    }
