"""What telemetry costs an import (RES-08, RES-09)."""

import statistics
from collections.abc import Iterator

from local.azurite_process import Azurite, free_ports
from local.sandbox.generator import Shape
from local.sandbox.server import Sandbox
from shared.adapters.storage_account import StorageAccount
from shared.provision import provision
from tests.bench.figure import Figure, child, settings_for


def figures() -> Iterator[Figure]:
    """Yield the time of an import with the console exporter to nowhere, against the same without telemetry."""
    with Azurite(free_ports()) as azurite, Sandbox(Shape(records=10_000)) as sandbox:
        provision(StorageAccount(azurite.connection_string))
        seconds = child("tests.bench.telemetry", settings_for(azurite, sandbox))
    off, on = (statistics.median(seconds[name]) for name in ("off", "on"))
    yield Figure("import of 10,000 sales with telemetry, seconds", on, "ratio <= 1.1", off)
