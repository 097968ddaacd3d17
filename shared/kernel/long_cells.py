"""JSON in a table row that may be longer than a cell: as text while it is short, else compressed, in several cells.

A cell holds 64 KiB, a row 1 MiB. A long content stands in `name`, `name2`, `name3` and so on.
"""

import json
import zlib
from collections.abc import Mapping
from typing import Any

from shared.kernel.table import Value

_PLAIN = 28_000
"""Bytes that stand as text, which people can read; as UTF-16 they fit into a cell with room to spare."""

_PART = 60_000
_MOST_PARTS = 13
"""780,000 bytes: of a row's 1 MiB Azure counts the bytes, the emulator their base64, and the smaller one holds."""


def long_cells(name: str, content: object) -> dict[str, Value]:
    """Return the cells of a content that is JSON. ValueError when it does not fit into a row, even compressed."""
    # ASCII: JSON can hold half a character (a lone surrogate), which no UTF-8 can.
    text = json.dumps(content, separators=(",", ":"))
    plain = text.encode()
    if len(plain) <= _PLAIN:
        return {name: text}
    packed = zlib.compress(plain)
    if len(packed) > _PART * _MOST_PARTS:
        raise ValueError(f"{name}: {len(packed)} bytes, compressed, are above the limit of {_PART * _MOST_PARTS}")
    parts = [packed[at : at + _PART] for at in range(0, len(packed), _PART)]
    return {_cell(name, number): part for number, part in enumerate(parts, 1)}


def read_long_cells(name: str, values: Mapping[str, Value]) -> Any:  # noqa: ANN401 - JSON
    """Return the content that stands in the cells of a row. KeyError when there is none."""
    first = values[name]
    if not isinstance(first, bytes):
        return json.loads(str(first))
    packed, number = first, 2
    while isinstance(part := values.get(_cell(name, number)), bytes):
        packed, number = packed + part, number + 1
    return json.loads(zlib.decompress(packed))


def _cell(name: str, number: int) -> str:
    return name if number == 1 else f"{name}{number}"
