"""Sales from a dropped file: CSV with a header line, or JSON lines, UTF-8 (INC-09). Same fields as the ERP's API.

The business day is the one in the file's name (`2025-01-15.csv`, `S001_2025-01-15.jsonl`); without one, that of the
first record that has one. A file is all there is for the day in the stores that it names.
"""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from shared.kernel.blob import BlobChanged, BlobContainer, BlobMissing
from shared.kernel.clock import business_day, from_iso
from shared.kernel.csv_rows import CsvHeader, CsvRow, read_header, rows_of
from shared.kernel.errors import DataRefused
from shared.kernel.strict_json import NotJson, Unreadable, read_json_item
from shared.kernel.text_file import Malformed, decoded, text_lines
from shared.sales.models import RawRecord, SourcePage

RECORDS_PER_PAGE = 1000
_REQUIRED = ("transactionId", "transactionDate", "employeeId", "storeId", "salesAmount", "unitsSold")
_MAX_SHOWN = 2000


@dataclass(frozen=True, slots=True)
class _Record:
    """A record and the byte offset after it; one without fields has its text, what is wrong, and with which field."""

    end: int
    fields: dict[str, Any] | None
    text: str = ""
    problem: str = ""
    field: str = ""


class FileSource:
    """The records of one version of a file; cursors are byte offsets."""

    first_cursor = "0"

    def __init__(self, inbox: BlobContainer, name: str, etag: str) -> None:
        """Read the version that the ETag names."""
        self._inbox = inbox
        self._name = name
        self._etag = etag

    def cursor_of(self, number: int) -> str | None:
        """Return None: where a page begins is known when the one before it was read."""
        return self.first_cursor if number == 1 else None

    def pages(self, cursor: str, first_number: int, limit: int) -> Iterator[SourcePage]:
        """Yield pages of 1,000 records. DataRefused when the file is malformed or was replaced."""
        records = self._records(int(cursor))
        ahead = list(islice(records, RECORDS_PER_PAGE))
        if not ahead and cursor == self.first_cursor:
            raise DataRefused(f"file {self._name!r} holds no sales")
        for number in range(first_number, first_number + limit):
            page, ahead = ahead, list(islice(records, RECORDS_PER_PAGE))
            raw = [RawRecord(line, one.fields, one.text, one.problem, one.field) for line, one in enumerate(page, 1)]
            yield SourcePage(number, raw, str(page[-1].end) if ahead else None)
            if not ahead:
                return

    def _records(self, offset: int) -> Iterator[_Record]:
        """Yield the records from a byte on. DataRefused, whatever the readers beneath raise."""
        try:
            yield from self._readable_records(offset)
        except Malformed as error:
            raise DataRefused(f"file {self._name!r} {error}") from None
        except (csv.Error, ValueError, ArithmeticError, LookupError, TypeError, RecursionError) as error:
            raise DataRefused(f"file {self._name!r} cannot be read: {type(error).__name__}: {error}") from None

    def _readable_records(self, offset: int) -> Iterator[_Record]:
        if self._name.lower().endswith(".csv"):
            return self._csv_records(offset)
        if self._name.lower().endswith((".jsonl", ".ndjson")):
            return _json_records(self._lines(offset), offset)
        raise Malformed("is neither .csv nor .jsonl")

    def _csv_records(self, offset: int) -> Iterator[_Record]:
        rows = rows_of(self._lines(offset), offset)
        header = read_header(rows if offset == 0 else rows_of(self._lines(0)), _REQUIRED)
        return (_csv_record(header, row) for row in rows)

    def _lines(self, offset: int) -> Iterator[bytes]:
        try:
            yield from text_lines(self._inbox.stream(self._name, offset=offset, etag=self._etag))
        except (BlobMissing, BlobChanged):
            raise DataRefused(
                f"file {self._name!r} was removed or replaced before it was read; a replacement is imported by itself"
            ) from None


def day_of_file(inbox: BlobContainer, name: str, etag: str, zone: ZoneInfo) -> date:
    """Return the business day that a file is about. DataRefused when neither name nor first record tell."""
    if match := re.search(r"(?<!\d)(\d{4}-\d{2}-\d{2})(?!\d)", name.rsplit("/", 1)[-1]):
        try:
            return date.fromisoformat(match[1])
        except ValueError:
            raise DataRefused(f"file {name!r}: {match[1]} is no date") from None
    for record in next(FileSource(inbox, name, etag).pages("0", 1, 1)).records:
        try:
            return business_day(from_iso(str((record.fields or {})["transactionDate"])), zone)
        except (KeyError, ValueError, OverflowError):
            continue  # a record that is refused later, with the reason
    raise DataRefused(f"file {name!r}: neither the name nor the first records' transactionDate tells the business day")


def _json_records(lines: Iterator[bytes], offset: int) -> Iterator[_Record]:
    for line in lines:
        text = decoded(line, offset).strip()
        offset += len(line)
        if text:
            yield _json_record(text, offset)


def _json_record(text: str, end: int) -> _Record:
    try:
        found = read_json_item(text)
    except NotJson as error:
        return _Record(end, None, text[:_MAX_SHOWN], f"the record {error}")
    if isinstance(found, Unreadable):
        return _Record(end, None, text[:_MAX_SHOWN], f"the record {found.reason}", found.field)
    if not isinstance(found, dict):
        return _Record(end, None, text[:_MAX_SHOWN], "the record is not a JSON object")
    return _Record(end, found)


def _csv_record(header: CsvHeader, row: CsvRow) -> _Record:
    cells = header.cells_of(row)
    if len(cells) != len(header.names):
        problem = f"the record has {len(cells)} cells instead of {len(header.names)}"
        return _Record(row.end, None, ",".join(cells)[:_MAX_SHOWN], problem)
    named = zip(header.names, cells, strict=True)
    return _Record(row.end, {name: cell for name, cell in named if cell != "" or name in _REQUIRED})
