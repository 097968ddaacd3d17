"""The log of calculations of whole periods. Table CalculationRuns: partition tenant, row key newest first."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from shared.kernel.clock import from_iso, to_iso
from shared.kernel.errors import NotFound
from shared.kernel.identifiers import key_if_any, newest_first
from shared.kernel.table import Page, Row, Table, Value


class RunStatus(StrEnum):
    """How far a run is."""

    QUEUED = "Queued"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


@dataclass(frozen=True)
class CalculationRun:
    """One calculation of a period: how many calculations became what, and what they come to (minor units)."""

    run_id: str
    period: str
    started_by: str
    started_at: datetime
    status: RunStatus = RunStatus.QUEUED
    created: int = 0
    replaced: int = 0
    unchanged: int = 0
    withdrawn: int = 0
    """Of the replaced ones: nothing leads to them any more, they come to 0.00."""
    differing: int = 0
    """Pending, approved or exported ones that would come to something else now: left as they are, to be amended."""
    differing_ids: tuple[str, ...] = ()
    """The first of them."""
    not_eligible: int = 0
    net_minor: int = 0
    finished_at: datetime | None = None
    failure: str = ""
    queued_at: datetime | None = None
    """When its message was decided to be sent, the last time; None for a run that an import asked for."""
    progress_at: datetime | None = None
    """When an execution last began or finished a part of it."""
    checkpoint: str = ""
    """How far it is (`Progress` as JSON): where the next execution goes on. Empty before the first one."""
    etag: str = field(default="", compare=False)

    @property
    def occurrence(self) -> str:
        """Names one beginning of the run: an import that is published again has it begin again."""
        return f"{self.run_id}-{to_iso(self.started_at)}"


class CalculationRunStore:
    """The calculation runs of one tenant."""

    def __init__(self, table: Table, tenant: str) -> None:
        """Keep the table."""
        self._table = table
        self._tenant = tenant

    def put(self, run: CalculationRun) -> CalculationRun:
        """Write a run, whatever stands there."""
        return replace(run, etag=self._table.put(self._tenant, newest_first(run.run_id), _values(run)))

    def save(self, run: CalculationRun) -> CalculationRun:
        """Write a run over the version that it was read as. RowChanged when somebody was faster."""
        row = Row(self._tenant, newest_first(run.run_id), {}, run.etag)
        return replace(run, etag=self._table.replace(row, _values(run)))

    def unfinished(self) -> Iterator[CalculationRun]:
        """Yield the runs that no worker has begun, and those that have begun and not ended."""
        for status in (RunStatus.QUEUED, RunStatus.RUNNING):
            yield from (_run(row) for row in self._table.query(self._tenant, equal={"status": status.value}))

    def get(self, run_id: str) -> CalculationRun:
        """Return a run. NotFound."""
        if run := self.find(run_id):
            return run
        raise NotFound(f"there is no calculation run {run_id!r}")

    def find(self, run_id: str) -> CalculationRun | None:
        """Return a run, or None."""
        key = key_if_any(run_id)
        row = self._table.get(self._tenant, key) if key else None
        return _run(row) if row else None

    def page(self, size: int, position: str | None) -> Page:
        """Return a page of rows, newest first; `calculation_runs_of` reads them."""
        return self._table.page(self._tenant, size=size, position=position)


def calculation_runs_of(page: Page) -> list[CalculationRun]:
    """Return the runs on a page."""
    return [_run(row) for row in page.rows]


_COUNTS = ("created", "replaced", "unchanged", "withdrawn", "differing", "not_eligible", "net_minor")


def _values(run: CalculationRun) -> dict[str, Value]:
    values: dict[str, Value] = {
        "runId": run.run_id,
        "period": run.period,
        "startedBy": run.started_by,
        "startedAt": to_iso(run.started_at),
        "status": run.status.value,
        "failure": run.failure,
        "checkpoint": run.checkpoint,
        "differingIds": " ".join(run.differing_ids),
        **{name: int(getattr(run, name)) for name in _COUNTS},
    }
    instants = {"finishedAt": run.finished_at, "queuedAt": run.queued_at, "progressAt": run.progress_at}
    return values | {name: to_iso(instant) for name, instant in instants.items() if instant}


def _run(row: Row) -> CalculationRun:
    values = row.values

    def instant(name: str) -> datetime | None:
        return from_iso(str(values[name])) if name in values else None

    counts: dict[str, Any] = {name: values[name] for name in _COUNTS}
    return CalculationRun(
        run_id=str(values["runId"]),
        period=str(values["period"]),
        started_by=str(values["startedBy"]),
        started_at=from_iso(str(values["startedAt"])),
        status=RunStatus(str(values["status"])),
        failure=str(values["failure"]),
        differing_ids=tuple(str(values.get("differingIds", "")).split()),
        finished_at=instant("finishedAt"),
        queued_at=instant("queuedAt"),
        progress_at=instant("progressAt"),
        checkpoint=str(values.get("checkpoint", "")),
        etag=row.etag,
        **counts,
    )
