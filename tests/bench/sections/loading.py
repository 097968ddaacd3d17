"""What loading the app costs at a cold start."""

import os
import statistics
import subprocess
import sys
from collections.abc import Iterator

from tests.bench.figure import ROOT, Figure


def figures() -> Iterator[Figure]:
    """Yield the time that loading takes."""
    yield Figure("import function_app, milliseconds", import_time(), "<= 300")


def import_time(**settings: str) -> float:
    """Return the median of ten warm imports of the function app, in milliseconds, without the interpreter's own."""
    code = "import time; t = time.perf_counter(); import function_app; print(time.perf_counter() - t)"
    command, given = [sys.executable, "-c", code], {**os.environ, **settings}
    runs = [
        float(subprocess.run(command, cwd=ROOT, env=given, capture_output=True, check=True).stdout) for _ in range(11)
    ]
    return statistics.median(runs[1:]) * 1000
