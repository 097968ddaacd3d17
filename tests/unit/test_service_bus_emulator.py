"""The configuration of Microsoft's Service Bus emulator has the queues that the code has."""

import json
from pathlib import Path
from typing import Any

import yaml

from shared.messaging.queue_names import BROKER_DELIVERIES, QUEUES

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "local" / "service-bus-emulator"


def queues() -> list[dict[str, Any]]:
    configuration = json.loads((FOLDER / "Config.json").read_text())
    (namespace,) = configuration["UserConfig"]["Namespaces"]
    assert namespace["Name"] == "sbemulatorns"  # the emulator knows no other
    found: list[dict[str, Any]] = namespace["Queues"]
    return found


def test_the_emulator_has_the_queues_of_the_code() -> None:
    assert sorted(queue["Name"] for queue in queues()) == sorted(QUEUES)


def test_the_emulator_gives_a_message_up_as_often_as_the_code_expects() -> None:
    assert {queue["Properties"]["MaxDeliveryCount"] for queue in queues()} == {BROKER_DELIVERIES}


def test_a_message_that_is_sent_again_is_no_duplicate_and_needs_no_session() -> None:
    for queue in queues():
        assert not queue["Properties"]["RequiresDuplicateDetection"]
        assert not queue["Properties"]["RequiresSession"]


def test_no_message_vanishes_in_the_emulator() -> None:
    """It keeps none for more than an hour: what expires must be found among the dead letters."""
    for queue in queues():
        assert queue["Properties"]["DefaultMessageTimeToLive"] == "PT1H"
        assert queue["Properties"]["DeadLetteringOnMessageExpiration"]


def test_the_emulator_is_given_this_configuration_and_no_neighbour_can_reach_it() -> None:
    services = yaml.safe_load((FOLDER / "compose.yaml").read_text())["services"]
    assert services["emulator"]["volumes"] == ["./Config.json:/ServiceBus_Emulator/ConfigFiles/Config.json:ro"]
    assert all(port.startswith("127.0.0.1:") for one in services.values() for port in one.get("ports", []))
    for one in services.values():
        assert one["environment"]["MSSQL_SA_PASSWORD"].startswith("${MSSQL_SA_PASSWORD:?")
