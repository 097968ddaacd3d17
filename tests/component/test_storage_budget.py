"""INC-08: an import's storage transactions, counted exactly on the real emulator."""

from datetime import date

from local.azurite_process import Azurite
from local.sandbox.generator import Shape, employees_of
from local.sandbox.server import Sandbox
from shared.adapters.storage_account import StorageAccount
from shared.hub import Hub
from shared.provision import provision
from shared.sales.employees import map_employees
from tests.bench.imports import run_import
from tests.component.import_hub import environment

RECORDS = 10_000


def test_an_import_costs_at_most_one_and_a_half_transactions_per_hundred_records(azurite: Azurite) -> None:
    with Sandbox(Shape(records=RECORDS)) as sandbox:
        settings = environment(sandbox, HUB_TENANT="budget", ERP_CALL_TIMEOUT="30")
        hub = Hub(settings | {"AzureWebJobsStorage": azurite.connection_string})
        provision(StorageAccount(azurite.connection_string))
        map_employees(hub.sales, {one["erpEmployeeId"]: one["employeeId"] for one in employees_of(sandbox.shape)})
        cost = run_import(hub, date(2025, 1, 15))
        again = run_import(hub, date(2025, 1, 15))
    assert (cost["records"], cost["status"]) == (RECORDS, "PartialSuccess")
    assert cost["transactions"] <= 1.5 * RECORDS / 100
    assert again["transactions"] <= 1.5 * RECORDS / 100
    assert again["published"] == cost["published"]
