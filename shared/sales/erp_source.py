"""Sales from the ERP's API (INC-02): `GET /api/v1/sales?date=&storeId=&page=&pageSize=`."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from datetime import date
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field, ValidationError

from shared.kernel.errors import MalformedResponse
from shared.kernel.json_client import JsonReader
from shared.kernel.partner_body import PartnerBody
from shared.kernel.strict_json import Unreadable
from shared.sales.digests import digest
from shared.sales.models import RawRecord, SourcePage
from shared.sales.sources import SourceChanged

PARTNER = "erp"
_MOST = 10**8
"""Records or pages of a day: beyond that the total is a mistake, and each page of it would be planned."""


class _Pagination(PartnerBody):
    model_config = ConfigDict(extra="ignore", strict=True)

    page: int | None = Field(default=None, ge=1)
    totalRecords: int | None = Field(default=None, ge=0, le=_MOST)  # noqa: N815 - the partner's own names
    totalPages: int | None = Field(default=None, ge=0, le=_MOST)  # noqa: N815


class _Metadata(PartnerBody):
    model_config = ConfigDict(extra="ignore")

    dataAsOf: Annotated[str, BeforeValidator(str)] = ""  # noqa: N815


class _Answer(PartnerBody):
    model_config = ConfigDict(extra="ignore")

    data: list[Any]
    pagination: _Pagination = _Pagination()
    metadata: _Metadata = _Metadata()


class ErpSource:
    """The sales of one business day, of all stores or of one."""

    first_cursor = "1"

    def __init__(self, client: JsonReader, day: date, store_id: str, page_size: int) -> None:
        """Read through the client; cursors are page numbers."""
        self._client = client
        self._params = {"date": day.isoformat(), "pageSize": str(page_size)} | (
            {"storeId": store_id} if store_id else {}
        )
        self._page_size = page_size

    def cursor_of(self, number: int) -> str | None:
        """Return the cursor of a page: its number."""
        return str(number)

    def pages(self, cursor: str, first_number: int, limit: int) -> Iterator[SourcePage]:
        """Yield pages; the next one is fetched while the caller works on the present one."""
        last = first_number + limit - 1
        with ThreadPoolExecutor(1, thread_name_prefix="erp-fetch") as fetcher:
            page, identity = self._fetch(int(cursor), None)
            while True:
                ahead = None
                if page.next_cursor is not None and page.number < last:
                    ahead = fetcher.submit(copy_context().run, self._fetch, page.number + 1, identity)
                yield page
                if ahead is None:
                    return
                page, identity = ahead.result()

    def _fetch(self, number: int, before: int | None) -> tuple[SourcePage, int]:
        """Return a page and the digest of its transaction IDs; `before` is that of the page before."""

        def check(answer: object) -> None:
            parsed = _parse(answer)
            _refuse_wrong_page(parsed, number, self._page_size)
            if before is not None and parsed.data and identity_of(parsed.data) == before:
                raise MalformedResponse(PARTNER, f"page {number} repeats page {number - 1}")

        params = self._params | {"page": str(number)}
        parsed = _parse(self._client.get_json("/api/v1/sales", params, check=check))
        total_pages = parsed.pagination.totalPages or 0
        records = [_raw(line, fields) for line, fields in enumerate(parsed.data, 1)]
        page = SourcePage(
            number,
            records,
            str(number + 1) if number < total_pages else None,
            total_records=parsed.pagination.totalRecords or 0,
            total_pages=total_pages,
            data_as_of=parsed.metadata.dataAsOf,
        )
        return page, identity_of(parsed.data)


def identity_of(records: list[Any]) -> int:
    """Return a digest of the transaction IDs of a page, in order: two pages that share it are the same page."""
    ids = (record.get("transactionId") if isinstance(record, dict) else record for record in records)
    return digest("\n".join(map(repr, ids)))


def _parse(answer: object) -> _Answer:
    try:
        return _Answer.model_validate(answer)
    except ValidationError as error:
        fields = sorted({".".join(map(str, item["loc"][:2])) or "body" for item in error.errors()})
        raise MalformedResponse(PARTNER, f"the page of sales breaks the contract in {', '.join(fields)}") from None


def _refuse_wrong_page(parsed: _Answer, number: int, page_size: int) -> None:
    pagination = parsed.pagination
    if pagination.totalRecords is None or pagination.totalPages is None:
        if parsed.data or number > 1:
            raise MalformedResponse(PARTNER, f"page {number} has no totals although it is not an empty day")
        return
    if pagination.page is not None and pagination.page != number:
        raise MalformedResponse(PARTNER, f"page {number} was asked for, page {pagination.page} came")
    if number > max(pagination.totalPages, 1):
        raise SourceChanged(f"{PARTNER}: page {number} is gone, there are {pagination.totalPages} now")
    if len(parsed.data) > page_size:
        raise MalformedResponse(PARTNER, f"page {number} has {len(parsed.data)} records, {page_size} were asked for")


def _raw(line: int, fields: object) -> RawRecord:
    if isinstance(fields, dict):
        return RawRecord(line, fields)
    if isinstance(fields, Unreadable):
        return RawRecord(line, None, fields.text, f"the record {fields.reason}", fields.field)
    return RawRecord(line, None, str(fields)[:2000], "the record is not an object")
