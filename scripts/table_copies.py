"""Copies of the hub's tables, and the way back: Azure Tables have no undelete, and AzCopy does not know them.

    python -m scripts.table_copies save <storage account> <place> [table ...]
    python -m scripts.table_copies restore <storage account> <place>/<copy> [table ...]

A place is a folder, or https://<account>.blob.core.windows.net/<container>[/<folder>]. A copy is a folder in it, named
after the time when it began: a file of JSON lines for each table, a row a line as Azure Tables write it, and last
`complete.json` with how many there are. It is no picture of one instant: tables are read one after the other.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from azure.core.exceptions import AzureError

from scripts.copy_places import Place, place_of, public_account
from shared.adapters.storage_account import StorageAccount
from shared.adapters.table_entities import decode_values, encode_entity
from shared.adapters.table_requests import TableRequests, unexpected
from shared.adapters.tables import AzureTable, AzureTables
from shared.kernel.errors import HubError
from shared.kernel.table import MAX_OPERATIONS, Insert, RowExists
from shared.provision import TABLES

COMPLETE = "complete.json"
_FIRST = "Exports"
"""Before the calculations: of an export that runs meanwhile the copy then has no end that its calculations lack, for
these would be restored as approved beside it, and be exported once more."""
_BATCH_BYTES = 3 * 1024 * 1024
"""Less than the 4 MiB of a transaction, which has a head for each row besides."""


class CopyError(RuntimeError):
    """The copy cannot be made or used; the message says why."""


def save(account: StorageAccount, place: Place, copy: str, tables: Sequence[str] = TABLES) -> dict[str, int]:
    """Copy tables; return the rows of each, in the order of copying. CopyError for a table that is missing."""
    requests = TableRequests(account)
    rows = {}
    for table in sorted(tables, key=lambda name: name != _FIRST):
        counted = _Counted(_lines(requests, table))
        place.write(f"{copy}/{table}.jsonl", counted)
        rows[table] = counted.number
    place.write(f"{copy}/{COMPLETE}", [json.dumps({"rows": rows}).encode()])
    return rows


def restore(account: StorageAccount, place: Place, copy: str, tables: Sequence[str] = ()) -> dict[str, tuple[int, int]]:
    """Write the rows that are missing (all tables of the copy where none are named); return (written, there) of each.

    A row that is there stays as it is, whatever the copy says: it may be newer. So it may be run again at any time.
    CopyError for a copy that was broken off, that lacks a table, or whose rows are not as many as were copied.
    """
    rows = _complete(place, copy)
    if missing := sorted(set(tables) - rows.keys()):
        raise CopyError(f"the copy {copy} has no {', '.join(missing)}")
    done = {}
    for table in tables or rows:
        counted = _Counted(place.lines(f"{copy}/{table}.jsonl"))
        done[table] = _write_missing(AzureTables(account).table(table), table, counted)
        if counted.number != rows[table]:
            raise CopyError(f"the copy of {table} has {counted.number} rows, {rows[table]} were copied: it is damaged")
    return done


def _complete(place: Place, copy: str) -> dict[str, int]:
    try:
        text = b"".join(place.lines(f"{copy}/{COMPLETE}"))
    except FileNotFoundError:
        raise CopyError(f"{copy} is no copy, or was broken off: it has no {COMPLETE}") from None
    found: dict[str, int] = json.loads(text)["rows"]
    return found


class _Counted:
    """Lines, and how many have been taken so far."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        self._lines = lines
        self.number = 0

    def __iter__(self) -> Iterator[bytes]:
        for line in self._lines:
            self.number += 1
            yield line


def _lines(requests: TableRequests, table: str) -> Iterator[bytes]:
    """Yield the rows of a table in key order. TypeError for a cell of a kind that the hub never writes."""
    following: dict[str, str] = {}
    while True:
        answer = requests.send("GET", f"{table}()", query=following)
        if answer.status == 404:
            raise CopyError(f"there is no table {table}: is this the storage account of the hub?")
        if not answer.succeeded:
            raise unexpected(answer.failure)
        for entity in json.loads(answer.body)["value"]:
            yield encode_entity(table, entity["PartitionKey"], entity["RowKey"], decode_values(entity)) + b"\n"
        partition = answer.headers.get("x-ms-continuation-NextPartitionKey")
        if not partition:
            return
        following = {
            "NextPartitionKey": partition,
            "NextRowKey": answer.headers.get("x-ms-continuation-NextRowKey", ""),
        }


def _write_missing(table: AzureTable, name: str, lines: Iterable[bytes]) -> tuple[int, int]:
    written = there = 0
    for partition, batch in _batches(lines):
        try:
            table.transact(partition, batch)
            written += len(batch)
        except RowExists:
            for row in batch:
                try:
                    table.insert(partition, row.key, row.values)
                    written += 1
                except RowExists:
                    there += 1
    print(f"{name}: {written} rows written, {there} were there")
    return written, there


def _batches(lines: Iterable[bytes]) -> Iterator[tuple[str, list[Insert]]]:
    """Yield rows that fit one transaction, with their partition."""
    partition, batch, size = "", list[Insert](), 0
    for line in lines:
        entity: dict[str, Any] = json.loads(line)
        full = len(batch) == MAX_OPERATIONS or size + len(line) > _BATCH_BYTES
        if batch and (full or entity["PartitionKey"] != partition):
            yield partition, batch
            batch, size = [], 0
        partition = entity["PartitionKey"]
        batch.append(Insert(entity["RowKey"], decode_values(entity)))
        size += len(line)
    if batch:
        yield partition, batch


def main(arguments: Sequence[str] | None = None) -> None:
    """Save or restore; exit 1 with the reason when that is not possible."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("save", "restore"))
    parser.add_argument("account", help="name of the hub's storage account")
    parser.add_argument("place", help="folder or container; to restore: with the name of the copy behind it")
    parser.add_argument("table", nargs="*", help="some tables instead of all")
    given = parser.parse_args(arguments)
    account = public_account(given.account)
    try:
        if given.command == "save":
            copy = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
            rows = save(account, place_of(given.place), copy, given.table or TABLES)
            print(f"{sum(rows.values())} rows of {len(rows)} tables are in {given.place.rstrip('/')}/{copy}")
        else:
            place, _, copy = given.place.rstrip("/").rpartition("/")
            restore(account, place_of(place or "."), copy, given.table)
    except (CopyError, ValueError, OSError, HubError, AzureError) as error:
        sys.exit(f"{given.command}: {error}")


if __name__ == "__main__":
    main()
