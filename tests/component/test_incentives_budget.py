"""INC-40: the storage transactions of a period's calculation, counted exactly on the real emulator."""

from local.azurite_process import Azurite
from shared.adapters.storage_account import StorageAccount
from shared.hub import Hub
from shared.provision import provision
from tests.bench.incentives import fill, run_period, settings_for

EMPLOYEES = 1_000


def test_a_period_costs_at_most_four_transactions_per_hundred_employees(azurite: Azurite) -> None:
    """10 write a hundred each, 6 read a page of a thousand each, 3 keep two plan versions, 3 the run, 1 tells."""
    provision(StorageAccount(azurite.connection_string))
    hub = Hub(settings_for(azurite.connection_string, "incentives-budget"))
    fill(hub, EMPLOYEES)
    first = run_period(hub)
    again = run_period(hub)
    assert (first["created"], again["created"], again["unchanged"]) == (EMPLOYEES, 0, EMPLOYEES)
    assert first["net"] == again["net"] > 0
    assert (first["transactions"], again["transactions"]) == (23, 7)
    assert first["transactions"] <= 4 * EMPLOYEES / 100
