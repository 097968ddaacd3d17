"""The payroll export (INC-57)."""

from collections.abc import Iterator
from typing import Any

from local.azurite_process import Azurite, free_ports
from local.sandbox.generator import Shape
from local.sandbox.server import Sandbox
from shared.adapters.storage_account import StorageAccount
from shared.provision import provision
from tests.bench.figure import Figure, child, settings_for


def figures() -> Iterator[Figure]:
    """Yield what an export of 10,000 records costs, and what one of 100,000 holds in memory."""
    costs = measure("time", 10_000)
    done = costs["export"]
    per_hundred = 100 * done["transactions"] / done["records"]
    yield Figure("storage transactions per 100 records exported", per_hundred, "<= 5")
    yield Figure("export of 10,000 records, seconds", done["seconds"], "ratio <= 1.5", costs["floor"]["seconds"])
    large = measure("memory", 100_000)
    yield Figure("peak memory above idle, export of 100,000 records, MB", large["peakAboveIdleMegabytes"], "<= 128")


def measure(what: str, records: int) -> dict[str, Any]:
    """Return what an export costs, in a process of its own on a fresh Azurite and a fresh sandbox."""
    with Azurite(free_ports()) as azurite, Sandbox(Shape(records=1), sftp_port=0) as sandbox:
        provision(StorageAccount(azurite.connection_string))
        given = settings_for(azurite, sandbox)
        if what == "time":
            child("tests.bench.payroll", given, "prepare", str(records))
        return child("tests.bench.payroll", given, what, str(records))
