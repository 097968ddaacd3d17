"""The SDK of Service Bus is loaded by whichever thread needs it first, with others right behind it."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = """
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from shared.adapters.service_bus_namespace import load_sdk

sys.setswitchinterval(1e-6)
together = Barrier(12)

def load(_number):
    together.wait()
    load_sdk()
    from azure.servicebus import ServiceBusClient
    return ServiceBusClient.__name__

with ThreadPoolExecutor(12) as threads:
    print(set(threads.map(load, range(12))))
"""


def test_threads_that_need_it_at_once_find_it_whole() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.returncode) == ("{'ServiceBusClient'}", 0), done.stderr
