"""Stage a slice of a run: read its pages, check each record, store the valid and the refused ones (INC-03, INC-04).

One execution does one slice. While a page is worked on, the next one is being fetched and the last one written.
"""

from collections import Counter
from dataclasses import dataclass, field
from time import perf_counter

from shared.kernel.errors import DataRefused
from shared.kernel.message import Message
from shared.sales.context import ImportContext
from shared.sales.digests import digest, sorted_digests
from shared.sales.erp_source import identity_of
from shared.sales.models import RawRecord, Rejection, RejectReason, Sale, SalesByEmployee, SourcePage, Tally
from shared.sales.outcome import begin_again, change_run, fail_run, note_going_on, resume_run
from shared.sales.publish import publish_when_staged
from shared.sales.rejects import RejectWriter, clear_rejects
from shared.sales.rules import SalesRules, rules_for
from shared.sales.runs import ImportRun, RunStatus
from shared.sales.slices import Slice, SliceResult
from shared.sales.sources import SalesSource, SourceChanged
from shared.sales.staging import StagingWriter, clear_staging
from shared.sales.start import enqueue_slice


def stage_slice(context: ImportContext, message: Message) -> None:
    """Work through a slice, then whatever follows: the next slice, or publishing. Idempotent by run and slice.

    Busy while another worker has the slice; partner errors as they come.
    """
    run = context.runs.get(str(message.data["runId"]))
    number, cursor = int(str(message.data["slice"])), str(message.data["cursor"])
    if run.status in (RunStatus.SUCCEEDED, RunStatus.PARTIAL_SUCCESS, RunStatus.SUPERSEDED):
        return
    if message.data["generation"] != run.generation:
        resume_run(context, run)
        return
    try:
        fresh = Slice(run.generation, number, cursor, number * context.rules.pages_per_slice + 1)
        item = context.slices.claim(run, fresh, context.clock(), context.rules.slice_lease)
        if not item.done:
            item, run = _work_or_let_go(context, run, item)
            run = note_going_on(context, run)
        _go_on(context, run, item)
    except SourceChanged as error:
        begin_again(context, run.run_id, run.generation, error)
    except DataRefused as error:
        fail_run(context, run.run_id, error)


def _go_on(context: ImportContext, run: ImportRun, item: Slice) -> None:
    if run.slice_count == 0 and item.next_cursor is not None:
        enqueue_slice(context, run, item.number + 1, item.next_cursor)
        return
    publish_when_staged(context, run)


def _work_or_let_go(context: ImportContext, run: ImportRun, item: Slice) -> tuple[Slice, ImportRun]:
    """Work through a slice; when that fails, let go of it, so that the next attempt need not wait for the claim."""
    try:
        return _work(context, run, item)
    except Exception:
        # Whatever it is: with the claim kept, the broker's next delivery would find the slice taken.
        context.slices.release(run, item)
        raise


def _work(context: ImportContext, run: ImportRun, item: Slice) -> tuple[Slice, ImportRun]:
    per_slice = context.rules.pages_per_slice
    first_page, last_page = item.first_page, item.first_page + per_slice - 1
    if item.attempt > 1:
        clear_staging(context.staging, run, first_page, last_page)
        clear_rejects(context.rejects, run, first_page, last_page)
    source = context.source_of(run)
    with context.writers() as executor:
        stager = _Stager(
            rules_for(
                run.day,
                context.rules.time_zone,
                known_stores=context.rules.known_stores,
                only_store=run.store_id or None,
            ),
            StagingWriter(context.staging, run, item, executor),
            RejectWriter(context.rejects, run),
        )
        renew_at = perf_counter() + context.rules.slice_lease / 3
        for page in source.pages(item.cursor, first_page, per_slice):
            if page.number == first_page:
                run = _plan(context, run, item, source, page)
            _refuse_another_state(run, page)
            stager.take(page)
            if perf_counter() > renew_at:
                item = context.slices.renew(run, item, context.clock(), context.rules.slice_lease)
                renew_at = perf_counter() + context.rules.slice_lease / 3
        result = stager.finish()
    return context.slices.finish(run, item, result), run


def _plan(context: ImportContext, run: ImportRun, item: Slice, source: SalesSource, page: SourcePage) -> ImportRun:
    """Once the first page of the run tells how many there are, store the plan, then queue the other slices.

    Done again after a kill, it keeps the stored plan; other totals than planned are found right after.
    """
    if item.number > 0:
        return run
    slices = _other_slices(context, run, source, page)
    if run.total_records >= 0 and run.status is not RunStatus.STAGING:
        run = change_run(context, run, status=RunStatus.STAGING)
    elif run.total_records < 0:
        run = change_run(
            context,
            run,
            status=RunStatus.STAGING,
            slice_count=len(slices) + 1 if page.total_pages is not None else 0,
            total_records=page.total_records if page.total_records is not None else -1,
            data_as_of=page.data_as_of,
            progress_at=context.clock(),
        )
    _refuse_another_state(run, page)
    context.slices.add(run, slices)
    for other in slices:
        enqueue_slice(context, run, other.number, other.cursor)
    return run


def _other_slices(context: ImportContext, run: ImportRun, source: SalesSource, page: SourcePage) -> list[Slice]:
    """Return the slices after the first, where the source tells beforehand how many pages it has."""
    per_slice = context.rules.pages_per_slice
    slices: list[Slice] = []
    for number in range(1, -(-(page.total_pages or 0) // per_slice)):
        first_page = number * per_slice + 1
        cursor = source.cursor_of(first_page)
        assert cursor is not None
        slices.append(Slice(run.generation, number, cursor, first_page))
    return slices


def _refuse_another_state(run: ImportRun, page: SourcePage) -> None:
    """Refuse a page of other data than the first one was of: by the total, or by `dataAsOf` where the source has it.

    A source whose `dataAsOf` is another one in each answer would fail for ever: it is heeded the first time alone.
    """
    if page.total_records is not None and page.total_records != run.total_records:
        raise SourceChanged(
            f"page {page.number} says {page.total_records} records in total, the first page said {run.total_records}"
        )
    differs = page.data_as_of and run.data_as_of and page.data_as_of != run.data_as_of
    if differs and run.generation == 1:
        raise SourceChanged(
            f"page {page.number} holds data as of {page.data_as_of}, the first page as of {run.data_as_of}"
        )


@dataclass
class _Stager:
    """Sorts the records of a slice into staged and refused ones, and keeps the sums."""

    rules: SalesRules
    writer: StagingWriter
    rejects: RejectWriter
    seen: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Transaction ID -> its page and a hash of the sale; the sales themselves are not kept."""
    sales: SalesByEmployee = field(default_factory=dict)
    staged: Tally = field(default_factory=Tally)
    reasons: Counter[str] = field(default_factory=Counter)
    transactions: list[list[int]] = field(default_factory=list)
    page_digests: list[int] = field(default_factory=list)
    repeated: int = 0
    repeated_pages: set[int] = field(default_factory=set)
    refused: list[list[int]] = field(default_factory=list)
    records_read: int = 0
    last: SourcePage | None = None
    total_pages: int | None = None
    began: float = field(default_factory=perf_counter)

    def take(self, page: SourcePage) -> None:
        """Take the records of a page."""
        self.transactions.append([])
        self.refused.append([])
        for raw in page.records:
            checked = self.rules.check(raw)
            if isinstance(checked, Sale):
                checked = self._first_of_its_kind(checked, page.number)
            else:
                self.refused[-1].append(_identity_of_refused(raw))
            if isinstance(checked, Rejection):
                self.reasons[checked.reason.value] += 1
                self.rejects.add(raw, page.number, checked)
            else:
                self._stage(checked, page.number, raw)
        self.records_read += len(page.records)
        if page.records:
            self.page_digests.append(identity_of([raw.fields for raw in page.records]))
        self.last = page

    def _first_of_its_kind(self, sale: Sale, page: int) -> Sale | Rejection:
        """The first record of a transaction counts; a later one is refused, and loudly when it says otherwise."""
        known = self.seen.get(sale.transaction_id)
        if known is None:
            self.seen[sale.transaction_id] = (page, hash(sale))
            self.transactions[-1].append(digest(sale.transaction_id))
            return sale
        if known[0] != page:
            self.repeated += 1
            self.repeated_pages |= {known[0], page}
        same = known[1] == hash(sale)
        reason = RejectReason.DUPLICATE if same else RejectReason.CONFLICTING_DUPLICATE
        text = f"transactionId: {sale.transaction_id!r} came before, on page {known[0]}"
        return Rejection(reason, "transactionId", text if same else f"{text}, with other content")

    def _stage(self, sale: Sale, page: int, raw: RawRecord) -> None:
        self.writer.add(sale, page, raw.line)
        self.staged.add(sale.amount_minor, sale.units_sold)
        self.sales.setdefault((sale.employee_id, sale.store_id), Tally()).add(sale.amount_minor, sale.units_sold)

    def finish(self) -> SliceResult:
        """Wait until all is stored; return what the slice found."""
        self.writer.flush()
        self.rejects.flush()
        duplicates = self.reasons.pop(RejectReason.DUPLICATE.value, 0)
        return SliceResult(
            pages=len(self.transactions),
            records_read=self.records_read,
            rejected_by_reason=dict(self.reasons),
            duplicates=duplicates,
            staged=self.staged,
            sales=self.sales,
            transactions=[sorted_digests(page) for page in self.transactions],
            page_digests=self.page_digests,
            repeated=self.repeated,
            repeated_pages=sorted(self.repeated_pages),
            refused=self.refused,
            total_records=self.last.total_records if self.last else None,
            total_pages=self.last.total_pages if self.last else None,
            next_cursor=self.last.next_cursor if self.last else None,
            data_as_of=self.last.data_as_of if self.last else "",
            seconds=perf_counter() - self.began,
        )


def _identity_of_refused(raw: RawRecord) -> int:
    named = raw.fields.get("transactionId") if raw.fields else None
    return identity_of([raw.fields if named else repr(raw.fields or raw.text)])
