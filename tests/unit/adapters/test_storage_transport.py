"""How long a request to storage is waited for, and which one is sent once more."""

import json
import socket
from pathlib import Path
from time import monotonic

import pytest

from local.host.configuration import duration
from shared.adapters.storage_account import Patience, StorageAccount
from shared.adapters.table_requests import TableRequests
from tests.unit.adapters.loopback import Loopback, answer, reset

ROOT = Path(__file__).resolve().parents[3]
SHORT = Patience(retries=0, unanswered_retries=0, connect=1, read=0.2)
LONG = 30.0
"""Seconds that nothing here takes, unless a timeout of the SDK's own holds."""


def account_at(url: str, patience: Patience) -> StorageAccount:
    endpoints = ";".join(f"{service}Endpoint={url}/acct" for service in ("Blob", "Queue", "Table"))
    place = f"DefaultEndpointsProtocol=http;AccountName=acct;AccountKey=a2V5;{endpoints}"
    return StorageAccount(place, patience=patience)


@pytest.mark.parametrize("service", ["tables", "blobs", "queues"])
def test_a_service_that_takes_a_request_and_says_nothing_is_left_in_time(service: str) -> None:
    from azure.core.exceptions import AzureError

    def say_nothing(connection: socket.socket) -> None:
        partner.stopping.wait(LONG)

    with Loopback(say_nothing) as partner:
        client = getattr(account_at(partner.url, SHORT), service)
        began = monotonic()
        with pytest.raises(AzureError, match="timed out"):
            client.get_service_properties()
        assert monotonic() - began < LONG
        partner.stopping.set()


def test_three_silent_operations_in_a_row_end_before_the_function_is_ended_from_outside() -> None:
    """The work, what it lets go of on its way out, and the message that puts it off."""
    given = Patience()
    unanswered = (given.unanswered_retries + 1) * (given.connect + given.read)
    unreachable = given.retries * given.connect
    pauses = 30.0  # more than 0 + 1.6 + 3.2 + 6.4 s between tries of tables; 1 + 3 + 5 + 9 s of blobs and queues
    limit = duration(json.loads((ROOT / "host.json").read_text())["functionTimeout"])
    assert 3 * (max(unanswered, unreachable) + pauses) < limit


def test_a_request_on_a_connection_that_was_closed_meanwhile_is_sent_once_more() -> None:
    """Also a POST, which the SDK does not repeat."""
    row = answer(201, b"{}", headers={"ETag": 'W/"1"'})
    with Loopback(reset, row) as partner:
        account = account_at(partner.url, SHORT)
        assert TableRequests(account).send("POST", "Sales", content=b"{}").status == 201
        assert len(partner.requests) == 2
        assert account.transactions.snapshot() == {"tables.insert": 2}
