"""INC-56: the process is killed before and after every effect of a payroll export; everybody is paid once."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import partial
from hashlib import sha256
from random import Random
from typing import Any

import pytest

from local.azurite_process import Azurite
from local.client import HubClient
from local.orphan_guard import end_with_parent
from local.processes import ROOT, Stack
from local.sandbox.generator import Shape
from local.sandbox.payroll import Payroll
from local.sandbox.server import Sandbox
from shared.adapters.storage_account import StorageAccount
from shared.hub import Hub
from shared.incentives.calculation import State
from shared.kernel.transport import Transport
from shared.payroll.export import ExportStatus
from shared.provision import provision
from tests.chaos.export_queues import Carrier, ServiceBusCarrier, StorageCarrier
from tests.component.export_hub import PERIOD, approve, employ
from tests.component.import_hub import environment
from tests.servicebus import ServiceBusDouble

pytestmark = pytest.mark.chaos

DUE = {"E1": 10_050, "E2": 20_000, "E3": 7_000, "E5": 1_000}
PAID = {"E1": "100.50", "E2": "195.00"}
LEASE = 150
"""Seconds: the clock of the next process is ahead by that, so the lease of the dead one has run out."""


class Worker:
    """The process that forks the ones that die."""

    def __enter__(self) -> "Worker":
        command = end_with_parent([sys.executable, "-m", "tests.chaos.export_worker"])
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def do(self, *orders: dict[str, Any]) -> list[dict[str, Any]]:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(orders) + "\n")
        self._process.stdin.flush()
        results: list[dict[str, Any]] = json.loads(self._process.stdout.readline())
        assert not any(one["failed"] for one in results)
        return results


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    with Worker() as running:
        yield running


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(Shape(records=10), sftp_port=0) as running:
        yield running


class Trial:
    """An export of a tenant of its own: a broker that delivers until it is done, and a look at what came of it."""

    def __init__(self, azurite: Azurite, carrier: Carrier, sandbox: Sandbox, worker: Worker, name: str) -> None:
        self._carrier, self._sandbox, self._worker = carrier, sandbox, worker
        assert sandbox.sftp
        sandbox.payroll = Payroll()
        sandbox.payroll.reject(["E3"], 1, "no bank account")
        for path in sandbox.sftp.files():
            (sandbox.sftp.root / path.lstrip("/")).unlink()
        sandbox.sftp.collects = False
        sandbox.sftp.collected.clear()
        settings = {"AzureWebJobsStorage": azurite.connection_string, "HUB_TENANT": name} | carrier.settings
        settings["EXPORT_LEASE_SECONDS"] = str(LEASE - 30)
        self.environment = environment(sandbox, **settings)
        self.hub = Hub(self.environment)
        employ(self.hub, *DUE)
        for employee, cents in DUE.items():
            approve(self.hub, employee, cents)
        approve(self.hub, "E2", -500, source="an amendment")
        approve(self.hub, "E5", -1_000, source="an amendment")
        approve(self.hub, "E4", 3_000)  # nobody knows him
        carrier.clear()
        self._offset = 0

    def order(self, action: str, **more: Any) -> dict[str, Any]:
        """Return an order for a process whose clock is ahead of the one before."""
        self._offset += LEASE
        offset = {"offset": self._offset, "period": PERIOD}
        return {"environment": self.environment, "action": action, **offset, **more}

    def do(self, action: str, **more: Any) -> dict[str, Any]:
        return self._worker.do(self.order(action, **more))[0]

    def take(self) -> str | None:
        """Take a message off the queue, as the broker keeps it until it is done."""
        return self._carrier.take()

    def work(self) -> None:
        """Deliver until nothing is left."""
        while body := self.take():
            assert not self.do("handle", body=body)["killed"]

    def check(self, where: str) -> None:
        """Compare ledger, folder, calculations, archive and what finance was told."""
        [export] = self.hub.payroll.exports.of_period(PERIOD)
        assert (export.status, export.failure) == (ExportStatus.COMPLETED, ""), where
        ledger = self._sandbox.payroll.ledger()
        paid = {key: [one["amount"] for one in payments] for key, payments in ledger["payments"].items() if payments}
        assert paid == {key: [amount] for key, amount in PAID.items()}, where
        assert [batch["batchId"] for batch in ledger["batches"]] == [export.export_id], where
        assert self._sandbox.sftp
        [(path, content)] = [*self._sandbox.sftp.collected, *self._sandbox.sftp.files().items()]
        assert path == f"/incoming/dsif/{export.export_id}.csv", where
        assert sha256(content).hexdigest() == export.csv_sha256, where
        assert self.hub.payroll.archive.read(export.csv_blob) == content, where
        found = list(self.hub.incentives.calculations.of_period(PERIOD))
        exported = {one.employee_id for one in found if one.state is State.EXPORTED}
        assert exported == {"E1", "E2", "E5"}, where
        assert {one.export_id for one in found if one.state is State.EXPORTED} == {export.export_id}, where
        left = {one.employee_id: one.payroll_reason for one in found if one.state is State.APPROVED}
        assert left == {"E3": "no bank account", "E4": ""}, where
        assert f"{export.export_id}-export.completed" in self._told(), where

    def _told(self) -> set[str]:
        return {json.loads(one)["id"] for one in self._carrier.notifications()}


@pytest.fixture(params=list(Transport))
def carrier(request: pytest.FixtureRequest, azurite: Azurite, service_bus: ServiceBusDouble) -> Carrier:
    return StorageCarrier(azurite) if request.param is Transport.STORAGE else ServiceBusCarrier(service_bus)


@pytest.fixture
def trials(azurite: Azurite, carrier: Carrier, sandbox: Sandbox, worker: Worker) -> Any:
    provision(StorageAccount(azurite.connection_string))
    return lambda name: Trial(azurite, carrier, sandbox, worker, f"{carrier.settings['HUB_QUEUES']}{name}")


def test_killed_around_every_effect_of_the_export(trials: Any, carrier: Carrier) -> None:
    """Each stored step, the POST with its answer lost, the upload before, half-way and after, the rename.

    By Service Bus only where a message is sent: the rest does not know what carries it.
    """
    dry = trials("dry")
    dry.do("start")
    places = dry.do("handle", body=dry.take())["places"]
    dry.check("nothing is killed")
    for expected in (
        "after PartnerClient.post_body",
        "half of an upload",
        "before SFTPClient.posix_rename",
        "after SFTPClient.posix_rename",
        "before AzureTable.replace Exports",
        "after AzureTable.replace Exports",
        "after AzureTable.transact Calculations",
        f"before {carrier.sending}",
    ):
        assert expected in places
    for victim, place in enumerate(places, 1):
        if isinstance(carrier, ServiceBusCarrier) and carrier.sending not in place:
            continue
        trial = trials(f"kill{victim}")
        trial.do("start")
        body = trial.take()
        assert trial.do("handle", body=body, victim=victim)["killed"], place
        assert not trial.do("handle", body=body)["killed"]
        trial.work()
        trial.check(f"killed {place} ({victim})")


@pytest.mark.parametrize("carrier", [Transport.STORAGE], indirect=True)
def test_killed_around_the_rename_while_payroll_takes_the_file_at_once(trials: Any, sandbox: Sandbox) -> None:
    """The same file never lies there twice: what was renamed is known by what was stored before."""
    assert sandbox.sftp
    dry = trials("drytaken")
    sandbox.sftp.collects = True
    dry.do("start")
    places = dry.do("handle", body=dry.take())["places"]
    dry.check("nothing is killed")
    first, last = places.index("after upload"), places.index("after SFTPClient.posix_rename") + 4
    assert "after AzureTable.replace Exports" in places[first:last]
    for victim, place in enumerate(places[first:last], first + 1):
        trial = trials(f"taken{victim}")
        sandbox.sftp.collects = True
        trial.do("start")
        body = trial.take()
        assert trial.do("handle", body=body, victim=victim)["killed"], place
        assert not trial.do("handle", body=body)["killed"]
        trial.work()
        trial.check(f"killed {place} ({victim})")


def test_killed_around_every_effect_of_the_start(trials: Any, carrier: Carrier) -> None:
    """What was stored and not queued is found by the timer; what was not stored is asked for again."""
    places = trials("drystart").do("start")["places"]
    assert places[-2:] == [f"before {carrier.sending}", f"after {carrier.sending}"]
    for victim, place in enumerate(places, 1):
        trial = trials(f"start{victim}")
        assert trial.do("start", victim=victim)["killed"], place
        trial.do("timer", offset=20 * 60)
        if not trial.hub.payroll.exports.of_period(PERIOD):
            trial.do("start")
        trial.work()
        trial.check(f"killed {place} ({victim})")


@pytest.mark.parametrize("carrier", [Transport.STORAGE], indirect=True)
def test_two_processes_that_start_the_same_period_at_once_make_one_batch(trials: Any, worker: Worker) -> None:
    draw = Random(56)
    for number in range(6):
        trial = trials(f"both{number}")
        begin = time.time() + 0.15
        orders = [trial.order("start and work", at=begin + draw.uniform(0, 0.05), offset=0) for _ in range(2)]
        worker.do(*orders)
        first, *delta = trial.hub.payroll.exports.of_period(PERIOD)
        if first.status is not ExportStatus.COMPLETED:
            trial.work()
        elif delta:
            # The slower one came after the end: it made a delta export of whom payroll had refused.
            assert delta[0].totals.record_count <= 1
            continue
        trial.check(f"two at once, {number}")


ROUNDS = 5
SETTINGS = {
    "EXPORT_LEASE_SECONDS": "1",
    "HUB_MESSAGE_RETRY_DELAYS": "0.1,0.1,0.5",
    "LOCAL_HOST_QUEUE_LEASE_SECONDS": "1",
    "PAYROLL_RETRY_FIRST_DELAY": "0.05",
    "SFTP_RETRY_FIRST_DELAY": "0.05",
}


@pytest.fixture
def stack(broker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    options, logs = ("--records", "50", "--employees", "20"), tmp_path_factory.mktemp("logs")
    with Stack(settings=SETTINGS, service_bus=broker, sandbox_options=options, logs=logs) as running:
        yield running
        # Asked to end, it would finish what runs: for a timer's run that was killed, its next one waits a minute.
        running.kill_host()


def test_the_running_host_killed_at_random_moments_of_its_exports(stack: Stack) -> None:
    """Each round has an amount for everybody; the host dies somewhere on the way to payroll."""
    draw = Random(20250207)
    admin, approver = (HubClient(stack.host_url, stack.sandbox_url, user) for user in ("admin", "approver"))
    admin.call("POST", "/admin/employees/syncs")
    employees = _eventually(
        lambda: len(found := admin.all("/employees")) >= 20 and [one["employeeId"] for one in found]
    )
    for number in range(ROUNDS):
        _approve_round(admin, approver, employees, number)
        if number == 1:
            admin.ask_sandbox("POST", "/payroll/reject", json={"employeeIds": employees[:3]})
        export_id = admin.export(PERIOD)["exportId"]
        time.sleep(draw.uniform(0, 0.5))  # the moment is what is being drawn
        stack.kill_host()
        stack.start_host()
        _eventually(partial(_is_completed, admin, export_id))
    ledger = admin.ask_sandbox("GET", "/payroll/ledger")
    assert ledger["paidTwice"] == []
    paid = {key: sum(Decimal(one["amount"]) for one in payments) for key, payments in ledger["payments"].items()}
    assert paid == {key: sum(Decimal(number + 1) for number in range(ROUNDS)) for key in employees}
    files = admin.ask_sandbox("GET", "/sftp/files")
    exports = {one["fileName"]: one["exportId"] for one in admin.call("GET", "/admin/exports")}
    assert {path.rpartition("/")[2] for path in files} == exports.keys()
    for path, content in files.items():
        shown = admin.call("GET", f"/admin/exports/{exports[path.rpartition('/')[2]]}")
        assert sha256(content.encode()).hexdigest() == shown["csvSha256"]
    calculations = admin.all("/calculations", period=PERIOD)
    assert {one["status"] for one in calculations} == {"Exported"}
    assert {one["exportId"] for one in calculations} == {one["batchId"] for one in ledger["batches"]}


def _approve_round(admin: HubClient, approver: HubClient, employees: list[str], number: int) -> None:
    amount = {"gross": f"{number + 1}.00", "net": f"{number + 1}.00"}
    records = [{"id": f"round-{number}", "employeeId": one, "period": PERIOD, **amount} for one in employees]
    admin.call("POST", "/calculations", json={"calculations": records})
    admin.decide_all("submit", PERIOD)
    approver.decide_all("approve", PERIOD)


def _is_completed(client: HubClient, export_id: str) -> bool:
    return bool(client.call("GET", f"/admin/exports/{export_id}")["status"] == "Completed")


def _eventually(look: Callable[[], Any], seconds: float = 60) -> Any:
    end = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < end, "this did not happen in time"
        time.sleep(0.1)
    return found
