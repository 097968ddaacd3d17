"""Import runs: the import log, newest first (INC-06).

Table ImportRuns: partition tenant, row key newest-first time + run ID, so that the log is a range scan and a run
is a point read. The row `~sequence` beside them numbers the runs of a tenant and keeps from when the data of the last
pull is: of two runs over the same sales, the one with the higher `Version` counts (INC-07).
A row `~waiting|run ID` stands for each run that waits for confirmation, however old it is.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any

from shared.kernel.clock import from_iso, to_iso
from shared.kernel.contention import Contention
from shared.kernel.errors import NotFound
from shared.kernel.identifiers import key_if_any, newest_first
from shared.kernel.keys import end_of_prefix, join_key
from shared.kernel.long_cells import long_cells, read_long_cells
from shared.kernel.table import Insert, Page, Put, Replace, Row, RowChanged, RowExists, Table, Value
from shared.sales.drops import Drop
from shared.sales.models import RejectReason

_SEQUENCE = "~sequence"
"""Sorts after every run key (they begin with a hexadecimal digit)."""
_WAITING = "~waiting"
"""Sorts after `_SEQUENCE`."""


class RunStatus(StrEnum):
    """How far a run is. The last four are final; one that needs confirmation waits for a person."""

    QUEUED = "Queued"
    STAGING = "Staging"
    PUBLISHING = "Publishing"
    NEEDS_CONFIRMATION = "NeedsConfirmation"
    """It would let stores drop that sold more before (`drops`); nothing of it counts until somebody says so."""
    SUCCEEDED = "Succeeded"
    PARTIAL_SUCCESS = "PartialSuccess"
    """Published, without the records that were rejected, or by a source whose pages repeat records."""
    SUPERSEDED = "Superseded"
    """Newer data was published first; this run changed nothing."""
    FAILED = "Failed"

    @property
    def final(self) -> bool:
        """Tell whether the run has ended."""
        return self in _FINAL


_FINAL = (RunStatus.SUCCEEDED, RunStatus.PARTIAL_SUCCESS, RunStatus.SUPERSEDED, RunStatus.FAILED)


class Trigger(StrEnum):
    """What started a run."""

    TIMER = "Timer"
    MANUAL = "Manual"
    API = "Api"
    FILE = "File"
    WATCHDOG = "Watchdog"


@dataclass(frozen=True, order=True)
class Version:
    """How new the data of a run is: of two runs over the same sales the greater one counts.

    `as_of` is when a file was last written, or when a pull began, in whole seconds; runs of the same second count in
    the order in which they were made.
    """

    as_of: datetime
    sequence: int


@dataclass(frozen=True)
class ImportRun:
    """One import of the sales of a business day. Amounts in minor units, durations in seconds."""

    run_id: str
    tenant: str
    source: str
    day: date
    trigger: Trigger
    started_by: str
    requested_at: datetime
    status: RunStatus = RunStatus.QUEUED
    store_id: str = ""
    """The only store that was asked for; empty: all."""
    file_name: str = ""
    file_etag: str = ""
    correlation_id: str = ""
    sequence: int = 0
    as_of: datetime | None = None
    """From when its data is; None before the run is stored."""
    generation: int = 1
    """Counts the attempts to read a source that changed while it was read."""
    slice_count: int = 0
    """0 while it is not known."""
    total_records: int = -1
    """What the source says it holds; -1 while it is not known."""
    progress_at: datetime | None = None
    finished_at: datetime | None = None
    pages: int = 0
    records_read: int = 0
    rejected: int = 0
    rejected_by_reason: Mapping[str, int] = field(default_factory=dict)
    duplicates: int = 0
    repeated: int = 0
    """Records of a transaction that came before on another page, and are there again when those pages are asked for
    again: the source holds them twice, or pages in an order that leaves others out."""
    staged: int = 0
    staged_amount_minor: int = 0
    published: int = 0
    published_amount_minor: int = 0
    held: int = 0
    held_amount_minor: int = 0
    unmapped_employees: int = 0
    elsewhere: int = 0
    """Sales that a run which began later holds, under another day or store."""
    elsewhere_amount_minor: int = 0
    data_as_of: str = ""
    drops: tuple[Drop, ...] = ()
    """What sold more before than it does by this run, the greatest loss first; at most MOST_DROPS of them."""
    confirmed_by: str = ""
    """Who said that the drops are right."""
    failure_code: str = ""
    failure: str = ""
    waiting_code: str = ""
    """Why the run waits for its next attempt; empty while it does not."""
    waiting: str = ""
    tries: int = 0
    """How often what it waits for was tried."""
    next_attempt_at: datetime | None = None
    staging_seconds: float = 0.0
    publishing_seconds: float = 0.0
    etag: str = field(default="", compare=False)

    @property
    def distinct(self) -> int:
        """How many of the records read are of transactions of their own, as far as they can be told."""
        conflicting = self.rejected_by_reason.get(RejectReason.CONFLICTING_DUPLICATE.value, 0)
        return self.records_read - self.duplicates - conflicting

    def values(self) -> dict[str, Value]:
        """Return the run as a table row."""
        cells = {
            _camel(item.name): _cell(value)
            for item in fields(self)
            if item.name not in ("etag", "drops") and (value := getattr(self, item.name)) is not None
        }
        return cells | (long_cells("drops", [asdict(one) for one in self.drops]) if self.drops else {})

    @property
    def version(self) -> Version:
        """How new its data is. A run of before there were ages is as new as the moment when it was asked for."""
        return Version((self.as_of or self.requested_at).replace(microsecond=0), self.sequence)


class RunStore:
    """The runs of one tenant."""

    def __init__(self, table: Table, tenant: str) -> None:
        """Keep the table."""
        self._table = table
        self._tenant = tenant

    def create(self, run: ImportRun) -> ImportRun:
        """Store a new run under the next number of the tenant.

        A pull's data is from when it is asked for, and never from before an earlier number's, whatever the clocks say.
        """
        contention = Contention("the numbering of import runs")
        while True:
            counter = self._table.get(self._tenant, _SEQUENCE)
            number = 1 + (_integer(counter.values, "last") if counter else 0)
            last_pull = _instant(counter.values.get("lastPull")) if counter else _NEVER
            as_of = run.as_of or max(run.requested_at, last_pull)
            numbered = replace(run, sequence=number, as_of=as_of)
            count: dict[str, Value] = {"last": number, "lastPull": to_iso(last_pull if run.as_of else as_of)}
            next_number = Replace(_SEQUENCE, count, counter.etag) if counter else Insert(_SEQUENCE, count)
            try:
                etags = self._table.transact(
                    self._tenant, [Insert(newest_first(run.run_id), numbered.values()), next_number]
                )
            except (RowChanged, RowExists):
                if existing := self.find(run.run_id):
                    return existing
                contention.pause()
                continue
            return replace(numbered, etag=etags[0])

    def find(self, run_id: str) -> ImportRun | None:
        """Return a run, or None."""
        key = key_if_any(run_id)
        row = self._table.get(self._tenant, key) if key else None
        return _run(row) if row else None

    def get(self, run_id: str) -> ImportRun:
        """Return a run. NotFound when there is none."""
        if run := self.find(run_id):
            return run
        raise NotFound(f"there is no import run {run_id!r}")

    def save(self, run: ImportRun) -> ImportRun:
        """Write a run over the version that it was read as. RowChanged when somebody was faster."""
        row = Row(self._tenant, newest_first(run.run_id), {}, run.etag)
        return replace(run, etag=self._table.replace(row, run.values()))

    def save_waiting(self, run: ImportRun) -> None:
        """Write a run that now waits for confirmation, as `save`."""
        operations = (
            Replace(newest_first(run.run_id), run.values(), run.etag),
            Put(join_key(_WAITING, run.run_id), {"runId": run.run_id}),
        )
        self._table.transact(self._tenant, operations)

    def waiting(self) -> Iterator[ImportRun]:
        """Yield the runs that wait for confirmation, the oldest first; forget those that wait no longer."""
        prefix = join_key(_WAITING, "")
        for row in self._table.query(self._tenant, key_from=prefix, key_before=end_of_prefix(prefix)):
            run = self.find(str(row.values["runId"]))
            if run and run.status is RunStatus.NEEDS_CONFIRMATION:
                yield run
                continue
            with suppress(RowChanged):  # it waits again
                self._table.delete(self._tenant, row.key, row.etag)

    def page(self, size: int, position: str | None, equal: Mapping[str, str | int | bool]) -> Page:
        """Return a page of the log, newest first; `runs_of` reads its rows."""
        return self._table.page(self._tenant, size=size, position=position, key_before=_SEQUENCE, equal=equal)

    def since(self, run_id: str) -> Iterator[ImportRun]:
        """Yield the runs made after a run ID (a UUIDv7, whose time is what counts), newest first."""
        rows = self._table.query(self._tenant, key_before=newest_first(run_id))
        return (_run(row) for row in rows)


def runs_of(page: Page) -> list[ImportRun]:
    """Return the runs on a page of the log."""
    return [_run(row) for row in page.rows]


def _run(row: Row) -> ImportRun:
    values = row.values
    given: dict[str, Any] = {
        item.name: values[_camel(item.name)]
        for item in fields(ImportRun)
        if item.name not in ("etag", "drops") and _camel(item.name) in values
    }
    if "drops" in values:
        given["drops"] = tuple(Drop(**one) for one in read_long_cells("drops", values))
    for name, read in _READERS.items():
        if name in given:
            given[name] = read(given[name])
    return ImportRun(**given, etag=row.etag)


_READERS: dict[str, Callable[[Any], Any]] = {
    "day": date.fromisoformat,
    "trigger": Trigger,
    "status": RunStatus,
    "requested_at": from_iso,
    "as_of": from_iso,
    "progress_at": from_iso,
    "finished_at": from_iso,
    "next_attempt_at": from_iso,
    "rejected_by_reason": json.loads,
    "staging_seconds": float,
    "publishing_seconds": float,
}


def _integer(values: Mapping[str, Value], name: str) -> int:
    value = values[name]
    assert isinstance(value, int)
    return value


_NEVER = datetime(1, 1, 1, tzinfo=UTC)


def _instant(value: Value | None) -> datetime:
    return from_iso(value) if isinstance(value, str) else _NEVER


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.title() for part in rest)


def _cell(value: object) -> Value:
    match value:
        case str() | int():
            return value
        case datetime():
            return to_iso(value)
        case date():
            return value.isoformat()
        case float():
            return f"{value:.3f}"
        case _:
            return json.dumps(value, sort_keys=True)
