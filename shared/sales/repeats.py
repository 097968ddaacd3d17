"""Records that came on two pages: does the source hold them twice, or did its pages move while they were read (INC-07)?

The announced total says nothing of it: where a record slides to a later page while another one slides to an earlier
one, the total is met although one came twice and the other never. So the pages concerned are asked for once more. Where
they hold the same as before, the source shows the record twice at one time: it does hold it twice, or pages without a
stable order that always comes out the same, which nobody can tell from here. Then each transaction counts once, and the
run's end says so (docs/decisions/0063-records-on-two-pages.md). Where a page differs, everything is read again.
"""

from shared.sales.context import ImportContext
from shared.sales.erp_source import identity_of
from shared.sales.sources import SourceChanged
from shared.sales.staged import StagedRun

_MOST_PAGES = 20
"""Pages that are asked for again; of more, as many spread over all of them."""


def look_at_repeats(context: ImportContext, staged: StagedRun) -> None:
    """Ask for the pages again that repeat records. SourceChanged where one differs; partner errors as they come.

    A file is what it is: its pages cannot move, and repeats in it are looked at no further.
    """
    if staged.run.file_name:
        return
    source = context.source_of(staged.run)
    for number in _spread(sorted(staged.repeated_pages)):
        cursor = source.cursor_of(number)
        assert cursor is not None
        for page in source.pages(cursor, number, 1):
            if identity_of([raw.fields for raw in page.records]) != staged.page_digests.get(number):
                raise SourceChanged(
                    f"{staged.repeated} of {staged.records_read} records came on two pages, and page {number} holds "
                    "others when it is asked for again: the source pages without a stable order"
                )


def _spread(pages: list[int]) -> list[int]:
    step = max(1, -(-len(pages) // _MOST_PAGES))
    return pages[::step]
