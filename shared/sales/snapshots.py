"""Which run counts for which day and store, and which transactions it holds (INC-03, INC-07).

A published run is a snapshot of the sales of a business day: of all stores (`*`), or of some. For each day and
store the snapshot of the highest sequence number counts. A transaction that stands in two snapshots (the ERP moved
a sale to another day or store between two runs) counts in the one of the higher sequence number.

Table SalesSnapshots, partition tenant:
  `snapshot|day|store or *`   which run counts, its sequence, and the runs that have sales in common with it
  `digests|day|run|part`      the digests of the run's transactions, 7,000 a row
One range scan reads the snapshots of some weeks, another their digests.
"""

import json
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

from shared.kernel.keys import AFTER, join_key, split_key
from shared.kernel.table import (
    Delete,
    Insert,
    Operation,
    Put,
    Replace,
    Row,
    RowChanged,
    RowExists,
    Table,
    Value,
    delete_all,
    write_all,
)
from shared.sales.models import ALL_STORES
from shared.sales.runs import ImportRun

WINDOW = timedelta(days=31)
"""How far from a day the same transaction is looked for."""

_DIGESTS_A_ROW = 7000
"""56 KB; a cell holds 64 KiB."""


@dataclass(frozen=True)
class Snapshot:
    """The run that counts for a day and a store (or all stores)."""

    day: date
    store: str
    run_id: str
    sequence: int
    displaced: frozenset[str] = frozenset()
    """Runs of lower sequence that lost sales to this one: they win them back when this one is replaced."""
    etag: str = field(default="", compare=False)

    @property
    def key(self) -> str:
        """The row key."""
        return join_key("snapshot", self.day.isoformat(), self.store)

    def values(self) -> dict[str, Value]:
        """Return the snapshot as a table row."""
        return {"runId": self.run_id, "sequence": self.sequence, "displaced": json.dumps(sorted(self.displaced))}


@dataclass(frozen=True)
class DayOfSnapshots:
    """All snapshots of one day, and from them: which run governs a store."""

    snapshots: tuple[Snapshot, ...]

    def governing(self, store: str) -> Snapshot | None:
        """Return the snapshot that counts for a store."""
        fitting = [item for item in self.snapshots if item.store in (store, ALL_STORES)]
        return max(fitting, key=lambda item: item.sequence, default=None)

    def governs(self, run_id: str, store: str) -> bool:
        """Tell whether a run is the one that counts for a store."""
        governing = self.governing(store)
        return governing is not None and governing.run_id == run_id

    def counts(self, run_id: str) -> bool:
        """Tell whether a run may count for any store."""
        newest_whole_day = max((item.sequence for item in self.snapshots if item.store == ALL_STORES), default=0)
        return any(item.run_id == run_id and item.sequence >= newest_whole_day for item in self.snapshots)


class SnapshotStore:
    """The snapshots of one tenant."""

    def __init__(self, table: Table, tenant: str) -> None:
        """Keep the table."""
        self._table = table
        self._tenant = tenant

    def of_day(self, day: date) -> DayOfSnapshots:
        """Return the snapshots of one day."""
        return DayOfSnapshots(tuple(self.between(day, day)))

    def around(self, day: date) -> dict[date, DayOfSnapshots]:
        """Return the snapshots of a day and the days near it, by day."""
        found: dict[date, list[Snapshot]] = {}
        for item in self.between(day - WINDOW, day + WINDOW):
            found.setdefault(item.day, []).append(item)
        return {one_day: DayOfSnapshots(tuple(items)) for one_day, items in found.items()}

    def between(self, first: date, last: date) -> Iterator[Snapshot]:
        """Yield the snapshots of some days (inclusive)."""
        rows = self._table.query(
            self._tenant,
            key_from=join_key("snapshot", first.isoformat(), ""),
            key_before=join_key("snapshot", last.isoformat(), "") + AFTER,
        )
        return (_snapshot(row) for row in rows)

    def promote(self, run: ImportRun, stores: tuple[str, ...]) -> None:
        """Let a run count for the stores (or ALL_STORES) for which no later run counts already.

        A snapshot takes over from the one it replaces the runs to look at again, and that run itself, so that a
        worker that is killed afterwards leaves the list behind.
        """
        while True:
            try:
                self._promote_over(self.of_day(run.day), run, stores)
            except (RowChanged, RowExists):
                continue
            return

    def _promote_over(self, day: DayOfSnapshots, run: ImportRun, stores: tuple[str, ...]) -> None:
        present = {item.store: item for item in day.snapshots}
        operations: list[Operation] = []
        for store in stores:
            old = present.get(store)
            if old and old.sequence >= run.sequence:
                continue
            covered = [item for item in (*_narrower(day, store, run.sequence), old) if item]
            displaced = frozenset[str]().union(*({item.run_id, *item.displaced} for item in covered))
            new = Snapshot(run.day, store, run.run_id, run.sequence, displaced - {run.run_id})
            operations.append(Replace(new.key, new.values(), old.etag) if old else Insert(new.key, new.values()))
            operations += [Delete(item.key, item.etag) for item in covered if item.store != store]
        write_all(self._table, self._tenant, operations)

    def note_displaced(self, run: ImportRun, displaced: set[str], *, keep: bool) -> None:
        """Write the runs that lose sales to a run on its snapshots: before they are looked at again with the noted
        ones kept, afterwards without.
        """
        for item in self.of_day(run.day).snapshots:
            wanted = frozenset(displaced | item.displaced if keep else displaced)
            if item.run_id != run.run_id or wanted == item.displaced:
                continue
            try:
                row = Row(self._tenant, item.key, {}, item.etag)
                self._table.replace(row, replace(item, displaced=wanted).values())
            except RowChanged:
                self.note_displaced(run, displaced, keep=keep)
                return

    def write_digests(self, run: ImportRun, digests: "array[int]") -> None:
        """Store the digests of all transactions of a run."""
        rows: list[Operation] = [
            Put(
                join_key("digests", run.day.isoformat(), run.run_id, f"{start // _DIGESTS_A_ROW:05d}"),
                {"digests": digests[start : start + _DIGESTS_A_ROW].tobytes()},
            )
            for start in range(0, len(digests), _DIGESTS_A_ROW)
        ]
        for start in range(0, len(rows), 50):  # 50 x 56 KB stay below the 4 MB of a transaction
            self._table.transact(self._tenant, rows[start : start + 50])

    def forget_digests(self, day: date, run_ids: set[str]) -> None:
        """Remove the digests of runs that count no longer."""
        for run_id in run_ids:
            prefix = join_key("digests", day.isoformat(), run_id, "")
            rows = self._table.query(self._tenant, key_from=prefix, key_before=prefix + AFTER, select=["runId"])
            delete_all(self._table, self._tenant, [row.key for row in rows])

    def digests_around(self, day: date) -> Iterator[tuple[date, str, "array[int]"]]:
        """Yield (day, run ID, some of its digests) of the days near a day."""
        rows = self._table.query(
            self._tenant,
            key_from=join_key("digests", (day - WINDOW).isoformat(), ""),
            key_before=join_key("digests", (day + WINDOW).isoformat(), "") + AFTER,
        )
        for row in rows:
            _, one_day, run_id, _ = split_key(row.key)
            content = row.values["digests"]
            assert isinstance(content, bytes)
            yield date.fromisoformat(one_day), run_id, array("Q", content)


def _narrower(day: DayOfSnapshots, store: str, sequence: int) -> list[Snapshot]:
    """Return the snapshots of single stores that a new one of all stores replaces."""
    if store != ALL_STORES:
        return []
    return [item for item in day.snapshots if item.store != ALL_STORES and item.sequence < sequence]


def _snapshot(row: Row) -> Snapshot:
    _, day, store = split_key(row.key)
    return Snapshot(
        date.fromisoformat(day),
        store,
        str(row.values["runId"]),
        int(str(row.values["sequence"])),
        frozenset(json.loads(str(row.values["displaced"]))),
        row.etag,
    )
