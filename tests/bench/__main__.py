"""`make bench`: every figure with its floor and their ratio, to build/bench.json."""

import argparse
import json
import statistics
import subprocess
import sys
import time
from datetime import date
from pathlib import Path
from typing import Any

from local.azurite_process import Azurite, free_ports
from local.sandbox.faults import Fault
from local.sandbox.generator import Shape
from local.sandbox.server import Sandbox
from shared.adapters.storage_account import StorageAccount
from shared.provision import provision

ROOT = Path(__file__).resolve().parents[2]
DAY = date(2025, 1, 15)


def settings_for(azurite: Azurite, sandbox: Sandbox) -> dict[str, str]:
    """Return the settings of a hub around the given parts."""
    return {
        "AzureWebJobsStorage": azurite.connection_string,
        "HUB_PAGE_TOKEN_SECRET": "a secret for page tokens",
        "ERP_BASE_URL": f"{sandbox.url}/erp",
        "ERP_TOKEN_URL": f"{sandbox.url}/identity/oauth2/v2.0/token",
        "ERP_CLIENT_ID": "hub-erp",
        "ERP_CLIENT_SECRET": "erp-secret",
        "ERP_BUSINESS_TIME_ZONE": "Europe/Berlin",
        "ERP_KNOWN_STORES": "S001,S002",
        "AUTH_ISSUER": "https://identity.invalid",
        "AUTH_JWKS_URL": "https://identity.invalid/keys",
    }


def measure(records: int) -> dict[str, Any]:
    """Return what an import of so many sales costs, in a process of its own on a fresh Azurite."""
    with Azurite(free_ports()) as azurite, Sandbox(Shape(records=records)) as sandbox:
        provision(StorageAccount(azurite.connection_string))
        sandbox.erp.day(DAY)
        child = subprocess.run(
            [sys.executable, "-m", "tests.bench.imports"],
            input=json.dumps(settings_for(azurite, sandbox)),
            capture_output=True,
            text=True,
            cwd=ROOT,
            check=False,
        )
        if child.returncode:
            raise SystemExit(child.stderr)
        result: dict[str, Any] = json.loads(child.stdout)
        return result


def import_time() -> float:
    """Return the median of ten warm imports of the function app, in milliseconds, without the interpreter's own."""
    code = "import time; t = time.perf_counter(); import function_app; print(time.perf_counter() - t)"
    runs = [
        float(subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True).stdout)
        for _ in range(11)
    ]
    return statistics.median(runs[1:]) * 1000


def repeated_page() -> bool:
    """Tell whether a page that comes twice leaves rows and totals as they should be."""
    from tests.component.import_hub import ImportHub

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


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="without the import of 100,000 sales")
    given = parser.parse_args()
    began = time.perf_counter()
    small = measure(10_000)
    figures = [
        _figure(
            "import of 10,000 sales, seconds", small["import"]["seconds"], small["floor"]["seconds"], "ratio <= 1.5"
        ),
        _figure(
            "storage transactions per 100 records",
            100 * small["import"]["transactions"] / small["import"]["records"],
            1.0,
            "<= 1.5",
        ),
        _figure("import function_app, milliseconds", import_time(), None, "<= 300"),
        _figure("a run that runs twice changes totals", float(not small["totalsUnchanged"]), None, "0"),
        _figure("a page that comes twice changes rows or totals", float(not repeated_page()), None, "0"),
        _figure("peak memory above idle at 10,000, MB", small["peakAboveIdleMegabytes"], None, "<= 64"),
    ]
    if not given.quick:
        large = measure(100_000)
        per_record = [one["import"]["seconds"] / one["import"]["records"] * 1e6 for one in (small, large)]
        figures += [
            _figure("time per record at 100,000, microseconds", per_record[1], per_record[0], "ratio <= 1.2"),
            _figure("import of 100,000 sales, seconds", large["import"]["seconds"], large["floor"]["seconds"], ""),
            _figure("peak memory above idle at 100,000, MB", large["peakAboveIdleMegabytes"], None, "<= 64"),
            _figure(
                "storage transactions per 100 records at 100,000",
                100 * large["import"]["transactions"] / large["import"]["records"],
                1.0,
                "<= 1.5",
            ),
        ]
    target = ROOT / "build" / "bench.json"
    target.parent.mkdir(exist_ok=True)
    report = {"python": sys.version.split()[0], "seconds": round(time.perf_counter() - began, 1), "figures": figures}
    target.write_text(json.dumps(report, indent=2) + "\n")
    for one in figures:
        floor, ratio = one["floor"] or "-", one["ratio"] or "-"
        print(f"{one['figure']:<52} {one['value']:>10} floor {floor:>8} ratio {ratio:>6}  {one['wanted']}")
    return 0


def _figure(name: str, value: float, floor: float | None, wanted: str) -> dict[str, Any]:
    return {
        "figure": name,
        "value": round(value, 3),
        "floor": round(floor, 3) if floor is not None else None,
        "ratio": round(value / floor, 2) if floor else None,
        "wanted": wanted,
    }


if __name__ == "__main__":
    sys.exit(main())
