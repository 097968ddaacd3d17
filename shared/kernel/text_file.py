"""Text files as spreadsheets and other systems write them: UTF-8, lines that end in LF, CR LF or CR alone."""

import codecs
from collections.abc import Iterable, Iterator

MAX_LINE_BYTES = 1 << 20
_OTHER_ENCODINGS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)


class Malformed(ValueError):
    """A file cannot be read as what it is named; the message says why, and goes on after the file's name."""


class NotUtf8(Malformed):
    """The file is of another encoding, seen at this byte."""

    def __init__(self, byte: int) -> None:
        """Keep where it was seen."""
        super().__init__(f"is not UTF-8 text: byte {byte}")
        self.byte = byte


def text_lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield lines with their ends. Malformed for one of absurd length: that is no text file.

    In the middle of a file too: from any offset at which a line begins.
    """
    rest = b""
    for piece in pieces:
        lines = (rest + piece).splitlines(keepends=True)
        # A CR at the end of a piece may be the first half of CR LF.
        rest = b"" if not lines or lines[-1].endswith(b"\n") else lines.pop()
        yield from lines
        if len(rest) > MAX_LINE_BYTES:
            raise Malformed(f"has a line of more than {MAX_LINE_BYTES} bytes")
    if rest:
        yield rest


def decoded(line: bytes, offset: int = 0) -> str:
    """Return the text of a line that begins at this byte of its file. Malformed when it is not UTF-8."""
    if offset == 0:
        _refuse_other_encodings(line)
    try:
        text = line.decode().removeprefix("\ufeff" if offset == 0 else "")
    except UnicodeDecodeError as error:
        raise NotUtf8(offset + error.start) from None
    if "\0" in text:
        raise Malformed("is not UTF-8 text: it holds NUL characters, as UTF-16 does; save it as UTF-8")
    return text


def _refuse_other_encodings(first: bytes) -> None:
    for mark, name in _OTHER_ENCODINGS:
        if first.startswith(mark) and len(first) > len(mark):
            raise Malformed(f"is {name}, not UTF-8 text; save it as UTF-8")
