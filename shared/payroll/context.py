"""What the use cases of payroll work with: stores, ports, rules."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import time, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from shared.kernel.blob import BlobContainer
from shared.kernel.clock import Clock
from shared.kernel.file_transfer import FileTransfer
from shared.kernel.identifiers import NewId
from shared.kernel.json_client import JsonPoster
from shared.kernel.message import Queues
from shared.kernel.pay_period import PayCalendar
from shared.kernel.table import Table
from shared.payroll.export_store import ExportStore
from shared.payroll.records import Payable, Payee

EXPORT_QUEUE = "payroll-exports"
NOTIFICATION_QUEUE = "notifications"


@dataclass(frozen=True)
class Settlement:
    """What became of a calculation at payroll: exported, or refused for a reason."""

    calculation_id: str
    reason: str = ""


class Payables(Protocol):
    """The port to the calculations."""

    def approved(self, period: str) -> Iterator[Payable]:
        """Yield what is approved and not exported, in the order of the IDs."""
        ...

    def undecided(self, period: str) -> Sequence[str]:
        """Return the IDs of calculations and amendments that wait for a decision."""
        ...

    def unsubmitted(self, period: str) -> int:
        """Return how many calculations with an amount nobody has submitted: they are paid to nobody."""
        ...

    def settle(self, period: str, settlements: Sequence[Settlement], export_id: str) -> int:
        """Mark calculations as exported or keep payroll's reason; return how many are marked now. Idempotent."""
        ...


@dataclass(frozen=True)
class PayrollRules:
    """How is exported; see the settings of the same names."""

    currency: str
    earnings_code: str
    pay_calendar: PayCalendar
    time_zone: ZoneInfo
    deadline_days: timedelta
    deadline_time: time


@dataclass(frozen=True)
class PayrollContext:
    """Everything that payroll needs from outside, for one tenant."""

    tenant: str
    rules: PayrollRules
    clock: Clock
    new_id: NewId
    queues: Queues
    exports: ExportStore
    archive: BlobContainer
    audit: Table
    payables: Payables
    payees: Callable[[str], Mapping[str, Payee | None]]
    """Period -> whose pay it is, by employee ID; None where two people had it, and only a person can tell."""
    payroll: Callable[[], JsonPoster]
    transfer: Callable[[], FileTransfer]
    hold: Callable[[str], AbstractContextManager[Callable[[], None]]]
    """Opens while nobody else works on the export of that ID, and gives what prolongs this; Busy otherwise."""
