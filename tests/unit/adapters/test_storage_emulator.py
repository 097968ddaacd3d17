"""Starting and ending Azurite: what goes wrong is said in one line."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from local import azurite_process
from local.azurite_process import Azurite, AzuriteError, Ports, free_ports
from shared.adapters.storage_account import StorageAccount
from shared.adapters.tables import AzureTables


@pytest.mark.azurite
def test_data_in_a_folder_survives_a_restart(tmp_path: Path) -> None:
    with Azurite(free_ports(), tmp_path / "data") as first:
        etag = AzureTables(StorageAccount(first.connection_string)).table("Kept").put("p", "k", {"n": 2**40})
        pid = first.pid
    assert not psutil.pid_exists(pid)
    with Azurite(free_ports(), tmp_path / "data") as second:
        row = AzureTables(StorageAccount(second.connection_string)).table("Kept").get("p", "k")
    assert row
    assert (row.values, row.etag) == ({"n": 2**40}, etag)


@pytest.mark.azurite
def test_a_taken_port_is_named(azurite: Azurite) -> None:
    with pytest.raises(AzuriteError, match=f"port {azurite.ports.blob} is taken"):
        Azurite(azurite.ports).start()


@pytest.mark.azurite
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux signals a child when its parent dies")
def test_it_ends_when_its_owner_is_killed() -> None:
    script = (
        "from local.azurite_process import *; import time\n"
        "print(Azurite(free_ports()).start().pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as owner:
        assert owner.stdout
        child = psutil.Process(int(owner.stdout.readline()))
        os.kill(owner.pid, signal.SIGKILL)
    # Whoever adopts an orphan may reap it late: a zombie has ended.
    psutil.wait_procs([child], timeout=10)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


def test_missing_node_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(AzuriteError, match=r"install Node\.js"):
        Azurite(free_ports()).start()


def test_missing_azurite_is_explained(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(azurite_process, "_MAIN", tmp_path / "azurite.js")
    monkeypatch.setattr("shutil.which", lambda _name: sys.executable)
    with pytest.raises(AzuriteError, match="make environment"):
        Azurite(free_ports()).start()


def test_a_process_that_ends_at_once_is_explained(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = tmp_path / "azurite.js"
    broken.write_text("import sys; sys.exit('no good')")
    monkeypatch.setattr(azurite_process, "_MAIN", broken)
    monkeypatch.setattr("shutil.which", lambda _name: sys.executable)
    azurite = Azurite(free_ports())
    with pytest.raises(AzuriteError, match="ended at once: no good"):
        azurite.start()
    with pytest.raises(AzuriteError, match="not running"):
        _ = azurite.pid


def test_default_ports_are_the_documented_ones() -> None:
    assert Azurite().ports == Ports(10000, 10001, 10002)
    assert "TableEndpoint=http://127.0.0.1:10002/devstoreaccount1;" in Azurite().connection_string
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        assert taken.getsockname()[1] not in free_ports()
