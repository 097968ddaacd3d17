"""Import of sales (INC-08)."""

from collections.abc import Iterator
from datetime import date
from typing import Any

from local.azurite_process import Azurite, free_ports
from local.sandbox.faults import Fault
from local.sandbox.generator import Shape
from local.sandbox.server import Sandbox
from shared.adapters.storage_account import StorageAccount
from shared.provision import provision
from tests.bench.figure import Figure, child, settings_for
from tests.component.import_hub import ImportHub

DAY = date(2025, 1, 15)
STORES = 100


def figures() -> Iterator[Figure]:
    """Yield the figures of 10,000 sales, then those of 100,000."""
    small = measure(10_000)
    done = small["import"]
    yield Figure("import of 10,000 sales, seconds", done["seconds"], "ratio <= 1.5", small["floor"]["seconds"])
    yield Figure("storage transactions per 100 sales", 100 * done["transactions"] / done["records"], "<= 1.5", 1.0)
    yield Figure("a run that runs twice changes totals", float(not small["totalsUnchanged"]), "0")
    yield Figure("a page that comes twice changes rows or totals", float(not repeated_page()), "0")
    yield Figure("peak memory above idle at 10,000 sales, MB", small["peakAboveIdleMegabytes"], "<= 64")
    large = measure(100_000)
    per_record = [one["import"]["seconds"] / one["import"]["records"] * 1e6 for one in (small, large)]
    yield Figure("time per sale at 100,000, microseconds", per_record[1], "ratio <= 1.2", per_record[0])
    done = large["import"]
    yield Figure("import of 100,000 sales, seconds", done["seconds"], "", large["floor"]["seconds"])
    yield Figure("peak memory above idle at 100,000 sales, MB", large["peakAboveIdleMegabytes"], "<= 64")
    transactions = 100 * done["transactions"] / done["records"]
    yield Figure("storage transactions per 100 sales at 100,000", transactions, "<= 1.5", 1.0)
    yield from figures_of_store_files()


def figures_of_store_files() -> Iterator[Figure]:
    """Yield what a file of a store costs among three times as many, eight workers at once."""
    few, many = store_files(STORES), store_files(3 * STORES)

    def of_a_file(what: str) -> tuple[float, float]:
        return many[what] / many["files"], few[what] / few["files"]

    names = f"{3 * STORES} store files of one day", f"(floor: of {STORES})"
    for what, shown in (
        ("seconds", "seconds a file"),
        ("processorSeconds", "processor seconds a file"),
        ("transactions", "storage transactions a file"),
    ):
        value, floor = of_a_file(what)
        yield Figure(f"{names[0]}, {shown} {names[1]}", value, "ratio <= 1.3", floor)
    for one in (few, many):
        yield Figure(
            f"{one['files']} store files of one day, times the day was claimed",
            one["claims"],
            f"<= {one['files'] // 5}",
        )


def measure(records: int) -> dict[str, Any]:
    """Return what an import of so many sales costs, in a process of its own on a fresh Azurite."""
    with Azurite(free_ports()) as azurite, Sandbox(Shape(records=records)) as sandbox:
        provision(StorageAccount(azurite.connection_string))
        sandbox.erp.day(DAY)
        return child("tests.bench.imports", settings_for(azurite, sandbox))


def repeated_page() -> bool:
    """Tell whether a page that comes twice leaves rows and totals as they should be."""
    outcomes = []
    for faults in (
        [],
        [Fault("erp.sales", "repeated-page", page=3), Fault("erp.sales", "repeated-page-renumbered", page=5)],
    ):
        with Sandbox(Shape(records=2000)) as sandbox:
            hub = ImportHub(sandbox, ERP_PAGE_SIZE="200")
            sandbox.faults.add(faults)
            run = hub.run(DAY)
            outcomes.append((run.staged, run.published_amount_minor, hub.metrics()))
    return outcomes[0] == outcomes[1]


def store_files(files: int) -> dict[str, Any]:
    """Return what the files of so many stores cost, in a process of its own on a fresh Azurite."""
    with Azurite(free_ports()) as azurite, Sandbox(Shape(records=1)) as sandbox:
        provision(StorageAccount(azurite.connection_string))
        return child("tests.bench.store_files", settings_for(azurite, sandbox, ERP_KNOWN_STORES=""), str(files))
