"""The calculation of a period, measured: without storage, and on Azurite with its storage transactions counted.

Run as a child process by the bench: settings come as JSON on standard input (`AzureWebJobsStorage` is all that counts),
prints one JSON line.
"""

import json
import sys
import time
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any

from shared.hub import Hub
from shared.incentives.calculate import Assignment, SalesDay, calculate
from shared.incentives.calculate_period import calculate_period, handle_calculation_message
from shared.incentives.calculation_runs import CalculationRun, RunStatus
from shared.incentives.context import CALCULATION_QUEUE
from shared.incentives.plan_file import load_plans
from shared.kernel.keys import join_key
from shared.kernel.pay_period import parse_period
from shared.kernel.table import Insert, Row, Value, write_all
from shared.workforce.facts import Fact
from shared.workforce.person import Person
from tests.bench.imports import PeakMemory, drain
from tests.bench.played_tables import Played, PlayedTables, employees_with_ids, played_calculations, played_employees

ROOT = Path(__file__).resolve().parents[2]
PERIOD = parse_period("2025-01")
_SALES_DAYS = 22


def settings_for(connection_string: str, tenant: str = "default") -> dict[str, str]:
    """Return the settings of a hub on a storage account; no partner is called."""
    settings = {
        "AzureWebJobsStorage": connection_string,
        "HUB_TENANT": tenant,
        "HUB_PAGE_TOKEN_SECRET": "a secret for page tokens",
        "ERP_BUSINESS_TIME_ZONE": "Europe/Berlin",
        "HR_WEBHOOK_SECRET": "a secret of the HR system",
    }
    for partner in ("ERP", "HR"):
        settings |= {
            f"{partner}_BASE_URL": "https://partner.invalid",
            f"{partner}_TOKEN_URL": "https://partner.invalid",
        }
        settings |= {f"{partner}_CLIENT_ID": "hub", f"{partner}_CLIENT_SECRET": "secret"}
    return settings


def sales_of(number: int) -> list[SalesDay]:
    """Return what an employee sold on 22 days of January."""
    draw = Random(f"bench|{number}")
    return [
        SalesDay(
            date(2025, 1, 1 + index), f"S{1 + number % 2:03d}", draw.randrange(1_000, 90_000), draw.randrange(1, 9)
        )
        for index in range(_SALES_DAYS)
    ]


def role_of(number: int) -> str:
    """Return one manager in twenty."""
    return "StoreManager" if number % 20 == 0 else "SalesAssociate"


def without_storage(employees: int) -> dict[str, Any]:
    """Compute what both plans of the project pay so many employees; half of them changed their role in mid-period."""
    plans = load_plans(ROOT / "plans", "EUR").for_period(PERIOD)
    middle = date(2025, 1, 16)
    people = []
    for number in range(employees):
        places = [Assignment("S001", role_of(number), date(2024, 3, 1), None)]
        if number % 2:
            places = [
                Assignment("S001", "SalesAssociate", date(2024, 3, 1), middle - timedelta(days=1)),
                Assignment("S002", "StoreManager", middle, None),
            ]
        people.append((sales_of(number), places))
    began = time.perf_counter()
    calculations = [
        result for sales, places in people for plan in plans if (result := calculate(plan, PERIOD, sales, places))
    ]
    seconds = time.perf_counter() - began
    return {"seconds": seconds, "employees": employees, "calculations": len(calculations)}


def fill(hub: Hub, employees: int) -> None:
    """Write people and their sales as workforce and import leave them."""
    partition = join_key(hub.tenant, PERIOD.name)
    since = hub.clock() - timedelta(days=1000)
    metrics: list[Insert] = []
    for number in range(employees):
        employee_id = f"H-{number:06d}"
        days = {sale.day.isoformat(): {sale.store_id: [sale.amount_minor, sale.units, 3]} for sale in sales_of(number)}
        cells = [cell for stores in days.values() for cell in stores.values()]
        values: dict[str, Value] = {
            "employeeId": employee_id,
            "amountMinor": sum(cell[0] for cell in cells),
            "currency": "EUR",
            "unitsSold": sum(cell[1] for cell in cells),
            "transactions": 3 * len(cells),
            "days": json.dumps(days, separators=(",", ":"), sort_keys=True),
        }
        metrics.append(Insert(join_key("employee", employee_id), values))
    write_all(hub.tables.table("SalesMetrics"), partition, metrics)
    facts = {
        number: {
            name: Fact(since, since, "bench", value)
            for name, value in {"status": "Active", "role": role_of(number), "storeId": "S001"}.items()
        }
        for number in range(employees)
    }
    place = {
        name: Fact(since, since, "bench", value) for name, value in (("storeId", "S001"), ("startDate", "2024-03-01"))
    }

    def learn(person: Person) -> Person:
        own = facts[int(person.employee_id[2:])]
        return person.learn(own, {f"A-{person.employee_id}": {**place, "role": own["role"]}}, hub.clock())

    hub.workforce.employees.change_many([f"H-{number:06d}" for number in range(employees)], learn)


def run_period(hub: Hub) -> dict[str, Any]:
    """Calculate the period once, as the queue's function does; return what it cost."""
    count = hub.storage_account.transactions
    before, began = count.total, time.perf_counter()
    run = CalculationRun(hub.new_id(), PERIOD.name, "bench", hub.clock())
    done = calculate_period(hub.incentives, run, PERIOD)
    if done.status is RunStatus.RUNNING:
        drain(hub, CALCULATION_QUEUE, lambda message: handle_calculation_message(hub.incentives, message))
        done = hub.incentives.runs.get(run.run_id)
    return {
        "seconds": time.perf_counter() - began,
        "transactions": count.total - before,
        "created": done.created,
        "unchanged": done.unchanged,
        "net": done.net_minor,
    }


def measure(given: dict[str, str], employees: int) -> dict[str, Any]:
    """Return what a period of so many employees costs: at first, and once more when nothing has changed."""
    hub = Hub(given)
    fill(hub, employees)
    first = run_period(hub)
    again = run_period(hub)
    return {"employees": employees, "first": first, "again": again}


def memory_of(given: dict[str, str], employees: int) -> dict[str, Any]:
    """Return what calculations of so many employees hold in memory, with the tables that they read played.

    At first nothing stands there, then a calculation of everybody that comes to something else.
    """
    real = Hub(given)
    fill(real, 1)
    run_period(real)
    sold = next(real.tables.table("SalesMetrics").query(join_key(real.tenant, PERIOD.name)))
    (standing,) = real.tables.table("Calculations").query(join_key(real.tenant, PERIOD.name))
    employee = next(real.tables.table("Employees").query(real.tenant))
    ids = employees_with_ids(PERIOD.name, str(standing.values["source"]), employees)
    own: dict[str, dict[str, Value]] = {
        join_key("employee", name): {"employeeId": name} for name in sorted(ids.values())
    }
    result: dict[str, Any] = {}
    for name, keys, net in (("first", {}, 0), ("replacing", ids, 1)):
        changed = Row(standing.partition, standing.key, {**standing.values, "netMinor": net}, standing.etag)
        played = PlayedTables(
            real.tables,
            {
                "SalesMetrics": Played(sold, own),
                "Employees": played_employees(employee, ids.values()),
                "Calculations": played_calculations(changed, PERIOD.name, keys),
            },
        )
        hub = Hub(given, tables=played)
        with PeakMemory() as memory:
            cost = run_period(hub)
        result[name] = {**cost, "peakAboveIdleMegabytes": memory.above_idle, "written": played.written}
    return result


def main() -> None:
    """Measure time and transactions, or memory; what of the two, and the number of employees, may be given."""
    what, employees = sys.argv[1] if len(sys.argv) > 1 else "time", int(sys.argv[2]) if len(sys.argv) > 2 else 10_000
    given = settings_for(json.load(sys.stdin)["AzureWebJobsStorage"])
    if what == "memory":
        print(json.dumps(memory_of(given, employees)))
        return
    print(json.dumps({"calculation": without_storage(employees), "period": measure(given, employees)}))


if __name__ == "__main__":
    main()
