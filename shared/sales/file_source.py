"""Sales from a dropped file: CSV with a header line, or JSON lines, UTF-8 (INC-09). Same fields as the ERP's API.

The business day is the one in the file's name (`2025-01-15.csv`, `S001_2025-01-15.jsonl`); without one, that of the
first record. A file is all there is for the day in the stores that it names.
"""

import csv
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from shared.kernel.blob import BlobChanged, BlobContainer, BlobMissing
from shared.kernel.clock import business_day, from_iso
from shared.kernel.errors import DataRefused
from shared.sales.models import RawRecord, SourcePage

RECORDS_PER_PAGE = 1000
MAX_LINE_BYTES = 1 << 20
_REQUIRED = ("transactionId", "transactionDate", "employeeId", "storeId", "salesAmount", "unitsSold")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class _Record:
    """A record and the byte offset after it."""

    fields: dict[str, Any] | None
    text: str
    end: int


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
            raw = [RawRecord(line, record.fields, record.text) for line, record in enumerate(page, 1)]
            yield SourcePage(number, raw, str(page[-1].end) if ahead else None)
            if not ahead:
                return

    def _records(self, offset: int) -> Iterator[_Record]:
        if self._name.lower().endswith(".csv"):
            return _csv_records(self._name, self._header(), self._lines(offset), offset)
        if self._name.lower().endswith((".jsonl", ".ndjson")):
            return _json_records(self._lines(offset), offset)
        raise DataRefused(f"file {self._name!r} is neither .csv nor .jsonl")

    def _header(self) -> list[str]:
        first = next(self._lines(0), b"").removeprefix(_BYTE_ORDER_MARK)
        header = [name.strip() for name in next(csv.reader([_text(self._name, first)]), [])]
        if missing := [name for name in _REQUIRED if name not in header]:
            raise DataRefused(f"file {self._name!r}: the header line lacks {', '.join(missing)}")
        return header

    def _lines(self, offset: int) -> Iterator[bytes]:
        try:
            yield from _split_lines(self._name, self._inbox.stream(self._name, offset=offset, etag=self._etag))
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
    first = next(FileSource(inbox, name, etag).pages("0", 1, 1)).records[0]
    try:
        return business_day(from_iso(str((first.fields or {})["transactionDate"])), zone)
    except (KeyError, ValueError, OverflowError):
        text = f"file {name!r}: neither the name nor the first record's transactionDate tells the business day"
        raise DataRefused(text) from None


def _split_lines(name: str, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield lines with their ends; a line of absurd length shows that this is no text file."""
    rest = b""
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        yield from (line + b"\n" for line in lines)
        if len(rest) > MAX_LINE_BYTES:
            raise DataRefused(f"file {name!r} has a line of more than {MAX_LINE_BYTES} bytes")
    if rest:
        yield rest


def _text(name: str, line: bytes) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError:
        raise DataRefused(f"file {name!r} is not UTF-8 text") from None


def _json_records(lines: Iterator[bytes], offset: int) -> Iterator[_Record]:
    for line in lines:
        offset += len(line)
        if line.strip(b" \t\r\n" + _BYTE_ORDER_MARK):
            yield _json_record(line.removeprefix(_BYTE_ORDER_MARK), offset)


def _json_record(line: bytes, end: int) -> _Record:
    text = line.decode(errors="replace").strip()
    try:
        fields = json.loads(text, parse_float=Decimal, parse_constant=_refuse_constant)
    except (ValueError, ArithmeticError, RecursionError):
        return _Record(None, f"not JSON: {text[:2000]}", end)
    if not isinstance(fields, dict):
        return _Record(None, f"not a JSON object: {text[:2000]}", end)
    return _Record(fields, "", end)


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON number")


def _csv_records(name: str, header: list[str], lines: Iterator[bytes], offset: int) -> Iterator[_Record]:
    """Yield the rows; a cell may hold quoted line breaks, so the offset counts what the reader has consumed."""
    consumed = offset

    def decoded() -> Iterator[str]:
        nonlocal consumed
        for line in lines:
            consumed += len(line)
            yield _text(name, line)

    rows = csv.reader(decoded(), strict=True)
    if offset == 0:
        next(rows, None)
    while True:
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            raise DataRefused(f"file {name!r} is no CSV near byte {consumed}: {error}") from None
        if row:
            yield _csv_record(header, row, consumed)


def _csv_record(header: list[str], row: list[str], end: int) -> _Record:
    if len(row) != len(header):
        return _Record(None, f"{len(row)} cells instead of {len(header)}: {','.join(row)[:2000]}", end)
    cells = dict(zip(header, row, strict=True))
    return _Record({key: value for key, value in cells.items() if value != "" or key in _REQUIRED}, "", end)
