"""A run whose slices are all done, put together: its sums, without what stands in it twice."""

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from shared.sales.context import ImportContext
from shared.sales.digests import digest, repeated
from shared.sales.models import Rejection, RejectReason, Sale, SalesByEmployee, Tally
from shared.sales.runs import ImportRun
from shared.sales.slices import Slice, SliceResult
from shared.sales.sources import SourceChanged
from shared.sales.staging import StagedSale, staged_sales


@dataclass
class StagedRun:
    """What a run found. `sales` and `staged` are net: each transaction once."""

    run: ImportRun
    slices: list[Slice]
    pages: int = 0
    records_read: int = 0
    duplicates: int = 0
    rejected_by_reason: Counter[str] = field(default_factory=Counter)
    staged: Tally = field(default_factory=Tally)
    sales: SalesByEmployee = field(default_factory=dict)
    repeats: list[tuple[StagedSale, Rejection]] = field(default_factory=list)
    """Sales that were staged by two slices: the later ones, which do not count."""
    transactions: "dict[int, array[int]]" = field(default_factory=dict)
    """For each page the digests of its staged transaction IDs, sorted."""
    repeated: int = 0
    """Records of a transaction that came before, on another page."""
    repeated_pages: set[int] = field(default_factory=set)
    """The pages that these stand on, and those that they came on before."""
    refused: dict[int, int] = field(default_factory=dict)
    """Digest of a refused record -> the first page that it stands on."""
    page_digests: dict[int, int] = field(default_factory=dict)
    """For each page that is not empty a digest of what it is."""
    data_as_of: str = ""
    seconds: float = 0.0

    @property
    def rejected(self) -> int:
        """How many records are refused; exact duplicates are not."""
        return sum(self.rejected_by_reason.values())

    def digests(self) -> "array[int]":
        """Return the digests of all staged transactions."""
        everything = array("Q")
        for one in self.transactions.values():
            everything.extend(one)
        return everything

    def take_in(self, item: Slice, result: SliceResult) -> None:
        """Add what a slice found."""
        self.pages += result.pages
        self.records_read += result.records_read
        self.duplicates += result.duplicates
        self.rejected_by_reason.update(result.rejected_by_reason)
        self.staged.take_in(result.staged)
        for key, tally in result.sales.items():
            self.sales.setdefault(key, Tally()).take_in(tally)
        self.transactions.update(enumerate(result.transactions, item.first_page))
        self.repeated += result.repeated
        self.repeated_pages.update(result.repeated_pages)
        for page, refused in enumerate(result.refused, item.first_page):
            self._note_refused(page, refused)
        self.page_digests.update(enumerate(result.page_digests, item.first_page))
        self.data_as_of = max(self.data_as_of, result.data_as_of)
        self.seconds = max(self.seconds, result.seconds)

    def _note_refused(self, page: int, refused: Iterable[int]) -> None:
        for one in refused:
            first = self.refused.setdefault(one, page)
            if first != page:
                self.repeated += 1
                self.repeated_pages |= {first, page}

    def leave_out(self, later: StagedSale, earlier: StagedSale) -> None:
        """Take the second of two records of the same transaction out of the sums."""
        sale = later.sale
        self.repeated += 1
        self.repeated_pages |= {earlier.page, later.page}
        self.staged.add(-sale.amount_minor, -sale.units_sold, -1)
        take_out(self.sales, [sale])
        same = sale == earlier.sale
        text = f"transactionId: {sale.transaction_id!r} came before, on page {earlier.page}"
        if same:
            self.duplicates += 1
            rejection = Rejection(RejectReason.DUPLICATE, "transactionId", text)
        else:
            self.rejected_by_reason[RejectReason.CONFLICTING_DUPLICATE.value] += 1
            rejection = Rejection(RejectReason.CONFLICTING_DUPLICATE, "transactionId", f"{text}, with other content")
        self.repeats.append((later, rejection))


def read_staged_run(context: ImportContext, run: ImportRun, slices: list[Slice] | None = None) -> StagedRun:
    """Put the slices of a run together, read here unless given. SourceChanged when the source served a page twice."""
    staged = StagedRun(run, context.slices.all(run) if slices is None else slices)
    pages: set[int] = set()
    for item in staged.slices:
        result = context.slices.result(run, item)
        if not pages.isdisjoint(result.page_digests):
            raise SourceChanged(f"slice {item.number} has a page that an earlier slice had already")
        pages.update(result.page_digests)
        staged.take_in(item, result)
    suspects = repeated(list(staged.transactions.values())) if len(staged.slices) > 1 else set()
    earlier: dict[str, StagedSale] = {}
    for one in suspected_sales(context, staged, suspects):
        first = earlier.setdefault(one.sale.transaction_id, one)
        if first is not one:
            staged.leave_out(one, first)
    return staged


def suspected_sales(context: ImportContext, staged: StagedRun, suspects: set[int]) -> Iterator[StagedSale]:
    """Yield the staged sales of a run whose digest is suspected, in the order of its pages; reads those pages alone."""
    if not suspects:
        return
    for item in staged.slices:
        for page in range(item.first_page, item.first_page + item.pages):
            if suspects.isdisjoint(staged.transactions.get(page, ())):
                continue
            for one in staged_sales(context.staging, staged.run, item, page):
                if digest(one.sale.transaction_id) in suspects:
                    yield one


def take_out(sales: SalesByEmployee, gone: Iterable[Sale]) -> None:
    """Take sales out of sums; a sum of no transactions disappears."""
    for sale in gone:
        key = (sale.employee_id, sale.store_id)
        sales[key].add(-sale.amount_minor, -sale.units_sold, -1)
        if sales[key].transactions == 0:
            del sales[key]
