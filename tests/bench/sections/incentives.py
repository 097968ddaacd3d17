"""Calculating a period (INC-40)."""

from collections.abc import Iterator
from typing import Any

from local.azurite_process import Azurite, free_ports
from shared.adapters.storage_account import StorageAccount
from shared.provision import provision
from tests.bench.figure import Figure, child

EMPLOYEES = 10_000


def figures() -> Iterator[Figure]:
    """Yield what calculating 10,000 employees costs, without storage and on it, and what 100,000 hold in memory."""
    costs = measure("time", EMPLOYEES)
    period = costs["period"]
    yield Figure("calculation of 10,000 employees without storage, seconds", costs["calculation"]["seconds"], "<= 5")
    for name, run in (("at first", period["first"]), ("nothing changed", period["again"])):
        per_hundred = 100 * run["transactions"] / period["employees"]
        yield Figure(f"storage transactions per 100 employees calculated, {name}", per_hundred, "<= 4")
        yield Figure(f"calculation of 10,000 employees on storage, {name}, seconds", run["seconds"], "")
    large = measure("memory", 100_000)
    for name, run in (("at first", large["first"]), ("all replaced", large["replacing"])):
        megabytes = run["peakAboveIdleMegabytes"]
        yield Figure(f"peak memory above idle, calculation of 100,000, {name}, MB", megabytes, "<= 200")


def measure(what: str, employees: int) -> dict[str, Any]:
    """Return what calculating so many employees costs, in a process of its own on a fresh Azurite."""
    with Azurite(free_ports()) as azurite:
        provision(StorageAccount(azurite.connection_string))
        return child("tests.bench.incentives", {"AzureWebJobsStorage": azurite.connection_string}, what, str(employees))
