"""The port to where sales come from."""

from collections.abc import Iterator
from typing import Protocol

from shared.kernel.errors import HubError
from shared.sales.models import SourcePage


class SourceChanged(HubError):
    """The source changed while it was read, so the pages do not fit together; the run begins again from the start."""

    code = "SourceChanged"
    retryable = True


class SalesSource(Protocol):
    """Pages of raw records. Implemented by `erp_source` (the ERP's API) and `file_source` (a dropped file)."""

    first_cursor: str
    """Where the first page begins."""

    def pages(self, cursor: str, first_number: int, limit: int) -> Iterator[SourcePage]:
        """Yield up to `limit` pages from a cursor on, numbered from `first_number`.

        Ends early at the source's end. Partner errors as in `kernel.errors`; DataRefused when a file is malformed.
        """
        ...

    def cursor_of(self, number: int) -> str | None:
        """Return where page `number` (from 1) begins, None when that is only known after the page before it."""
        ...
