"""The one setting that chooses what carries messages."""

import pytest

from shared.kernel.transport import Transport, chosen_transport


@pytest.mark.parametrize(
    ("environment", "transport"),
    [
        ({}, Transport.STORAGE),
        ({"HUB_QUEUES": ""}, Transport.STORAGE),
        ({"HUB_QUEUES": "storage"}, Transport.STORAGE),
        ({"HUB_QUEUES": "servicebus"}, Transport.SERVICE_BUS),
        ({"HUB_QUEUES": "rabbits"}, Transport.STORAGE),
        ({"HUB_QUEUES": "ServiceBus"}, Transport.STORAGE),
    ],
    ids=["nothing", "empty", "storage", "servicebus", "unknown", "another case"],
)
def test_storage_queues_carry_messages_unless_service_bus_is_chosen(
    environment: dict[str, str], transport: Transport
) -> None:
    assert chosen_transport(environment) is transport
