"""Rows of a CSV file (RFC 4180) as spreadsheets write them: a header line, then rows; one without a value is none."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from shared.kernel.text_file import Malformed, decoded


@dataclass(frozen=True, slots=True)
class CsvRow:
    """The cells of a row, the byte offset after it, and the line of the file on which it ends (from 1)."""

    cells: list[str]
    end: int
    line: int


@dataclass(frozen=True)
class CsvHeader:
    """The names of the columns; "" for one without a name. Columns without a name at the end are left out."""

    names: list[str]

    def cells_of(self, row: CsvRow) -> list[str]:
        """Return the cells of a row without the empty ones beyond the header."""
        cells = row.cells
        while len(cells) > len(self.names) and not cells[-1].strip():
            cells = cells[:-1]
        return cells


def rows_of(lines: Iterable[bytes], offset: int = 0) -> Iterator[CsvRow]:
    """Yield the rows that hold a value, from the byte on at which the lines begin. Malformed says where and why.

    A cell may hold quoted line breaks, so the offset after a row counts what the reader has consumed.
    """
    consumed = offset

    def text() -> Iterator[str]:
        nonlocal consumed
        for line in lines:
            content = decoded(line, consumed)
            consumed += len(line)
            yield content

    reader = csv.reader(text(), strict=True)
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise MalformedCsv(str(error), reader.line_num, consumed) from None
        if any(cell.strip() for cell in cells):
            yield CsvRow(cells, consumed, reader.line_num)


class MalformedCsv(Malformed):
    """The file is no CSV on this line (from 1), which ends at this byte."""

    def __init__(self, reason: str, line: int, byte: int) -> None:
        """Keep where it was."""
        super().__init__(f"is no CSV near byte {byte}: {reason}")
        self.reason, self.line = reason, line


def read_header(rows: Iterator[CsvRow], required: Sequence[str]) -> CsvHeader:
    """Take the header off the rows of a file. Malformed names what it lacks and what it names twice."""
    first = next(rows, None)
    if first and first.cells[0].strip().lower() == "sep=" and not any(first.cells[1:]):
        first = next(rows, None)  # a spreadsheet's own line: the cells are separated by commas, as they are
    cells = first.cells if first else []
    if cells and cells[0].strip().lower().startswith("sep="):
        raise Malformed(
            f"says {cells[0].strip()[:10]!r}: its cells must be separated by commas, and no line may say how"
        )
    names = [name.strip() for name in cells]
    while names and not names[-1]:
        names.pop()
    if missing := [name for name in required if name not in names]:
        raise LacksColumns(missing, _hint(names))
    _refuse_repeats(names)
    return CsvHeader(names)


class LacksColumns(Malformed):
    """The header lacks these columns."""

    def __init__(self, missing: list[str], hint: str) -> None:
        """Keep which; the hint says what the header looks like instead."""
        super().__init__(f"the header line lacks {', '.join(missing)}{hint}")
        self.missing, self.hint = missing, hint


def _refuse_repeats(names: list[str]) -> None:
    """Refuse two columns of one name: which of two values counts cannot be guessed. Case and blanks tell none apart."""
    seen: dict[str, str] = {}
    for name in names:
        key = "".join(name.split()).casefold()
        if key and key in seen:
            same = "twice" if seen[key] == name else f"and {seen[key]!r}"
            raise Malformed(f"names {name!r} {same} in its header line: which of the two counts cannot be told")
        seen[key] = name


def _hint(names: list[str]) -> str:
    for separator, called in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
        if len(names) == 1 and separator in names[0]:
            return f": its cells are separated by {called}, and must be by commas"
    return ""
