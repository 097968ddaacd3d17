"""Which run counts for which day and store, and which transactions it holds (INC-03, INC-05, INC-07).

A published run is a snapshot of the sales of a business day: of all stores (`*`), or of some. For each day and store
the snapshot of the newest data counts (`runs.Version`). A run speaks for what it has evidence for: a pull of all stores
that has no sale of a store leaves what that store pushed by itself. A transaction that stands in two snapshots (the
ERP moved a sale to another day or store between two runs) counts in the newer one.

Table SalesSnapshots, partition tenant:
  `snapshot|day|store or *`   which run counts, how new it is, what it has of each store, the runs that have sales in
                              common with it, and whether its day has yet to be published
  `digests|day|run|part`      the digests of the run's transactions, 7,000 a row
One range scan reads the snapshots of some weeks, another their digests.
"""

from array import array
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import cached_property

from shared.kernel.clock import from_iso, to_iso
from shared.kernel.contention import Contention
from shared.kernel.errors import DataRefused
from shared.kernel.keys import end_of_prefix, join_key, split_key
from shared.kernel.long_cells import long_cells, read_long_cells
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
from shared.sales.models import ALL_STORES, Tally
from shared.sales.runs import ImportRun, Version

WINDOW = timedelta(days=31)
"""How far from a day the same transaction is looked for."""

_DIGESTS_A_ROW = 7000
"""56 KB; a cell holds 64 KiB."""

_BEFORE_AGES = datetime(1, 1, 1, tzinfo=UTC)
"""Of a snapshot that was written without an age: every run since is newer."""


@dataclass(frozen=True)
class Snapshot:
    """The run that counts for a day and a store (or all stores)."""

    day: date
    store: str
    run_id: str
    version: Version
    pushed: bool = False
    """It came as a file, not from the ERP."""
    found: Mapping[str, Tally] = field(default_factory=dict)
    """What the run has of each store that this snapshot speaks for. A store of which it has nothing is left out, but
    where it took it over from a pull: nothing is what counts there then, and older data stays without effect."""
    displaced: frozenset[str] = frozenset()
    """Older runs that lost sales to this one: they win them back when this one is replaced."""
    pending: bool = False
    """SalesMetrics has yet to be brought up to date with it."""
    etag: str = field(default="", compare=False)

    @property
    def key(self) -> str:
        """The row key."""
        return join_key("snapshot", self.day.isoformat(), self.store)

    def values(self) -> dict[str, Value]:
        """Return the snapshot as a table row. DataRefused for more stores than a row can hold."""
        found = {store: [one.amount_minor, one.units_sold, one.transactions] for store, one in self.found.items()}
        try:
            cells = long_cells("found", found)
        except ValueError:
            raise DataRefused(
                f"the sales of {self.day.isoformat()} name {len(found)} stores, too many to keep"
            ) from None
        return cells | {
            "runId": self.run_id,
            "asOf": to_iso(self.version.as_of),
            "sequence": self.version.sequence,
            "pushed": self.pushed,
            "pending": self.pending,
            **long_cells("displaced", sorted(self.displaced)),
        }


@dataclass(frozen=True)
class DayOfSnapshots:
    """All snapshots of one day, and from them: which run governs a store."""

    snapshots: tuple[Snapshot, ...]

    @cached_property
    def _by_store(self) -> Mapping[str, Snapshot]:
        return {item.store: item for item in self.snapshots}

    @property
    def whole(self) -> Snapshot | None:
        """The snapshot of all stores."""
        return self._by_store.get(ALL_STORES)

    def governing(self, store: str) -> Snapshot | None:
        """Return the snapshot that counts for a store."""
        own, whole = self._by_store.get(store), self.whole
        if own is None or whole is None or own is whole:
            return own or whole
        speaks = store in whole.found or not own.pushed
        return whole if speaks and whole.version > own.version else own

    def governs(self, run_id: str, store: str) -> bool:
        """Tell whether a run is the one that counts for a store."""
        governing = self.governing(store)
        return governing is not None and governing.run_id == run_id

    def counts(self, run_id: str) -> bool:
        """Tell whether a run may count for any store."""
        return any(item.run_id == run_id and self.governing(item.store) is item for item in self.snapshots)

    @property
    def stores(self) -> set[str]:
        """Every store that anything is known of."""
        return {store for item in self.snapshots for store in (item.store, *item.found)} - {ALL_STORES}

    def found(self) -> dict[str, Tally]:
        """Return what counts in each store, before any sale that counts elsewhere is taken out."""
        found: dict[str, Tally] = {}
        for store in self.stores:
            governing = self.governing(store)
            if governing and (tally := governing.found.get(store)):
                found[store] = tally
        return found

    def pending(self) -> list[str]:
        """Return the runs that count and are yet to be published, the oldest first."""
        waiting = {item.run_id: item.version for item in self.snapshots if item.pending}
        return [run_id for run_id in sorted(waiting, key=lambda one: waiting[one]) if self.counts(run_id)]

    def with_run(self, snapshots: Iterable[Snapshot]) -> "DayOfSnapshots":
        """Return the day as it is with some snapshots in the place of those of the same stores."""
        return DayOfSnapshots(tuple({**self._by_store, **{item.store: item for item in snapshots}}.values()))


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
            key_before=end_of_prefix(join_key("snapshot", last.isoformat(), "")),
        )
        return (_snapshot(row) for row in rows)

    def promote(
        self,
        run: ImportRun,
        stores: tuple[str, ...],
        found: Mapping[str, Tally] | None = None,
        check: Callable[[DayOfSnapshots, DayOfSnapshots], None] = lambda _before, _after: None,
    ) -> None:
        """Let a run count for the stores (or ALL_STORES) for which no newer data counts already.

        `found` is what it has of each store. `check` is shown the day before and after, and may raise: then nothing
        changes. A snapshot takes over from the one it replaces the runs to look at again, and that run itself, so that
        a worker that is killed afterwards leaves the list behind.
        """
        contention = Contention(f"what counts on {run.day.isoformat()}")
        while True:
            day = self.of_day(run.day)
            new = _promoted(day, run, stores, found or {})
            after = day.with_run(new)
            check(day, after)
            try:
                write_all(self._table, self._tenant, _operations(day, after, new))
            except (RowChanged, RowExists):
                contention.pause()
                continue
            return

    def would_count(
        self, run: ImportRun, stores: tuple[str, ...], found: Mapping[str, Tally]
    ) -> tuple[DayOfSnapshots, DayOfSnapshots] | None:
        """Return the day before and after `promote`; None when newer data counts for all of its stores."""
        day = self.of_day(run.day)
        new = _promoted(day, run, stores, found)
        return (day, day.with_run(new)) if new else None

    def note_displaced(self, run: ImportRun, displaced: set[str], *, keep: bool) -> None:
        """Write the runs that lose sales to a run on its snapshots: before they are looked at again with the noted
        ones kept, afterwards without.
        """

        def note(item: Snapshot) -> Snapshot:
            return replace(item, displaced=frozenset(displaced | item.displaced if keep else displaced))

        self._change(run.day, {run.run_id}, note)

    def settle(self, day: date, run_ids: Collection[str], known: DayOfSnapshots) -> None:
        """Note that SalesMetrics holds what these runs have; `known` is the day as it was read before."""
        self._change(day, run_ids, lambda item: replace(item, pending=False), known)

    def _change(
        self,
        day: date,
        run_ids: Collection[str],
        change: Callable[[Snapshot], Snapshot],
        known: DayOfSnapshots | None = None,
    ) -> None:
        """Change the snapshots of some runs on a day, over what others change meanwhile."""
        contention = Contention(f"what counts on {day.isoformat()}")
        while True:
            present = known or self.of_day(day)
            changed = [(item, change(item)) for item in present.snapshots if item.run_id in run_ids]
            operations: list[Operation] = [
                Replace(old.key, new.values(), old.etag) for old, new in changed if new != old
            ]
            try:
                write_all(self._table, self._tenant, operations)
            except RowChanged:
                known = None
                contention.pause()
                continue
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
            rows = self._table.query(self._tenant, key_from=prefix, key_before=end_of_prefix(prefix), select=["runId"])
            delete_all(self._table, self._tenant, [row.key for row in rows])

    def digests_around(self, day: date) -> Iterator[tuple[date, str, "array[int]"]]:
        """Yield (day, run ID, some of its digests) of the days near a day."""
        rows = self._table.query(
            self._tenant,
            key_from=join_key("digests", (day - WINDOW).isoformat(), ""),
            key_before=end_of_prefix(join_key("digests", (day + WINDOW).isoformat(), "")),
        )
        for row in rows:
            _, one_day, run_id, _ = split_key(row.key)
            content = row.values["digests"]
            assert isinstance(content, bytes)
            yield date.fromisoformat(one_day), run_id, array("Q", content)


def _promoted(
    day: DayOfSnapshots, run: ImportRun, stores: tuple[str, ...], found: Mapping[str, Tally]
) -> list[Snapshot]:
    """Return the snapshots that a run gets: for each store where it is newer than what counts."""
    promoted: list[Snapshot] = []
    for store in stores:
        old = next((item for item in day.snapshots if item.store == store), None)
        if old and old.version >= run.version:
            continue
        own = {**_taken_over(day), **found} if store == ALL_STORES else {store: found[store]} if store in found else {}
        new = Snapshot(run.day, store, run.run_id, run.version, run.source == "file", own, pending=True)
        after = day.with_run([new])
        if after.governing(store) is not new:
            continue
        others = day.snapshots if store == ALL_STORES else ()
        covered = [item for item in others if item is not old and after.governing(item.store) is not item]
        displaced = frozenset[str]().union(*({item.run_id, *item.displaced} for item in (*covered, old) if item))
        if store != ALL_STORES and day.whole:
            displaced |= day.whole.displaced
        promoted.append(replace(new, displaced=displaced - {run.run_id}))
    return promoted


def _taken_over(day: DayOfSnapshots) -> dict[str, Tally]:
    """Return nothing for each store that a pull speaks for already: the next pull of all stores speaks for it too."""
    governing = {store: day.governing(store) for store in day.stores}
    return {store: Tally() for store, one in governing.items() if one and not one.pushed}


def _operations(day: DayOfSnapshots, after: DayOfSnapshots, new: Sequence[Snapshot]) -> list[Operation]:
    """Return what is to be written: the new snapshots first, then those go that count nowhere any more."""
    present = {item.store: item for item in day.snapshots}
    operations: list[Operation] = []
    for item in new:
        old = present.get(item.store)
        operations.append(Replace(item.key, item.values(), old.etag) if old else Insert(item.key, item.values()))
    gone = [item for item in after.snapshots if item.etag and after.governing(item.store) is not item]
    return operations + [Delete(item.key, item.etag) for item in gone]


def _snapshot(row: Row) -> Snapshot:
    _, day, store = split_key(row.key)
    values = row.values
    as_of = from_iso(str(values["asOf"])) if "asOf" in values else _BEFORE_AGES
    found = read_long_cells("found", values) if "found" in values else {}
    return Snapshot(
        date.fromisoformat(day),
        store,
        str(values["runId"]),
        Version(as_of, int(str(values["sequence"]))),
        bool(values.get("pushed", False)),
        {name: Tally(*tally) for name, tally in found.items()},
        frozenset(read_long_cells("displaced", values)),
        bool(values.get("pending", False)),
        row.etag,
    )
