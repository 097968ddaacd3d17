"""INC-21, INC-24: what events and full syncs cost, storage transactions counted exactly on the real emulator."""

from local.azurite_process import Azurite
from local.sandbox.generator import Shape
from local.sandbox.server import Sandbox
from shared.hub import Hub
from tests.bench.workforce import receiver_cost, sync_cost
from tests.component.import_hub import environment

PEOPLE = 1000


def test_an_event_costs_two_transactions_and_a_repeat_one(azurite: Azurite) -> None:
    with Sandbox(Shape(records=1)) as sandbox:
        settings = environment(sandbox, HUB_TENANT="eventbudget", AzureWebJobsStorage=azurite.connection_string)
        assert receiver_cost(Hub(settings), events=10) == {"accepted": 2, "duplicate": 1}


def test_a_full_sync_that_finds_nothing_new_costs_at_most_three_transactions_per_hundred(azurite: Azurite) -> None:
    with Sandbox(Shape(records=1, employees=PEOPLE)) as sandbox:
        settings = environment(sandbox, HUB_TENANT="syncbudget", AzureWebJobsStorage=azurite.connection_string)
        hub = Hub(settings)
        first, again = sync_cost(hub), sync_cost(hub)
    assert (first["status"], first["people"]) == ("Succeeded", PEOPLE)
    assert (again["status"], again["unchanged"]) == ("Succeeded", PEOPLE)
    assert again["transactions"] <= 3 * PEOPLE / 100
