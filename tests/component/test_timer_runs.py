"""Instances of a timer as processes and threads on the emulator: the work of a due time is done once."""

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from local.azurite_process import Azurite
from local.processes import ROOT
from shared.adapters.storage_account import StorageAccount
from shared.adapters.tables import AzureTables
from shared.adapters.timer_runs import LEASE, StoredTimerRuns
from shared.health.timers import TIMERS

SYNC = next(timer for timer in TIMERS if timer.name == "SyncEmployees")
DUE = datetime(2025, 1, 15, 3, 0, 1, tzinfo=UTC)

VICTIM = """
import sys, time
from datetime import datetime
from shared.adapters.storage_account import StorageAccount
from shared.adapters.tables import AzureTables
from shared.adapters.timer_runs import StoredTimerRuns
from shared.health.timers import TIMERS
connection, tenant, now = sys.argv[1:]
sync = next(timer for timer in TIMERS if timer.name == "SyncEmployees")
clock = lambda: datetime.fromisoformat(now)
runs = StoredTimerRuns(AzureTables(StorageAccount(connection)), tenant, TIMERS, instance="victim", clock=clock)
runs.run(sync, lambda: (print("at it", flush=True), time.sleep(60)))
"""


@pytest.mark.azurite
def test_eight_instances_at_once_do_the_work_once(
    storage_account: StorageAccount, unique: Callable[[str], str]
) -> None:
    done: list[str] = []

    def instance(name: str) -> bool:
        runs = StoredTimerRuns(AzureTables(storage_account), unique("t"), TIMERS, instance=name, clock=lambda: DUE)
        return runs.run(SYNC, lambda: done.append(name))

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(instance, (f"instance-{number}" for number in range(8))))
    assert (len(done), sum(results)) == (1, 1)


@pytest.mark.azurite
def test_a_killed_instance_is_followed_by_another_one(
    azurite: Azurite, storage_account: StorageAccount, unique: Callable[[str], str]
) -> None:
    arguments = [azurite.connection_string, unique("t"), DUE.isoformat()]
    victim = subprocess.Popen([sys.executable, "-c", VICTIM, *arguments], cwd=ROOT, stdout=subprocess.PIPE)
    assert victim.stdout
    with victim.stdout:
        assert victim.stdout.readline() == b"at it\n"
        victim.kill()
        victim.wait()
    now = [DUE]

    def wait(seconds: float) -> None:
        now[0] += timedelta(seconds=seconds)

    runs = StoredTimerRuns(
        AzureTables(storage_account), unique("t"), TIMERS, instance="next", clock=lambda: now[0], sleep=wait
    )
    done: list[str] = []
    assert runs.run(SYNC, lambda: done.append("next"))
    assert done == ["next"]
    assert (now[0] - DUE).total_seconds() >= LEASE
    (beat,) = [one for one in runs.heartbeats() if one.name == "SyncEmployees"]
    assert (beat.instance, beat.succeeded_at) == ("next", now[0])
