"""The log of full syncs. Table HrSyncRuns: partition tenant, row key newest first (INC-24)."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from shared.kernel.clock import from_iso, to_iso
from shared.kernel.errors import NotFound
from shared.kernel.identifiers import key_if_any, newest_first
from shared.kernel.table import Page, Row, Table, Value


class SyncStatus(StrEnum):
    """How far a full sync is."""

    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    PARTIAL_SUCCESS = "PartialSuccess"
    """Everybody who was there was taken over; who is gone could not be told (see the failure)."""
    FAILED = "Failed"


@dataclass(frozen=True)
class SyncCounts:
    """What a full sync found: people."""

    created: int = 0
    updated: int = 0
    terminated: int = 0
    unchanged: int = 0
    refused: int = 0


@dataclass(frozen=True)
class SyncRun:
    """One full sync; `page` is the next one to read."""

    run_id: str
    started_by: str
    started_at: datetime
    status: SyncStatus = SyncStatus.RUNNING
    page: int = 1
    counts: SyncCounts = SyncCounts()
    failure: str = ""
    finished_at: datetime | None = None
    progress_at: datetime | None = None
    total_records: int | None = None
    """How many employees the HR system said it has on the first page."""
    etag: str = field(default="", compare=False)


class SyncRunStore:
    """The full syncs of one tenant."""

    def __init__(self, table: Table, tenant: str) -> None:
        """Keep the table."""
        self._table = table
        self._tenant = tenant

    def create(self, run: SyncRun) -> SyncRun:
        """Store a new run."""
        return replace(run, etag=self._table.insert(self._tenant, newest_first(run.run_id), _values(run)))

    def get(self, run_id: str) -> SyncRun:
        """Return a run. NotFound."""
        key = key_if_any(run_id)
        row = self._table.get(self._tenant, key) if key else None
        if row is None:
            raise NotFound(f"there is no employee sync {run_id!r}")
        return _run(row)

    def save(self, run: SyncRun) -> SyncRun:
        """Write a run over the version that it was read as. RowChanged when somebody was faster."""
        row = Row(self._tenant, newest_first(run.run_id), {}, run.etag)
        return replace(run, etag=self._table.replace(row, _values(run)))

    def page(self, size: int, position: str | None) -> Page:
        """Return a page of rows, newest first; `sync_runs_of` reads them."""
        return self._table.page(self._tenant, size=size, position=position)

    def running(self) -> Iterator[SyncRun]:
        """Yield the runs that are not finished."""
        return (_run(row) for row in self._table.query(self._tenant, equal={"status": SyncStatus.RUNNING.value}))


def sync_runs_of(page: Page) -> list[SyncRun]:
    """Return the runs on a page."""
    return [_run(row) for row in page.rows]


def _values(run: SyncRun) -> dict[str, Value]:
    values: dict[str, Value] = {
        "runId": run.run_id,
        "startedBy": run.started_by,
        "startedAt": to_iso(run.started_at),
        "status": run.status.value,
        "page": run.page,
        "counts": json.dumps(asdict(run.counts)),
        "failure": run.failure,
    }
    if run.finished_at:
        values["finishedAt"] = to_iso(run.finished_at)
    if run.progress_at:
        values["progressAt"] = to_iso(run.progress_at)
    if run.total_records is not None:
        values["totalRecords"] = run.total_records
    return values


def _run(row: Row) -> SyncRun:
    values = row.values
    finished, progress, total = values.get("finishedAt"), values.get("progressAt"), values.get("totalRecords")
    return SyncRun(
        str(values["runId"]),
        str(values["startedBy"]),
        from_iso(str(values["startedAt"])),
        SyncStatus(str(values["status"])),
        int(str(values["page"])),
        SyncCounts(**json.loads(str(values["counts"]))),
        str(values["failure"]),
        from_iso(str(finished)) if finished else None,
        from_iso(str(progress)) if progress else None,
        int(str(total)) if total is not None else None,
        row.etag,
    )
