"""What the fakes offer beyond the ports: a hook for crashes, and queries that do not hold the table."""

import pytest

from shared.kernel.clock import utc_now
from shared.kernel.message import new_message
from shared.kernel.table import Put
from tests.fakes.blobs import MemoryBlobs
from tests.fakes.hook import Hook
from tests.fakes.queues import MemoryQueues
from tests.fakes.tables import MemoryTables


class Crash(Exception):
    """The process dies."""


class Journal(Hook):
    """Writes down what happens, and dies where it is told."""

    def __init__(self, die: str = "") -> None:
        self.lines: list[str] = []
        self.die = die

    def before(self, operation: str, place: str, item: str) -> None:
        self._write(f"before {operation} {place} {item}")

    def after(self, operation: str, place: str, item: str) -> None:
        self._write(f"after {operation} {place} {item}")

    def _write(self, line: str) -> None:
        self.lines.append(line)
        if line == self.die:
            raise Crash(line)


@pytest.mark.parametrize(("moment", "written"), [("before", False), ("after", True)])
def test_a_crash_comes_before_or_after_the_effect(moment: str, *, written: bool) -> None:
    table = MemoryTables(Journal(f"{moment} transact Sales p")).table("Sales")
    with pytest.raises(Crash):
        table.transact("p", [Put("k", {})])
    assert (table.get("p", "k") is not None) == written


def test_one_hook_sees_all_stores_in_order() -> None:
    journal = Journal()
    blobs = MemoryBlobs(journal)
    large = new_message(message_id="m1", message_type="T", tenant="t", now=utc_now(), data={"text": "x" * 40_000})
    MemoryQueues(utc_now, blobs, journal).send("work", large)
    list(MemoryTables(journal).table("Sales").query("p"))
    assert journal.lines == [
        "before write message-payloads t/m1.json",
        "after write message-payloads t/m1.json",
        "before send work m1",
        "after send work m1",
        "before query Sales p",
        "after query Sales p",
    ]


def test_a_half_read_query_sees_later_writes_only_on_later_pages() -> None:
    table = MemoryTables().table("Sales")
    for number in range(1000):
        table.put("p", f"{number:05}", {"old": True})
    table.put("p", "02000", {"old": True})
    rows = table.query("p")
    next(rows)
    table.put("p", "00500", {"old": False})
    table.put("p", "03000", {"old": False})
    assert [row.key for row in rows if not row.values["old"]] == ["03000"]
