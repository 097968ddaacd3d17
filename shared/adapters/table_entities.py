"""How a row becomes the JSON entity of Azure Tables and back, within Azure's limits.

The limits are checked here, before anything is sent, because the emulator does not have them all.
"""

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from shared.kernel.keys import MAX_KEY_BYTES, MAX_KEY_CHARACTERS
from shared.kernel.table import LimitExceeded, Value

MAX_CELLS = 252
MAX_CELL_BYTES = 64 * 1024
MAX_CELL_CHARACTERS = 32 * 1024
"""Azure keeps text as UTF-16: 64 KiB are 32 Ki units."""
MAX_ENTITY_BYTES = 1024 * 1024
MAX_NAME_CHARACTERS = 255

_FIRST_DAY = datetime(1601, 1, 1, tzinfo=UTC)
_RESERVED = frozenset({"PartitionKey", "RowKey", "Timestamp"})
_BAD_KEY = re.compile(r"[/\\#?\x00-\x1f\x7f-\x9f]")
_TYPE = "@odata.type"
_JSON = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":"))


def encode_entity(table: str, partition: str, key: str, values: Mapping[str, Value]) -> bytes:
    """Return a row's JSON entity. LimitExceeded names the table, the key and what Azure would refuse."""
    try:
        return _encode(partition, key, values)
    except LimitExceeded as error:
        raise LimitExceeded(f"table {table}, key {partition[:80]!r} {key[:80]!r}: {error}") from None
    except UnicodeEncodeError:
        raise LimitExceeded(f"table {table}, key {partition[:80]!r} {key[:80]!r}: text that is no Unicode") from None


def _encode(partition: str, key: str, values: Mapping[str, Value]) -> bytes:
    check_key(partition)
    check_key(key)
    if len(values) > MAX_CELLS:
        raise LimitExceeded(f"{len(values)} cells (at most {MAX_CELLS})")
    entity: dict[str, Any] = {"PartitionKey": partition, "RowKey": key}
    for name, value in values.items():
        _check_name(name)
        writer = _WRITERS.get(type(value)) or _write_other
        writer(entity, name, value)
    # One line for every reader: JavaScript, in which the emulator is written, ends lines at these two as well.
    text = _JSON.encode(entity).replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    content = text.encode()
    # UTF-8 is never shorter than half of UTF-16, so only a long entity needs the exact sum.
    if len(content) * 2 > MAX_ENTITY_BYTES and (size := _entity_size(partition, key, values)) > MAX_ENTITY_BYTES:
        raise LimitExceeded(f"{size} bytes (at most {MAX_ENTITY_BYTES})")
    return content


def decode_values(entity: Mapping[str, Any]) -> dict[str, Value]:
    """Return the cells of a JSON entity, without keys, time stamp and annotations."""
    values = {name: value for name, value in entity.items() if "." not in name and name not in _RESERVED}
    for name, value in entity.items():
        if name.endswith(_TYPE) and (reader := _READERS.get(value)) and (cell := name.removesuffix(_TYPE)) in values:
            values[cell] = reader(values[cell])
    return values


def check_key(key: str) -> None:
    """Refuse a key that Azure or the emulator would refuse (make keys with `join_key`). LimitExceeded."""
    if len(key) > MAX_KEY_CHARACTERS or len(key.encode()) > MAX_KEY_BYTES:
        raise LimitExceeded(f"a key of {len(key)} characters (at most {MAX_KEY_CHARACTERS})")
    if bad := _BAD_KEY.search(key):
        raise LimitExceeded(f"a key with {bad[0]!r}")


@lru_cache(maxsize=4096)
def _check_name(name: str) -> None:
    if name in _RESERVED or not name.isidentifier() or len(name) > MAX_NAME_CHARACTERS:
        raise LimitExceeded(f"{name[:80]!r} is no name for a cell")


def _write_text(entity: dict[str, Any], name: str, value: str) -> None:
    # A character takes at most two UTF-16 units: shorter text need not be measured.
    if len(value) > MAX_CELL_CHARACTERS // 2 and (units := _utf16(value)) > MAX_CELL_CHARACTERS:
        raise LimitExceeded(f"cell {name}: {units} UTF-16 characters (at most {MAX_CELL_CHARACTERS})")
    entity[name] = value


def _write_int(entity: dict[str, Any], name: str, value: int) -> None:
    if not -(1 << 63) <= value < 1 << 63:
        raise LimitExceeded(f"cell {name}: an integer of more than 64 bits")
    entity[name] = str(value)
    entity[name + _TYPE] = "Edm.Int64"


def _write_bool(entity: dict[str, Any], name: str, value: bool) -> None:  # noqa: FBT001 - it is the value itself
    entity[name] = value


def _write_bytes(entity: dict[str, Any], name: str, value: bytes) -> None:
    if len(value) > MAX_CELL_BYTES:
        raise LimitExceeded(f"cell {name}: {len(value)} bytes (at most {MAX_CELL_BYTES})")
    entity[name] = b64encode(value).decode()
    entity[name + _TYPE] = "Edm.Binary"


def _write_datetime(entity: dict[str, Any], name: str, value: datetime) -> None:
    if value.tzinfo is None:
        raise LimitExceeded(f"cell {name}: a time without UTC offset")
    if value < _FIRST_DAY:
        raise LimitExceeded(f"cell {name}: a time before 1601")
    instant = value.astimezone(UTC).replace(tzinfo=None)
    entity[name] = instant.isoformat(timespec="microseconds") + "Z"
    entity[name + _TYPE] = "Edm.DateTime"


_WRITERS: dict[type, Callable[[dict[str, Any], str, Any], None]] = {
    str: _write_text,
    int: _write_int,
    bool: _write_bool,
    bytes: _write_bytes,
    datetime: _write_datetime,
}


def _write_other(entity: dict[str, Any], name: str, value: object) -> None:
    """Write an instance of a subclass (a StrEnum, say); anything else cannot be a cell."""
    if isinstance(value, str):
        _write_text(entity, name, str.__str__(value))
    elif isinstance(value, int):
        _write_int(entity, name, int(value))
    elif isinstance(value, bytes):
        _write_bytes(entity, name, value)
    elif isinstance(value, datetime):
        _write_datetime(entity, name, value)
    else:
        raise TypeError(f"cell {name}: {type(value).__name__} cannot be stored")


_READERS: dict[str, Callable[[Any], Value]] = {
    "Edm.Int64": int,
    "Edm.Binary": b64decode,
    "Edm.DateTime": datetime.fromisoformat,
}


def _entity_size(partition: str, key: str, values: Mapping[str, Value]) -> int:
    """Return the bytes that Azure counts for an entity."""
    total = 4 + 2 * (_utf16(partition) + _utf16(key))
    for name, value in values.items():
        total += 8 + 2 * len(name)
        if isinstance(value, str):
            total += 4 + 2 * _utf16(value)
        elif isinstance(value, bytes):
            total += 4 + len(value)
        else:
            total += 8
    return total


def _utf16(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2
