"""An export: a stored sequence of steps, each recorded before the next one begins (INC-56)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum


class Step(StrEnum):
    """What an export does, in this order. Each step gives the same result however often it is done."""

    FREEZE = "Freeze"
    """Collect what is approved and write down the records: nothing that happens later changes the batch."""
    ARCHIVE = "Archive"
    """The CSV to the blob store."""
    POST = "Post"
    """The batch to payroll, always under the export's own ID as idempotency key."""
    VERIFY = "Verify"
    """Compare the control totals that came back."""
    TRANSFER = "Transfer"
    """The CSV to SFTP, always under the same name."""
    SETTLE = "Settle"
    """Mark what payroll accepted as exported; keep payroll's reason at what it refused; write the audit record."""
    NOTIFY = "Notify"
    """Tell finance."""


STEPS = tuple(Step)


class ExportStatus(StrEnum):
    """How far an export is."""

    RUNNING = "Running"
    COMPLETED = "Completed"
    EMPTY = "Empty"
    """By the time it collected there was nothing left to pay."""
    STOPPED = "Stopped"
    """Something is wrong that a person must look at; it goes on by being resumed."""

    @property
    def final(self) -> bool:
        """Tell whether nothing follows any more."""
        return self in (ExportStatus.COMPLETED, ExportStatus.EMPTY)


@dataclass(frozen=True)
class ControlTotals:
    """How many records, and what they come to in minor units."""

    record_count: int = 0
    total_minor: int = 0


@dataclass(frozen=True)
class Approved:
    """Calculations that are approved and in no export: how many, and what they come to in minor units."""

    count: int
    total_minor: int


@dataclass(frozen=True)
class Export:
    """One export of a period. The first is sequence 1, the following ones are delta exports."""

    export_id: str
    period: str
    sequence: int
    trigger: str
    started_by: str
    started_at: datetime
    currency: str
    force: bool = False
    seen: Approved | None = None
    """What the caller saw who triggered it; None for the timer, which exports whatever is approved."""
    seen_blob: str = ""
    """The IDs of these calculations in container `exports`."""
    status: ExportStatus = ExportStatus.RUNNING
    step: Step | None = Step.FREEZE
    """The next one to do, None after the last."""
    completed: Mapping[str, str] = field(default_factory=dict)
    """Step -> when it was completed."""
    frozen_blob: str = ""
    totals: ControlTotals = ControlTotals()
    calculations: int = 0
    withheld: Mapping[str, str] = field(default_factory=dict)
    """Employee ID -> why he is not in the batch; his calculations stay approved. At most 100 are named."""
    withheld_count: int = 0
    csv_size: int = 0
    csv_sha256: str = ""
    csv_path: str = ""
    """Where it lies on SFTP."""
    csv_part: str = ""
    """The temporary name under which it lay there whole, about to be renamed."""
    csv_taken: bool = False
    """It was gone under both names when its delivery was done again: payroll has taken it."""
    payroll_batch_id: str = ""
    payroll_status: str = ""
    answered: ControlTotals | None = None
    records_accepted: int = 0
    records_rejected: int = 0
    accepted_minor: int = 0
    answer_blob: str = ""
    """Payroll's answer in container `exports`."""
    stops: int = 0
    """How often it was stopped: each stop is told anew."""
    failure_code: str = ""
    failure: str = ""
    progress_at: datetime | None = None
    finished_at: datetime | None = None
    etag: str = field(default="", compare=False)

    @property
    def export_date(self) -> date:
        """The day in UTC that batch and file are dated with, in every attempt."""
        return self.started_at.date()

    @property
    def csv_blob(self) -> str:
        """The archived CSV in container `exports`."""
        return f"{self.period}/{self.export_id}.csv"

    @property
    def file_name(self) -> str:
        """The CSV's name on SFTP."""
        return f"{self.export_id}.csv"
