"""The log of pulls from Microsoft Graph, whose turn it is, and how far Graph's changes were applied (INC-33).

Table ProvisioningSyncs, partition tenant:
  newest first + run ID   a run
  `~state`                the last run with its number, and the link to the changes after those that were applied;
                          written with a run's beginning and end in one transaction
"""

import json
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from shared.kernel.clock import from_iso, to_iso
from shared.kernel.errors import NotFound
from shared.kernel.identifiers import key_if_any, newest_first
from shared.kernel.table import Insert, Operation, Page, Replace, Row, RowChanged, RowExists, Table, Value

_STATE = "~state"


class SyncStatus(StrEnum):
    """How far a pull is."""

    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    PARTIAL_SUCCESS = "PartialSuccess"
    """Everybody was taken over as far as possible; the failure says what could not be."""
    FAILED = "Failed"


@dataclass(frozen=True)
class SyncCounts:
    """What a pull came to: users."""

    created: int = 0
    changed: int = 0
    unchanged: int = 0
    deactivated: int = 0
    removed: int = 0
    refused: int = 0

    def plus(self, outcomes: dict[str, int]) -> "SyncCounts":
        """Return the counts with more outcomes, by the names of the counts."""
        return SyncCounts(**{name: count + outcomes.get(name, 0) for name, count in asdict(self).items()})


@dataclass(frozen=True)
class SyncRun:
    """A pull. `link` leads to the next page to read, "" to the first one of everybody.

    `sequence` numbers the runs of a tenant. `full`: everybody is read. `turn` counts the workers that took the run up,
    and its starts from scratch; `since` is the turn in which reading everybody began.
    """

    run_id: str
    started_by: str
    started_at: datetime
    sequence: int
    full: bool
    link: str = ""
    status: SyncStatus = SyncStatus.RUNNING
    turn: int = 0
    since: int = 0
    restarts: int = 0
    pages: int = 0
    counts: SyncCounts = SyncCounts()
    failure: str = ""
    finished_at: datetime | None = None
    progress_at: datetime | None = None
    etag: str = field(default="", compare=False)

    def position(self, turn: int) -> str:
        """Return a turn so that those of later runs, and later ones of the same run, are greater as text."""
        return f"{self.sequence:010d}.{turn:06d}"


@dataclass(frozen=True)
class SyncState:
    """The last run, "" for none, its number, and the link to what changed since the last round that was applied."""

    run_id: str = ""
    sequence: int = 0
    link: str = ""
    etag: str = field(default="", compare=False)


class SyncRunStore:
    """The pulls of one tenant."""

    def __init__(self, table: Table, tenant: str) -> None:
        """Keep the table."""
        self._table = table
        self._tenant = tenant

    def state(self) -> SyncState:
        """Return whose turn it is, and how far changes were applied."""
        row = self._table.get(self._tenant, _STATE)
        if row is None:
            return SyncState()
        values = row.values
        return SyncState(str(values["runId"]), int(str(values["sequence"])), str(values["link"]), row.etag)

    def begin(self, run: SyncRun, state: SyncState) -> bool:
        """Store a new run whose turn it is; False when another one began since the state was read."""
        given = replace(state, run_id=run.run_id, sequence=run.sequence)
        try:
            self._table.transact(self._tenant, [Insert(newest_first(run.run_id), _values(run)), _keep(given)])
        except (RowChanged, RowExists):
            # It may have been begun by this very request, whose answer was lost and which was sent again.
            return self.state().run_id == run.run_id
        return True

    def get(self, run_id: str) -> SyncRun:
        """Return a run. NotFound."""
        key = key_if_any(run_id)
        row = self._table.get(self._tenant, key) if key else None
        if row is None:
            raise NotFound(f"there is no provisioning sync {run_id!r}")
        return _run(row)

    def save(self, run: SyncRun) -> SyncRun:
        """Write a run over the version that it was read as. RowChanged when somebody was faster."""
        row = Row(self._tenant, newest_first(run.run_id), {}, run.etag)
        try:
            return replace(run, etag=self._table.replace(row, _values(run)))
        except RowChanged:
            # It may have been written by this very request, whose answer was lost and which was sent again.
            stored = self.get(run.run_id)
            if _values(stored) != _values(run):
                raise
            return stored

    def end(self, run: SyncRun, link: str) -> None:
        """Write a run's end, and with it the link to what changes from now on. RowChanged when somebody was faster."""
        state = self.state()
        written = Replace(newest_first(run.run_id), _values(run), run.etag)
        self._table.transact(self._tenant, [written, _keep(replace(state, link=link))])

    def page(self, size: int, position: str | None) -> Page:
        """Return a page of rows, newest first; `sync_runs_of` reads them."""
        return self._table.page(self._tenant, size=size, position=position, key_before=_STATE)


def sync_runs_of(page: Page) -> list[SyncRun]:
    """Return the runs on a page."""
    return [_run(row) for row in page.rows]


def _keep(state: SyncState) -> Operation:
    values: dict[str, Value] = {"runId": state.run_id, "sequence": state.sequence, "link": state.link}
    return Replace(_STATE, values, state.etag) if state.etag else Insert(_STATE, values)


def _values(run: SyncRun) -> dict[str, Value]:
    values: dict[str, Value] = {
        "runId": run.run_id,
        "startedBy": run.started_by,
        "startedAt": to_iso(run.started_at),
        "sequence": run.sequence,
        "full": run.full,
        "link": run.link,
        "status": run.status.value,
        "turn": run.turn,
        "since": run.since,
        "restarts": run.restarts,
        "pages": run.pages,
        "counts": json.dumps(asdict(run.counts)),
        "failure": run.failure,
    }
    times = {"finishedAt": run.finished_at, "progressAt": run.progress_at}
    return values | {name: to_iso(at) for name, at in times.items() if at}


def _run(row: Row) -> SyncRun:
    values = row.values
    finished, progress = values.get("finishedAt"), values.get("progressAt")
    return SyncRun(
        run_id=str(values["runId"]),
        started_by=str(values["startedBy"]),
        started_at=from_iso(str(values["startedAt"])),
        sequence=int(str(values["sequence"])),
        full=values["full"] is True,
        link=str(values["link"]),
        status=SyncStatus(str(values["status"])),
        turn=int(str(values["turn"])),
        since=int(str(values["since"])),
        restarts=int(str(values["restarts"])),
        pages=int(str(values["pages"])),
        counts=SyncCounts(**json.loads(str(values["counts"]))),
        failure=str(values["failure"]),
        finished_at=from_iso(str(finished)) if finished else None,
        progress_at=from_iso(str(progress)) if progress else None,
        etag=row.etag,
    )
