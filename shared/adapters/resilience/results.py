"""A long text in the cells of one row: a cell holds 64 KiB of UTF-16, a row 1 MiB."""

from collections.abc import Mapping

from shared.kernel.table import Value

_CELL = 30_000
MAX_CELLS = 16


def to_cells(text: str) -> dict[str, Value]:
    """Cut a text into cells `result00`, `result01`, ... ValueError above 480,000 characters. ASCII only."""
    if len(text) > _CELL * MAX_CELLS:
        raise ValueError(f"a result of {len(text)} characters is above the limit of {_CELL * MAX_CELLS}")
    pieces = range(0, max(len(text), 1), _CELL)
    return {f"result{number:02d}": text[begin : begin + _CELL] for number, begin in enumerate(pieces)}


def from_cells(values: Mapping[str, Value]) -> str:
    """Put the text together again."""
    return "".join(str(values[name]) for name in sorted(values) if name.startswith("result"))
