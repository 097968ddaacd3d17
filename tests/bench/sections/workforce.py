"""People: the HR webhook and the full sync (INC-20 to INC-24)."""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count

import requests

from local.azurite_process import Azurite, free_ports
from local.sandbox.generator import Shape
from local.sandbox.server import Sandbox
from shared.adapters.storage_account import StorageAccount
from shared.provision import provision
from tests.bench.figure import ROOT, Figure, child, settings_for
from tests.bench.workforce import delivery

AT_ONCE = 50
ROUNDS = 6


def figures() -> Iterator[Figure]:
    """Yield what events and full syncs cost."""
    with Azurite(free_ports()) as azurite, Sandbox(Shape(records=1, employees=10_000)) as sandbox:
        provision(StorageAccount(azurite.connection_string))
        given = settings_for(azurite, sandbox)
        costs = child("tests.bench.workforce", given)
        yield Figure("storage transactions per accepted HR event", costs["receiver"]["accepted"], "<= 2")
        yield Figure("storage transactions per repeated HR event", costs["receiver"]["duplicate"], "<= 1")
        same = costs["syncUnchanged"]
        per_hundred = 100 * same["transactions"] / same["people"]
        yield Figure(f"storage transactions per 100 people, {same['unchanged']} unchanged", per_hundred, "<= 3")
        yield Figure("full sync of 10,000 people, nothing changed, seconds", same["seconds"], "")
        floor, hub = medians(given)
        yield Figure(f"HR webhook, {AT_ONCE} at once, median milliseconds", hub, "ratio <= 1.3", floor)


def medians(given: dict[str, str]) -> tuple[float, float]:
    """Return the median answer time of the floor and of the hub, in milliseconds; rounds of both take turns."""
    times: dict[str, list[float]] = {"floor": [], "hub": []}
    with serving("floor", given) as floor, serving("hub", given) as hub, ThreadPoolExecutor(AT_ONCE) as pool:
        numbers = count(1_000_000)
        for number in range(ROUNDS):
            for name, url in (("floor", floor), ("hub", hub)):
                taken = list(
                    pool.map(lambda one, url=url: post(url, one, given), [next(numbers) for _ in range(AT_ONCE)])
                )
                if number:  # the first round is the warm-up
                    times[name] += taken
    return statistics.median(times["floor"]), statistics.median(times["hub"])


def post(url: str, number: int, given: dict[str, str]) -> float:
    """Deliver an event, return how many milliseconds the answer took."""
    headers, body = delivery(number, given["HR_WEBHOOK_SECRET"])
    began = time.perf_counter()
    answer = requests.post(f"{url}/api/v1/webhooks/hr", data=body, headers=headers, timeout=60)
    assert answer.status_code == 200, answer.text
    return (time.perf_counter() - began) * 1000


@contextmanager
def serving(what: str, given: dict[str, str]) -> Iterator[str]:
    """Run the host in a process of its own; yield its address."""
    environment = {**os.environ, **given, "PYTHON_THREADPOOL_THREAD_COUNT": "16"}
    command = [sys.executable, "-m", "tests.bench.webhook_host", what]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin
        assert process.stdout
        try:
            yield process.stdout.readline().strip()
        finally:
            process.stdin.close()
