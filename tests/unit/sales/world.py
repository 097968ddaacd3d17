"""A hub in memory around a small ERP, for tests of the import: nothing is real but the use cases."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

from shared.kernel.clock import business_day
from shared.kernel.errors import Busy
from shared.kernel.message import parse_message
from shared.kernel.pay_period import PayCalendar
from shared.sales.context import IMPORT_QUEUE, ImportContext, ImportRules, stores_of
from shared.sales.erp_source import ErpSource
from shared.sales.file_source import FileSource
from shared.sales.handle import handle_import_message
from shared.sales.runs import ImportRun
from shared.sales.sources import SalesSource
from tests.fakes import hook
from tests.fakes.blobs import MemoryBlobs
from tests.fakes.queues import MemoryQueues
from tests.fakes.tables import MemoryTables

DAY = date(2025, 1, 15)
BERLIN = ZoneInfo("Europe/Berlin")


Interruption = Callable[[str, str], None]
"""Called with operation and place, before each storage operation and again after it took effect."""


class Killed(BaseException):
    """The worker died right here: nothing of it runs any more, whatever it would do about an exception."""


class Inline(Executor):
    """Runs what it is given at once, so that a test decides about every order."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - handed on to whoever waits
            future.set_exception(error)
        return future


@dataclass
class Erp:
    """Sales by day, served in pages in the order of their IDs."""

    zone: ZoneInfo = BERLIN
    days: dict[date, dict[str, dict[str, Any]]] = field(default_factory=dict)
    data_as_of: str = "2025-01-16T00:00:00Z"
    before_page: Callable[[date, int], None] = lambda _day, _page: None
    order: Callable[[list[Any], int], list[Any]] = lambda sales, _page: sales
    """In what order a request for a page finds the sales."""

    def sell(
        self, day: date, transaction_id: str, employee: str, amount: str, *, store: str = "S1", units: int = 1
    ) -> None:
        self.days.setdefault(day, {})[transaction_id] = {
            "transactionId": transaction_id,
            "transactionDate": datetime.combine(day, time(12), self.zone).isoformat(),
            "employeeId": employee,
            "storeId": store,
            "salesAmount": Decimal(amount),
            "unitsSold": units,
            "productCategory": "Shoes",
            "productSku": "SKU-1",
        }

    def remove(self, transaction_id: str) -> None:
        for day in self.days.values():
            day.pop(transaction_id, None)

    def get_json(self, path: str, params: Any, *, check: Callable[[Any], object] | None = None) -> Any:
        assert path == "/api/v1/sales"
        day, page, size = date.fromisoformat(params["date"]), int(params["page"]), int(params["pageSize"])
        self.before_page(day, page)
        held = sorted(self.days.get(day, {}).items())
        store = params.get("storeId")
        sales = self.order([dict(sale) for _, sale in held if store is None or sale["storeId"] == store], page)
        pagination = {
            "page": page,
            "pageSize": size,
            "totalRecords": len(sales),
            "totalPages": -(-len(sales) // size),
        }
        answer = {
            "data": sales[(page - 1) * size : page * size],
            "pagination": pagination if sales else {},
            "metadata": {"dataAsOf": self.data_as_of},
        }
        if check:
            check(answer)
        return answer


class Once:
    """Idempotency within a test."""

    def __init__(self) -> None:
        self._results: dict[tuple[str, str], Any] = {}

    def run(self, operation: str, key: str, call: Callable[[], Any], payload: object = None) -> Any:
        if (operation, key) not in self._results:
            self._results[operation, key] = call()
        return self._results[operation, key]


class Around(hook.Hook):
    """Lets a world's interruption stand around every storage operation."""

    def __init__(self, world: "World") -> None:
        self._world = world

    def before(self, operation: str, place: str, item: str) -> None:
        self._world.hook(operation, place)

    def after(self, operation: str, place: str, item: str) -> None:
        self._world.hook(operation, place)


class World:
    """The hub, its storage, its queue, its ERP, and a clock that stands still until told otherwise."""

    def __init__(self, *, page_size: int = 3, pages_per_slice: int = 2, **rules: Any) -> None:
        self.now = datetime(2025, 1, 20, 1, 0, tzinfo=UTC)
        self.erp = Erp()
        self.page_size = page_size
        self.hook: Interruption = lambda _operation, _name: None
        around = Around(self)
        self.tables = MemoryTables(around)
        self.blobs = MemoryBlobs(around, lambda: self.now)
        self.queues = MemoryQueues(lambda: self.now, self.blobs, around)
        self._numbers = count(1)
        given: dict[str, Any] = {
            "time_zone": BERLIN,
            "max_reject_share": Decimal("0.05"),
            "known_stores": frozenset(),
            "currency": "EUR",
            "pay_calendar": PayCalendar.MONTH,
            "pages_per_slice": pages_per_slice,
            "slice_lease": 60.0,
            "stall_after": 900.0,
            "expected_by": time(1, 30),
            "triggers_calculation": False,
        }
        self.context = ImportContext(
            tenant="default",
            rules=ImportRules(**(given | rules)),
            clock=lambda: self.now,
            new_id=self._new_id,
            queues=self.queues,
            once=Once(),
            source_of=self.source_of,
            writers=self._writers,
            **stores_of(self.tables, self.blobs, "default", "EUR"),
        )

    def _writers(self) -> AbstractContextManager[Executor]:
        return nullcontext(Inline())

    def _new_id(self) -> str:
        milliseconds = f"{int(self.now.timestamp() * 1000):012x}"
        return f"{milliseconds[:8]}-{milliseconds[8:]}-7000-8000-{next(self._numbers):012x}"

    def source_of(self, run: ImportRun) -> SalesSource:
        if run.file_name:
            return FileSource(self.context.inbox, run.file_name, run.file_etag)
        return SequentialErpSource(self.erp, run.day, run.store_id, self.page_size)

    def push(self, name: str, *sales: tuple[str, str, str, str], day: date = DAY) -> None:
        """Write a file of (transaction, employee, amount, store) into the inbox; the host has yet to tell of it."""
        lines = [
            {
                "transactionId": transaction_id,
                "transactionDate": datetime.combine(day, time(12), BERLIN).isoformat(),
                "employeeId": employee,
                "storeId": store,
                "salesAmount": amount,
                "unitsSold": 1,
            }
            for transaction_id, employee, amount, store in sales
        ]
        self.context.inbox.write(name, "\n".join(map(json.dumps, lines)).encode())

    def deliver(self, index: int = 0, *, keep: bool = False) -> bool:
        """Let a worker handle one due message; False when none is due. A killed worker's message comes back."""
        text = self.queues.take(IMPORT_QUEUE, index)
        if text is None:
            return False
        if keep:
            self.queues.put_back(IMPORT_QUEUE, text)
        message = parse_message(text)
        try:
            try:
                handle_import_message(self.context, message)
            except Busy as error:
                self.queues.send(IMPORT_QUEUE, message, delay=error.retry_after)
        except Killed:
            self.queues.put_back(IMPORT_QUEUE, text)
        return True

    def work(self) -> None:
        """Handle messages until none is left, letting time pass where they wait."""
        self.hook = lambda _operation, _name: None
        while True:
            if not self.deliver():
                if not self.queues.depth(IMPORT_QUEUE):
                    return
                self.now += timedelta(seconds=61)

    def metrics(self, period: str = "2025-01") -> dict[str, tuple[int, int, int]]:
        """Return what SalesMetrics holds: employee -> (amount in minor units, units, transactions)."""
        return {
            item.employee_id: (item.total.amount_minor, item.total.units_sold, item.total.transactions)
            for item in self.context.metrics.of_period(period)
        }

    def clean_metrics(self, owner: Callable[[str, date], str | None]) -> dict[str, tuple[int, int, int]]:
        """Return what one clean run of each day on the ERP's present data gives.

        `owner` tells whose an ERP ID is on a day.
        """
        sums: dict[str, tuple[int, int, int]] = {}
        for sales in self.erp.days.values():
            for sale in sales.values():
                day = business_day(datetime.fromisoformat(sale["transactionDate"]), BERLIN)
                if employee := owner(sale["employeeId"], day):
                    amount, units, number = sums.get(employee, (0, 0, 0))
                    cents = int(sale["salesAmount"] * 100)
                    sums[employee] = (amount + cents, units + sale["unitsSold"], number + 1)
        return sums


class SequentialErpSource(ErpSource):
    """The ERP read without a second thread, so that a test decides about every order."""

    def pages(self, cursor: str, first_number: int, limit: int) -> Iterator[Any]:
        identity = None
        for number in range(int(cursor), int(cursor) + limit):
            page, identity = self._fetch(number, identity)
            yield page
            if page.next_cursor is None:
                return
