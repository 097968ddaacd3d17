"""INC-57: a payroll export's storage transactions, counted exactly on the real emulator."""

from local.azurite_process import Azurite
from local.sandbox.generator import Shape
from local.sandbox.server import Sandbox
from shared.adapters.storage_account import StorageAccount
from shared.hub import Hub
from shared.provision import provision
from tests.bench.payroll import PERIOD, prepare, run_export
from tests.component.import_hub import environment

RECORDS = 2_000
PER_HUNDRED = 1.5
"""One marks a hundred calculations, the rest reads a thousand calculations, twice, and a thousand people."""
FOR_EACH_EXPORT = 46
"""Start, lease, seven steps and the rename to come on the export's row, archive, answer, audit, messages:
whatever the number of records."""


def test_an_export_costs_what_it_must(azurite: Azurite) -> None:
    with Sandbox(Shape(records=1), sftp_port=0) as sandbox:
        provision(StorageAccount(azurite.connection_string))
        settings = environment(sandbox, HUB_TENANT="exportbudget", AzureWebJobsStorage=azurite.connection_string)
        hub = Hub(settings | {"PAYROLL_CALL_TIMEOUT": "30"})
        prepare(hub, RECORDS, PERIOD)
        cost = run_export(hub, PERIOD)
    assert (cost["status"], cost["accepted"]) == ("Completed", RECORDS)
    assert cost["transactions"] <= FOR_EACH_EXPORT + PER_HUNDRED * RECORDS / 100
    assert cost["transactions"] <= 5 * RECORDS / 100
