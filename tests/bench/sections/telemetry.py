"""What telemetry costs (RES-08)."""

import statistics
from collections.abc import Iterator

from local.azurite_process import Azurite, free_ports
from local.sandbox.generator import Shape
from local.sandbox.server import Sandbox
from shared.adapters.storage_account import StorageAccount
from shared.provision import provision
from tests.bench.figure import Figure, child, settings_for
from tests.bench.telemetry import DAY


def figures() -> Iterator[Figure]:
    """Yield an import with the console exporter to nowhere against one without telemetry."""
    with Azurite(free_ports()) as azurite, Sandbox(Shape(records=10_000)) as sandbox:
        provision(StorageAccount(azurite.connection_string))
        sandbox.erp.day(DAY)
        took = child("tests.bench.telemetry", settings_for(azurite, sandbox))
    with_it, without = statistics.median(took["on"]), statistics.median(took["off"])
    yield Figure("import of 10,000 sales with telemetry, seconds", with_it, "ratio <= 1.1", without)
