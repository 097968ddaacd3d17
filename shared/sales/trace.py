"""Which transactions, from which import runs, an employee's sales of a day consist of."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from shared.sales.context import ImportContext
from shared.sales.models import Sale
from shared.sales.overlap import overlap_with_others, sales_in_newer_snapshots
from shared.sales.runs import ImportRun
from shared.sales.staged import read_staged_run
from shared.sales.staging import StagedSale, staged_sales_of


@dataclass(frozen=True)
class TracedDay:
    """A day in a store: the sums in SalesMetrics, and the transactions that they come from with their run."""

    day: date
    store_id: str
    amount_minor: int
    units_sold: int
    run_id: str
    transactions: tuple[Sale, ...]

    @property
    def unexplained_minor(self) -> int:
        """What the transactions do not account for; 0 unless a run is being published at this moment."""
        return self.amount_minor - sum(sale.amount_minor for sale in self.transactions)


def trace_sales(context: ImportContext, employee_id: str, period: str) -> list[TracedDay]:
    """Return every day and store in which an employee's sales of a period were made, with their transactions."""
    metrics = context.metrics.of_employee(period, employee_id)
    if metrics is None:
        return []
    owned = context.mappings.owned_by(employee_id)
    traced: list[TracedDay] = []
    for day_text, stores in sorted(metrics.days.items()):
        day = date.fromisoformat(day_text)
        snapshots = context.snapshots.of_day(day)
        erp_ids = [erp_id for erp_id, owners in owned.items() if owners.on(day) == employee_id]
        for store, cell in sorted(stores.items()):
            governing = snapshots.governing(store)
            run_id = governing.run_id if governing else ""
            sales = _sales(context, run_id, erp_ids, store, cell[2]) if run_id else ()
            traced.append(TracedDay(day, store, cell[0], cell[1], run_id, tuple(sales)))
    return traced


def _sales(context: ImportContext, run_id: str, erp_ids: Sequence[str], store: str, expected: int) -> list[Sale]:
    run = context.runs.find(run_id)
    if run is None:
        return []
    found: dict[str, StagedSale] = {}
    for item in context.slices.all(run):
        for page in range(item.first_page, item.first_page + item.pages):
            for erp_id in erp_ids:
                for one in staged_sales_of(context.staging, run, item, page, erp_id):
                    # The first of two records of the same transaction is the one that counts.
                    if one.sale.store_id == store:
                        found.setdefault(one.sale.transaction_id, one)
    sales = sorted((one.sale for one in found.values()), key=lambda sale: (sale.instant, sale.transaction_id))
    return sales if len(sales) == expected else _without_those_elsewhere(context, run, sales)


def _without_those_elsewhere(context: ImportContext, run: ImportRun, sales: Sequence[Sale]) -> list[Sale]:
    """Leave out what counts in a run that began later, under another day or store."""
    staged = read_staged_run(context, run)
    around = context.snapshots.around(run.day)
    overlap = overlap_with_others(context, staged, around)
    gone = {sale.transaction_id for sale in sales_in_newer_snapshots(context, staged, overlap, around)}
    return [sale for sale in sales if sale.transaction_id not in gone]
