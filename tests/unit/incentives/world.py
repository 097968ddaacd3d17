"""The incentives with storage in memory: sales and people are lists, plans are objects, the clock is set."""

from collections.abc import Callable, Collection, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

from shared.incentives import decide
from shared.incentives.approvers import Actor
from shared.incentives.calculate import Assignment, SalesDay
from shared.incentives.calculate_period import handle_calculation_message, start_calculation
from shared.incentives.calculation import Calculation, State
from shared.incentives.calculation_runs import CalculationRun, CalculationRunStore
from shared.incentives.calculation_store import CalculationStore
from shared.incentives.context import CALCULATION_QUEUE, IncentiveContext, Seller, Staff
from shared.incentives.decide import Outcome
from shared.incentives.plan import Plan, Tier
from shared.incentives.plan_file import Plans
from shared.incentives.plan_versions import PlanVersionStore
from shared.incentives.seen import Seen, etag_of
from shared.incentives.untold_decisions import UntoldDecisions
from shared.kernel.errors import Busy
from shared.kernel.identities import Identities, identities_of
from shared.kernel.message import parse_message
from shared.kernel.pay_period import PayCalendar, PayPeriod
from tests.fakes import hook
from tests.fakes.blobs import MemoryBlobs
from tests.fakes.queues import MemoryQueues
from tests.fakes.tables import MemoryTables

TENANT, PERIOD = "default", "2025-01"
FIRST, LAST = date(2025, 1, 1), date(2025, 1, 31)


def actor(name: str) -> Actor:
    """Return somebody who works at headquarters, with an address and an employee number of their own."""
    address = f"{name}@retail.example"
    return Actor(name, identities_of(addresses=[address], numbers=[f"HQ-{name}"], names=[name]), address)


ADMIN, APPROVER = actor("admin"), actor("approver")


def seen_now(context: IncentiveContext, ids: Collection[str]) -> dict[str, Seen]:
    """Return what somebody sees who looks at calculations now."""
    found = {key: context.calculations.find(key) for key in ids}
    return {key: Seen(frozenset({etag_of(one)})) for key, one in found.items() if one}


def submit(context: IncentiveContext, ids: Collection[str], by: Actor) -> list[Outcome]:
    """Look at calculations and submit them."""
    return decide.submit(context, ids, by, seen=seen_now(context, ids))


def approve(context: IncentiveContext, ids: Collection[str], by: Actor, note: str = "") -> list[Outcome]:
    """Look at calculations and approve them."""
    return decide.approve(context, ids, by, note, seen=seen_now(context, ids))


def reject(context: IncentiveContext, ids: Collection[str], by: Actor, reason: str) -> list[Outcome]:
    """Look at calculations and reject them."""
    return decide.reject(context, ids, by, reason, seen=seen_now(context, ids))


NOTHING_ELSE = Identities()


class Killed(Exception):
    """The worker died right here."""


def plan(**changes: Any) -> Plan:
    """Return a plan: one per cent of every sale."""
    given: dict[str, Any] = {
        "plan_id": "associates",
        "version": 1,
        "name": "Associates",
        "currency": "EUR",
        "effective_from": date(2024, 1, 1),
        "effective_to": None,
        "tiers": (Tier(0, Decimal("0.01")),),
    }
    return Plan(**(given | changes))


def sold(cents: int, day: date = date(2025, 1, 15), *, units: int = 1, store: str = "S1") -> SalesDay:
    """Return what was sold on a day."""
    return SalesDay(day, store, cents, units)


def assigned(
    first: date = FIRST, last: date | None = None, *, store: str = "S1", role: str = "SalesAssociate"
) -> Assignment:
    """Return an assignment."""
    return Assignment(store, role, first, last)


class _Around(hook.Hook):
    def __init__(self, world: "World") -> None:
        self._world = world

    def before(self, operation: str, place: str, item: str) -> None:
        self._world.hook(operation, place)

    def after(self, operation: str, place: str, item: str) -> None:
        self._world.hook(operation, place)


class World:
    """Everything around the incentives."""

    def __init__(self, *plans: Plan) -> None:
        self.now = datetime(2025, 2, 1, 6, tzinfo=UTC)
        self.hook: Callable[[str, str], None] = lambda _operation, _place: None
        around = _Around(self)
        self.tables, self.blobs = MemoryTables(around), MemoryBlobs(around, lambda: self.now)
        self.queues = MemoryQueues(lambda: self.now, self.blobs, around)
        self.plans = list(plans or (plan(),))
        self.sales: dict[str, list[SalesDay]] = {}
        self.people: dict[str, Staff] = {}
        self.directory: Callable[[Identities], Identities] = lambda _called: Identities()
        self._numbers = count(1)
        self.context = IncentiveContext(
            tenant=TENANT,
            clock=lambda: self.now,
            new_id=self._new_id,
            queues=self.queues,
            currency="EUR",
            pay_calendar=PayCalendar.MONTH,
            plans=lambda: Plans(tuple(self.plans)),
            sellers=self._sellers,
            staff=self._staff,
            staff_member=lambda employee_id, _period: self.people.get(employee_id),
            provisioned=lambda called: self.directory(called),
            four_eyes=True,
            calculations=CalculationStore(self.tables.table("Calculations"), TENANT),
            runs=CalculationRunStore(self.tables.table("CalculationRuns"), TENANT),
            plan_versions=PlanVersionStore(self.tables.table("PlanVersions"), TENANT),
            untold=UntoldDecisions(self.tables.table("UntoldDecisions"), TENANT),
            inbox=self.blobs.container("calculations-inbox"),
            quarantine=self.blobs.container("calculations-quarantine"),
        )

    def _new_id(self) -> str:
        milliseconds = f"{int(self.now.timestamp() * 1000):012x}"
        return f"{milliseconds[:8]}-{milliseconds[8:]}-7000-8000-{next(self._numbers):012x}"

    def _sellers(self, period: PayPeriod) -> Iterator[Seller]:
        assert period.name == PERIOD
        self.hook("read", "SalesMetrics")
        for employee_id, sales in sorted(self.sales.items()):
            member = self.people.get(employee_id)
            yield Seller(employee_id, list(sales), member.assignments if member else None)

    def _staff(self, _period: PayPeriod) -> Iterator[Staff]:
        self.hook("read", "Employees")
        return iter(list(self.people.values()))

    def hire(self, employee_id: str, *assignments: Assignment, identities: Identities = NOTHING_ELSE) -> None:
        """Let somebody work here, in the whole period unless said otherwise."""
        known = identities_of(numbers=[employee_id]) | identities
        self.people[employee_id] = Staff(employee_id, assignments or (assigned(),), known)

    def sell(self, employee_id: str, *sales: SalesDay) -> None:
        """Let the metrics hold these sales of somebody, and no others."""
        self.sales[employee_id] = list(sales)

    def start(self) -> str:
        """Ask for the calculation of the period."""
        self.now += timedelta(seconds=1)
        return start_calculation(self.context, PERIOD, "admin")

    def deliver(self, *, lost: bool = False) -> bool:
        """Let a worker handle one due message; False when none is due. A killed worker's comes back, or is lost."""
        text = self.queues.take(CALCULATION_QUEUE)
        if text is None:
            return False
        message = parse_message(text)
        try:
            try:
                handle_calculation_message(self.context, message)
            except Busy as error:
                self.queues.send(CALCULATION_QUEUE, message, delay=error.retry_after)
        except Killed:
            if not lost:
                self.queues.put_back(CALCULATION_QUEUE, text)
        return True

    def calculate(self) -> CalculationRun:
        """Calculate the period and return the run."""
        run_id = self.start()
        while self.deliver():
            pass
        return self.context.runs.get(run_id)

    def of(self, employee_id: str) -> list[Calculation]:
        """Return the calculations of an employee."""
        return self.context.calculations.of_employee(PERIOD, employee_id)

    def one(self, employee_id: str) -> Calculation:
        """Return the one calculation of an employee."""
        (found,) = self.of(employee_id)
        return found

    def all(self) -> list[Calculation]:
        """Return all calculations of the period."""
        return list(self.context.calculations.of_period(PERIOD))

    def approve(self, *ids: str) -> list[Outcome]:
        """Submit calculations and let somebody else approve them."""
        submit(self.context, ids, ADMIN)
        return approve(self.context, ids, APPROVER)

    def amounts(self) -> dict[str, tuple[int, State]]:
        """Return amount and state of each employee's only calculation."""
        return {one.employee_id: (one.net_minor, one.state) for one in self.all()}

    def told(self) -> list[tuple[str, Any]]:
        """Return what is told so far: the type of each message and what it says."""
        return [(message.type, message.data) for message in self.queues.messages("notifications")]


def a_world() -> World:
    """Return a world in which three people sold something: 100.00, 200.00 and, without being eligible, 300.00."""
    world = World(plan(roles=frozenset({"SalesAssociate"})))
    for number, role in ((1, "SalesAssociate"), (2, "SalesAssociate"), (3, "Cashier")):
        world.hire(f"H{number}", assigned(role=role))
        world.sell(f"H{number}", sold(10_000 * number))
    return world
