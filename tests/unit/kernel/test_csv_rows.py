"""CSV as spreadsheets and other systems write it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.kernel.csv_rows import CsvHeader, read_header, rows_of
from shared.kernel.text_file import Malformed, text_lines


def read(content: bytes, required: tuple[str, ...] = ("id",)) -> tuple[CsvHeader, list[list[str]]]:
    rows = rows_of(text_lines([content]))
    header = read_header(rows, required)
    return header, [header.cells_of(row) for row in rows]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_any_line_end_is_understood_and_rows_without_a_value_are_none(end: str) -> None:
    lines = ["", ",,,", " id , amount ,,", "1,10.00", ",", "", '"2","a\r\nb",,', " , ,", "3,x,,"]
    header, rows = read(end.join([*lines, ""]).encode())
    assert header.names == ["id", "amount"]
    assert rows == [["1", "10.00"], ["2", "a\r\nb"], ["3", "x"]]


def test_mixed_line_ends_are_understood() -> None:
    assert read(b"id,a\r\n1,x\r2,y\n3,z")[1] == [["1", "x"], ["2", "y"], ["3", "z"]]


def test_a_spreadsheet_may_say_that_commas_separate() -> None:
    assert read(b"\xef\xbb\xbfsep=,\r\nid,a\r\n1,2\r\n") == (CsvHeader(["id", "a"]), [["1", "2"]])


def test_a_value_beyond_the_header_stays() -> None:
    assert read(b"id,a,\r\n1,2,3\r\n1,2,\r\n1\r\n")[1] == [["1", "2", "3"], ["1", "2"], ["1"]]


MALFORMED: dict[str, tuple[bytes, str]] = {
    "sep=;": (b"sep=;\r\nid;a\r\n", "begins with|says 'sep=;': its cells must be separated by commas"),
    "semicolons": (b"id;a\r\n1;2\r\n", "lacks id: its cells are separated by semicolons, and must be by commas"),
    "tabs": (b"id\ta\r\n", "lacks id: its cells are separated by tabs"),
    "nothing": (b"", "lacks id"),
    "rows without a value": (b",,\r\n,,\r\n", "lacks id"),
    "twice": (b"id,a,id\r\n", "names 'id' twice"),
    "twice but for case": (b"id,amount,Amount\r\n", "names 'Amount' and 'amount'"),
    "twice but for blanks": (b"id,sales amount, salesAmount \r\n", "names 'salesAmount' and 'sales amount'"),
    "utf-16": ("id,a\r\n".encode("utf-16"), "is UTF-16, not UTF-8"),
    "utf-16 without a mark": ("id,a\r\n".encode("utf-16-le"), "holds NUL characters, as UTF-16 does"),
    "utf-32": ("id,a\r\n".encode("utf-32"), "is UTF-32, not UTF-8"),
    "latin-1": ("id,a\r\n1,\u00e4\r\n".encode("latin-1"), "is not UTF-8 text: byte 8"),
    "latin-1 after a mark": (b"\xef\xbb\xbfid\xe4\r\n", "is not UTF-8 text: byte 5"),
    "a quote that never ends": (b'id,a\r\n1,"2\r\n3,4\r\n', "is no CSV near byte 17"),
    "a quote in the header": (b'id,"a"b\r\n', "is no CSV near byte 9"),
    "a cell without end": (b"id\r\n" + b"x" * 200_000, "is no CSV near byte"),
    "a line without end": (b"id\r\n" + b"x" * (2 << 20), "has a line of more than"),
}


@pytest.mark.parametrize(("content", "reason"), MALFORMED.values(), ids=MALFORMED.keys())
def test_what_cannot_be_read_says_why(content: bytes, reason: str) -> None:
    with pytest.raises(Malformed, match=reason):
        read(content)


@given(st.binary(max_size=300), st.integers(1, 7))
def test_lines_are_the_same_however_the_file_comes_in_pieces(content: bytes, size: int) -> None:
    pieces = [content[at : at + size] for at in range(0, len(content), size)]
    assert list(text_lines(pieces)) == list(text_lines([content]))
    assert b"".join(text_lines(pieces)) == content


@given(st.text(alphabet='ab,"\r\n ;', max_size=60))
def test_reading_may_begin_after_any_row(text: str) -> None:
    content = text.encode()
    try:
        rows = list(rows_of(text_lines([content])))
    except Malformed:
        return
    for number, row in enumerate(rows, 1):
        rest = rows_of(text_lines([content[row.end :]]), row.end)
        assert [(one.cells, one.end) for one in rest] == [(one.cells, one.end) for one in rows[number:]]
