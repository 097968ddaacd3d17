"""A payroll export in memory: real use cases, real calculations, a payroll that keeps a ledger, a folder for files."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from hashlib import sha256
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

from local.sandbox.payroll import BatchRefused, Payroll
from shared.adapters.resilience.lease import Leases
from shared.incentives.calculation import Calculation, Kind, State
from shared.incentives.calculation_id import calculation_id
from shared.incentives.calculation_runs import CalculationRunStore
from shared.incentives.calculation_store import CalculationStore
from shared.incentives.context import IncentiveContext
from shared.incentives.plan_versions import PlanVersionStore
from shared.incentives.untold_decisions import UntoldDecisions
from shared.kernel.errors import HubError, PartnerRefused
from shared.kernel.file_transfer import BeforeRename, DeliveredFile
from shared.kernel.message import Message
from shared.kernel.pay_period import PayCalendar, parse_period
from shared.messaging.dead_letters import DeadLetters
from shared.messaging.processing import MessageProcessor
from shared.payroll.approved import Expected
from shared.payroll.context import EXPORT_QUEUE, NOTIFICATION_QUEUE, PayrollContext, PayrollRules
from shared.payroll.export import Export, ExportStatus
from shared.payroll.export_store import ExportStore, exports_of
from shared.payroll.records import Payee
from shared.payroll.run import give_up_export, handle_export_message
from shared.payroll.start import ExportRequest, start_export
from shared.wiring.payroll import CalculationPayables
from tests.fakes import hook
from tests.fakes.blobs import MemoryBlobs
from tests.fakes.queues import MemoryQueues
from tests.fakes.tables import MemoryTables

PERIOD = "2025-01"
BERLIN = ZoneInfo("Europe/Berlin")
LEASE = 120.0

Interruption = Callable[[str, str], None]
"""Called with operation and place, before each effect or look and again after it."""


class Killed(Exception):
    """The worker died right here."""


def nothing(_operation: str, _place: str) -> None:
    """Interrupt nobody."""


class Around(hook.Hook):
    """Lets a world's interruption stand around every storage operation."""

    def __init__(self, world: "World") -> None:
        self._world = world

    def before(self, operation: str, place: str, item: str) -> None:
        self._world.hook(operation, place)

    def after(self, operation: str, place: str, item: str) -> None:
        self._world.hook(operation, place)


class LedgerClient:
    """Implements `JsonPoster` over the sandbox's ledger; answers can be lost or changed."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self.ledger = Payroll()
        self.sent: list[tuple[str, bytes]] = []
        self.failures: list[HubError] = []
        """Raised one after the other, after the batch was booked: its answer is lost."""
        self.refusals: list[HubError] = []
        """Raised one after the other, before anything is booked."""
        self.change: Callable[[dict[str, Any]], dict[str, Any]] = lambda answer: answer

    def post_body(
        self,
        path: str,
        body: bytes,
        *,
        idempotency_key: str,
        check: Callable[[Any], object] | None = None,
        accept: frozenset[int] = frozenset(),
    ) -> Any:
        assert path == "/api/v1/incentives/batch"
        self._world.hook("post", "payroll")
        self.sent.append((idempotency_key, body))
        if self.refusals:
            raise self.refusals.pop(0)
        try:
            answer = self.ledger.receive(idempotency_key, body)
        except BatchRefused as error:
            raise PartnerRefused("payroll", str(error), status=error.status) from None
        self._world.hook("post", "payroll")
        if self.failures:
            raise self.failures.pop(0)
        parsed = json.loads(json.dumps(self.change(dict(answer))), parse_float=Decimal)
        if check:
            check(parsed)
        return parsed


class Folder:
    """Implements `FileTransfer`: a file appears whole or not at all, and a worker can die on the way."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self.files: dict[str, bytes] = {}
        self.parts: dict[str, bytes] = {}
        """By temporary name."""
        self.collects = False
        """Whether payroll takes a file away as soon as it has its name."""
        self.collected: list[tuple[str, bytes]] = []
        self.writes = 0

    def received(self) -> dict[str, bytes]:
        """Return what payroll has or can have, by name; each came once."""
        names = [name for name, _content in self.collected] + list(self.files)
        assert len(names) == len(set(names)), names
        return dict(self.collected) | self.files

    def deliver(self, name: str, content: bytes, *, part: str, before_rename: BeforeRename) -> DeliveredFile:
        taken = False
        self._world.hook("upload", name)
        if name not in self.files:
            if not part:
                part = f"{name}.{len(self.parts)}.part"
                self.parts[part] = content
                before_rename(part)
            self._world.hook("rename", name)
            taken = not self._rename(part, name)
        assert taken or name in self.files or self.collects
        self._world.hook("upload", name)
        return DeliveredFile(f"/incoming/dsif/{name}", len(content), sha256(content).hexdigest(), taken)

    def _rename(self, part: str, name: str) -> bool:
        content = self.parts.pop(part, None)
        if content is None:
            return name in self.files
        self.writes += 1
        if self.collects:
            self.collected.append((name, content))
        else:
            self.files[name] = content
        return True


class World:
    """Hub, calculations, payroll, folder, and a clock that stands still until told otherwise."""

    def __init__(self, *, calendar: PayCalendar = PayCalendar.MONTH, deadline: str = "5 18:00") -> None:
        self.now = datetime(2025, 2, 6, 12, 0, tzinfo=UTC)
        self.hook: Interruption = nothing
        around = Around(self)
        self.tables, self.blobs = MemoryTables(around), MemoryBlobs(around, lambda: self.now)
        self.queues = MemoryQueues(lambda: self.now, self.blobs, around)
        self.people: dict[str, Payee] = {}
        self.client, self.folder = LedgerClient(self), Folder(self)
        self._numbers = count(1)
        self._corpses: list[AbstractContextManager[Callable[[], None]]] = []
        """What dead workers held: kept, so that nothing is released on their behalf."""
        self.incentives = self._incentives(calendar)
        leases = Leases(self.tables, "default", clock=lambda: self.now)
        days, _, at = deadline.partition(" ")

        @contextmanager
        def hold(export_id: str) -> Iterator[Callable[[], None]]:
            """Hold as the hub does; but whoever is killed releases nothing."""
            holding = leases.hold_on(export_id, LEASE)
            prolong = holding.__enter__()
            try:
                yield prolong
            except Killed:
                self._corpses.append(holding)
                raise
            except BaseException:
                holding.__exit__(None, None, None)
                raise
            holding.__exit__(None, None, None)

        self.context = PayrollContext(
            tenant="default",
            rules=PayrollRules(
                "EUR", "INCENT", calendar, BERLIN, timedelta(days=int(days)), time.fromisoformat(at or "18:00")
            ),
            clock=lambda: self.now,
            new_id=self._new_id,
            queues=self.queues,
            exports=ExportStore(self.tables.table("Exports"), "default"),
            archive=self.blobs.container("exports"),
            audit=self.tables.table("AuditTrail"),
            payables=CalculationPayables(self.incentives),
            payees=lambda _period: dict(self.people),
            payroll=lambda: self.client,
            transfer=lambda: self.folder,
            hold=hold,
        )
        letters = DeadLetters(
            self.tables.table("DeadLetters"),
            self.blobs.container("dead-letters"),
            self.queues,
            "default",
            lambda: self.now,
            self._new_id,
        )
        self.letters = letters
        self._processor = MessageProcessor(self.queues, letters, "default", lambda: self.now, (30.0,))

    def _incentives(self, calendar: PayCalendar) -> IncentiveContext:
        def unused(*_: Any) -> Any:
            raise NotImplementedError

        return IncentiveContext(
            tenant="default",
            clock=lambda: self.now,
            new_id=self._new_id,
            queues=self.queues,
            currency="EUR",
            pay_calendar=calendar,
            plans=unused,
            sellers=unused,
            staff=unused,
            staff_member=lambda _employee, _period: None,
            provisioned=unused,
            four_eyes=True,
            calculations=CalculationStore(self.tables.table("Calculations"), "default"),
            runs=CalculationRunStore(self.tables.table("CalculationRuns"), "default"),
            plan_versions=PlanVersionStore(self.tables.table("PlanVersions"), "default"),
            untold=UntoldDecisions(self.tables.table("UntoldDecisions"), "default"),
            inbox=self.blobs.container("calculations-inbox"),
            quarantine=self.blobs.container("calculations-quarantine"),
        )

    def _new_id(self) -> str:
        milliseconds = f"{int(self.now.timestamp() * 1000):012x}"
        return f"{milliseconds[:8]}-{milliseconds[8:]}-7000-8000-{next(self._numbers):012x}"

    def hire(self, *employee_ids: str) -> None:
        """Let the HR system confirm employees."""
        for one in employee_ids:
            self.people[one] = Payee(f"N-{one}", f"First {one}", f"Last {one}")

    def calculation(
        self,
        employee_id: str,
        cents: int,
        *,
        source: str = "plan:standard",
        state: State = State.APPROVED,
        period: str = PERIOD,
        currency: str = "EUR",
        amends: str = "",
    ) -> str:
        """Store a calculation in a state, return its ID."""
        one = Calculation(
            calculation_id=calculation_id(period, employee_id, source),
            employee_id=employee_id,
            period=period,
            kind=Kind.AMENDMENT if amends else Kind.PLAN,
            source=source,
            gross_minor=cents,
            net_minor=cents,
            currency=currency,
            state=state,
            amends=amends,
        ).begun(at=self.now, by="somebody")
        self.incentives.calculations.change(period, [one.calculation_id], lambda _key, _standing: one)
        return one.calculation_id

    def set_state(self, calculation_id: str, state: State) -> None:
        """Put a calculation into a state, as a decision does."""
        period = self.incentives.calculations.get(calculation_id).period

        def change(_key: str, standing: Calculation | None) -> Calculation | None:
            return replace(standing, state=state) if standing else None

        self.incentives.calculations.change(period, [calculation_id], change)

    def calculations(self, period: str = PERIOD) -> dict[str, Calculation]:
        return {one.calculation_id: one for one in self.incentives.calculations.of_period(period)}

    def trigger(self, *, period: str = PERIOD, force: bool = False) -> Export:
        """Look at what is approved and start an export by hand; where one runs, ask for that one again."""
        last = self.context.exports.last_of(period)
        running = last.seen if last and last.status is ExportStatus.RUNNING else None
        seen = Expected(running.count, running.total_minor) if running else self.seen(period)
        return self.trigger_seen(seen, period=period, force=force)

    def trigger_seen(
        self, seen: Expected | None, *, by: str = "admin", period: str = PERIOD, force: bool = False
    ) -> Export:
        """Start an export of what was seen."""
        request = ExportRequest(parse_period(period), "Api", by, force=force, expected=seen)
        return start_export(self.context, request)

    def seen(self, period: str = PERIOD) -> Expected:
        """Return what somebody sees who looks at what is approved now."""
        nets = [one.net_minor for one in self.calculations(period).values() if one.state is State.APPROVED]
        return Expected(len(nets), sum(nets))

    def export(self, *, period: str = PERIOD, force: bool = False) -> Export:
        """Start an export, work until nothing is left, return it."""
        begun = self.trigger(period=period, force=force)
        self.work()
        return self.context.exports.get(begun.export_id)

    def deliver(self, index: int = 0, *, keep: bool = False) -> bool:
        """Let a worker handle one due message; False when none is due. A killed worker's message comes back."""
        text = self.queues.take(EXPORT_QUEUE, index)
        if text is None:
            return False
        if keep:
            self.queues.put_back(EXPORT_QUEUE, text)
        try:
            self._processor.process(
                EXPORT_QUEUE,
                text.encode(),
                lambda message: handle_export_message(self.context, message),
                lambda message, error: give_up_export(self.context, message, error),
            )
        except Killed:
            self.queues.put_back(EXPORT_QUEUE, text)
        return True

    def work(self) -> None:
        """Handle messages until none is left, letting time pass where they wait."""
        self.hook = nothing
        for _ in range(1000):
            if not self.deliver():
                if not self.queues.depth(EXPORT_QUEUE):
                    return
                self.now += timedelta(seconds=31)
        raise AssertionError("the messages never end")

    def told(self, kind: str) -> list[Message]:
        """Return what was told, each occasion once, as whoever receives it passes it on."""
        messages = {one.id: one for one in self.queues.messages(NOTIFICATION_QUEUE) if one.type == kind}
        return [self.queues.resolve(one) for one in messages.values()]

    def paid(self) -> Mapping[str, int]:
        """Return what payroll paid each employee, in minor units."""
        return {
            employee: sum(int(Decimal(one["amount"]) * 100) for one in payments)
            for employee, payments in self.client.ledger.payments.items()
            if payments
        }

    def all_exports(self, period: str = PERIOD) -> list[Export]:
        """Return every export of a period that is stored, in their order."""
        found = exports_of(self.context.exports.page(1000, None))
        return sorted((one for one in found if one.period == period), key=lambda one: one.sequence)

    def work_with_hook(self) -> None:
        """Handle what is due now, with whatever interrupts."""
        while self.deliver():
            pass
