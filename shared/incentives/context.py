"""What the use cases of the incentives work with: stores, ports, rules."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from shared.incentives.calculate import Assignment, SalesDay
from shared.incentives.calculation_runs import CalculationRunStore
from shared.incentives.calculation_store import CalculationStore
from shared.incentives.plan_file import Plans
from shared.incentives.plan_versions import PlanVersionStore
from shared.incentives.untold_decisions import UntoldDecisions
from shared.kernel.blob import BlobContainer
from shared.kernel.clock import Clock
from shared.kernel.identifiers import NewId
from shared.kernel.identities import Identities
from shared.kernel.message import Queues
from shared.kernel.pay_period import PayCalendar, PayPeriod

CALCULATION_QUEUE = "calculation-requests"
NOTIFICATION_QUEUE = "notifications"


@dataclass(frozen=True)
class Staff:
    """An employee as the incentives need them in a period. `identities`: everything that they may sign in as."""

    employee_id: str
    assignments: Sequence[Assignment]
    identities: Identities = field(default=Identities(), repr=False)


@dataclass(frozen=True, slots=True)
class Seller:
    """An employee who sold something in a period. `assignments`: None where nobody is known by this ID."""

    employee_id: str
    sales: Sequence[SalesDay]
    assignments: Sequence[Assignment] | None


@dataclass(frozen=True)
class IncentiveContext:
    """Everything that the incentives need from outside, for one tenant."""

    tenant: str
    clock: Clock
    new_id: NewId
    queues: Queues
    currency: str
    pay_calendar: PayCalendar
    plans: Callable[[], Plans]
    sellers: Callable[[PayPeriod], Iterator[Seller]]
    """Everybody who sold something, read a page at a time, in any order."""
    staff: Callable[[PayPeriod], Iterator[Staff]]
    """Everybody who is known, read a page at a time: whoever keeps them all keeps too much."""
    staff_member: Callable[[str, PayPeriod], Staff | None]
    provisioned: Callable[[Identities], Identities]
    """What somebody is called -> everything that the directory calls them; nothing for whom it does not know."""
    four_eyes: bool
    """Whoever ran or submitted a calculation does not approve it."""
    calculations: CalculationStore
    runs: CalculationRunStore
    plan_versions: PlanVersionStore
    untold: UntoldDecisions
    inbox: BlobContainer
    quarantine: BlobContainer
