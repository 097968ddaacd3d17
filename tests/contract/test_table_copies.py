"""Copies of tables on Azurite: saved, the tables wiped, restored; the rows are the same, their types too."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from scripts import table_copies
from scripts.copy_places import Container, Folder, Place, place_of
from scripts.table_copies import CopyError, restore, save
from shared.adapters.storage_account import StorageAccount
from shared.adapters.table_requests import TableRequests
from shared.adapters.tables import AzureTables
from shared.kernel.table import Insert, Value
from shared.provision import TABLES, provision

pytestmark = pytest.mark.azurite

CELLS: dict[str, Value] = {
    "text": "größer \u2028 'quoted' \"twice\" \\ €",
    "empty": "",
    "whole": -(1 << 62),
    "small": 7,
    "yes": True,
    "bytes": bytes(range(256)),
    "instant": datetime(2025, 1, 15, 23, 59, 59, 123456, UTC),
    "midnight": datetime(2025, 1, 15, tzinfo=UTC),
}
COPY = "20251124T010000Z"


def entities(account: StorageAccount, table: str) -> list[dict[str, Any]]:
    """Return the rows as the SDK reads them, with the type of each cell."""
    found = account.tables.get_table_client(table).list_entities()
    return [{name: (type(value).__name__, value) for name, value in one.items()} for one in found]


@pytest.fixture
def tables(storage_account: StorageAccount, unique: Callable[[str], str]) -> tuple[str, str]:
    """Two tables: every kind of cell, more rows than an answer and more bytes than a transaction may have; nothing."""
    full, empty = unique("Full"), unique("Empty")
    TableRequests(storage_account).create_table(empty)
    table = AzureTables(storage_account).table(full)
    table.insert("default|it's", "every kind", CELLS)
    for start in range(0, 1250, 50):
        rows = [Insert(f"{number:05}", {"number": number}) for number in range(start, start + 50)]
        table.transact("default|many", rows)
    for start in range(0, 60, 20):
        large = [Insert(f"{number:05}", {"bytes": bytes(64 * 1024)}) for number in range(start, start + 20)]
        table.transact("default|large", large)
    return full, empty


@pytest.fixture(params=["folder", "container"])
def place(
    request: pytest.FixtureRequest, storage_account: StorageAccount, unique: Callable[[str], str], tmp_path: Path
) -> Place:
    """Each kind of place."""
    if request.param == "folder":
        return Folder(tmp_path / "copies")
    container = unique("copies")
    storage_account.blobs.create_container(container)
    return Container(storage_account, container, "of/tables")


def test_what_was_wiped_is_restored_cell_by_cell(
    storage_account: StorageAccount, tables: tuple[str, str], place: Place
) -> None:
    full, empty = tables
    before = entities(storage_account, full)
    assert save(storage_account, place, COPY, tables) == {full: 1311, empty: 0}
    for table in tables:
        storage_account.tables.delete_table(table)
    assert restore(storage_account, place, COPY) == {full: (1311, 0), empty: (0, 0)}
    assert entities(storage_account, full) == before
    assert len(before) == 1311


def test_a_row_that_is_there_stays_as_it_is(
    storage_account: StorageAccount, tables: tuple[str, str], tmp_path: Path
) -> None:
    """It may be newer than the copy; and a restore that was broken off is begun again."""
    full, _ = tables
    place, table = Folder(tmp_path), AzureTables(storage_account).table(full)
    save(storage_account, place, COPY, tables)
    table.put("default|many", "00007", {"number": -7})
    table.delete("default|many", "00008")
    assert restore(storage_account, place, COPY, [full]) == {full: (1, 1310)}
    kept, back = (table.get("default|many", key) for key in ("00007", "00008"))
    assert kept is not None
    assert back is not None
    assert (kept.values, back.values) == ({"number": -7}, {"number": 8})


def test_a_copy_is_whole_or_none(
    storage_account: StorageAccount, tables: tuple[str, str], place: Place, unique: Callable[[str], str]
) -> None:
    full, _ = tables
    with pytest.raises(CopyError, match="there is no table"):
        save(storage_account, place, COPY, [full, unique("Missing")])
    with pytest.raises(CopyError, match=f"{COPY} is no copy, or was broken off"):
        restore(storage_account, place, COPY)


def test_a_damaged_copy_and_a_table_that_it_lacks_are_told_of(
    storage_account: StorageAccount, tables: tuple[str, str], tmp_path: Path
) -> None:
    full, empty = tables
    save(storage_account, Folder(tmp_path), COPY, [full])
    with pytest.raises(CopyError, match=f"has no {empty}"):
        restore(storage_account, Folder(tmp_path), COPY, [empty])
    file = tmp_path / COPY / f"{full}.jsonl"
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:-1]))
    with pytest.raises(CopyError, match="has 1310 rows, 1311 were copied"):
        restore(storage_account, Folder(tmp_path), COPY)


def test_a_copy_is_never_written_over(storage_account: StorageAccount, tables: tuple[str, str], place: Place) -> None:
    save(storage_account, place, COPY, tables)
    with pytest.raises(FileExistsError):
        save(storage_account, place, COPY, tables)


def test_an_export_is_copied_before_the_calculations_that_it_settles(
    storage_account: StorageAccount, tmp_path: Path
) -> None:
    """Else one that ends in between is restored as done, its calculations as approved: they would be paid twice."""
    provision(storage_account)
    assert next(iter(save(storage_account, Folder(tmp_path), COPY, ["Calculations", "Exports"]))) == "Exports"
    assert next(iter(save(storage_account, Folder(tmp_path), "another"))) == "Exports"


def test_the_commands_of_the_guide(
    storage_account: StorageAccount,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Every table of the hub is saved; what is printed is what restore takes."""
    provision(storage_account)
    monkeypatch.setattr(table_copies, "public_account", lambda _: storage_account)
    table_copies.main(["save", "an-account", str(tmp_path)])
    said = capsys.readouterr().out
    assert f"of {len(TABLES)} tables are in {tmp_path}/" in said
    table_copies.main(["restore", "an-account", said.rpartition(" are in ")[2].strip()])
    assert capsys.readouterr().out.count("0 rows written") == len(TABLES)
    with pytest.raises(SystemExit, match="restore: nowhere is no copy"):
        table_copies.main(["restore", "an-account", str(tmp_path / "nowhere")])


@pytest.mark.parametrize(
    "address", ["http://account.blob.core.windows.net/copies", "https://example.com/copies"], ids=["plain", "elsewhere"]
)
def test_an_address_that_is_no_container_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="is no https://"):
        place_of(address)
