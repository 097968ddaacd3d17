"""Staged sales: every valid record of a run, as it will be counted (INC-04).

Table StagingSalesData: partition tenant|run (the batch)|generation-page, row key transaction ID. Pages are written side
by side in transactions of 100 rows; doing it again overwrites. Rows carry the attempt that wrote them, so that what
an attempt that was given up left behind is never read.
"""

from collections.abc import Iterator
from concurrent.futures import Executor, Future
from contextvars import copy_context
from dataclasses import dataclass

from shared.kernel.clock import from_iso, to_iso
from shared.kernel.keys import join_key, split_key
from shared.kernel.table import MAX_OPERATIONS, Operation, Put, Row, Table, Value, delete_all
from shared.sales.models import Sale
from shared.sales.runs import ImportRun
from shared.sales.slices import Slice

_MAX_IN_FLIGHT = 8
"""Transactions handed to the writers before the reader waits: bounds memory, keeps the writers busy."""


class StagingWriter:
    """Writes the sales of one attempt at a slice in transactions of 100 rows."""

    def __init__(self, table: Table, run: ImportRun, item: Slice, executor: Executor) -> None:
        """Write with the executor's threads."""
        self._table = table
        self._run = run
        self._attempt = item.attempt
        self._executor = executor
        self._page = 0
        self._batch: list[Operation] = []
        self._in_flight: list[Future[object]] = []

    def add(self, sale: Sale, page: int, line: int) -> None:
        """Take a sale; writes when 100 of a page are together. Raises what an earlier write raised."""
        if page != self._page:
            self._send()
            self._page = page
        self._batch.append(Put(join_key(sale.transaction_id), self._values(sale, page, line)))
        if len(self._batch) == MAX_OPERATIONS:
            self._send()

    def flush(self) -> None:
        """Write what is left and wait until everything is stored."""
        self._send()
        for future in self._in_flight:
            future.result()
        self._in_flight.clear()

    def _send(self) -> None:
        if not self._batch:
            return
        if len(self._in_flight) >= _MAX_IN_FLIGHT:
            self._in_flight.pop(0).result()
        partition = _partition(self._run, self._page)
        self._in_flight.append(self._executor.submit(copy_context().run, self._table.transact, partition, self._batch))
        self._batch = []

    def _values(self, sale: Sale, page: int, line: int) -> dict[str, Value]:
        return {
            "batchId": self._run.run_id,
            "transactionDate": to_iso(sale.instant),
            "employeeId": sale.employee_id,
            "storeId": sale.store_id,
            "salesAmountMinor": sale.amount_minor,
            "unitsSold": sale.units_sold,
            "productCategory": sale.product_category,
            "productSku": sale.product_sku,
            "page": page,
            "line": line,
            "attempt": self._attempt,
        }


def clear_staging(table: Table, run: ImportRun, first_page: int, last_page: int) -> None:
    """Remove what earlier attempts left of some pages (inclusive)."""
    for page in range(first_page, last_page + 1):
        partition = _partition(run, page)
        keys = [row.key for row in table.query(partition, select=["attempt"])]
        delete_all(table, partition, keys)


@dataclass(frozen=True, slots=True)
class StagedSale:
    """A staged sale and where in the source it stood."""

    sale: Sale
    page: int
    line: int


def staged_sales(table: Table, run: ImportRun, item: Slice, page: int) -> Iterator[StagedSale]:
    """Yield the staged sales of a page of a slice that is done, by transaction ID."""
    for row in table.query(_partition(run, page), equal={"attempt": item.attempt}):
        yield _sale(row)


def staged_sales_of(table: Table, run: ImportRun, item: Slice, page: int, employee_id: str) -> Iterator[StagedSale]:
    """Yield what one ERP employee sold on a page of a slice that is done."""
    for row in table.query(_partition(run, page), equal={"attempt": item.attempt, "employeeId": employee_id}):
        yield _sale(row)


def _partition(run: ImportRun, page: int) -> str:
    return join_key(run.tenant, run.run_id, f"{run.generation}-{page:07d}")


def _sale(row: Row) -> StagedSale:
    values = row.values
    sale = Sale(
        transaction_id=split_key(row.key)[0],
        instant=from_iso(str(values["transactionDate"])),
        employee_id=str(values["employeeId"]),
        store_id=str(values["storeId"]),
        amount_minor=int(str(values["salesAmountMinor"])),
        units_sold=int(str(values["unitsSold"])),
        product_category=str(values["productCategory"]),
        product_sku=str(values["productSku"]),
    )
    return StagedSale(sale, int(str(values["page"])), int(str(values["line"])))
