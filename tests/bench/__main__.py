"""`make bench`: every figure with its floor and their ratio, to build/bench.json.

`python -m tests.bench sales workforce` measures some sections and leaves the others in the file as they are.
"""

import argparse
import json
import sys
import time
from importlib import import_module
from typing import Any

from tests.bench.figure import ROOT

SECTIONS = ("loading", "sales", "workforce", "incentives", "payroll", "messaging", "telemetry")
TARGET = ROOT / "build" / "bench.json"


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=", ".join(SECTIONS))
    chosen = parser.parse_args().sections or SECTIONS
    if unknown := set(chosen) - set(SECTIONS):
        parser.error(f"there is no section {', '.join(sorted(unknown))}: choose from {', '.join(SECTIONS)}")
    report: dict[str, Any] = json.loads(TARGET.read_text()) if TARGET.exists() else {}
    for name in chosen:
        began = time.perf_counter()
        shown = []
        for figure in import_module(f"tests.bench.sections.{name}").figures():
            print(figure, flush=True)
            shown.append(figure.as_json())
        report[name] = {
            "python": sys.version.split()[0],
            "seconds": round(time.perf_counter() - began, 1),
            "figures": shown,
        }
        TARGET.parent.mkdir(exist_ok=True)
        TARGET.write_text(json.dumps(report, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
