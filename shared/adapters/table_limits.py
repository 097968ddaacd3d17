"""The limits of Azure Tables, enforced here because the emulator does not enforce them."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from shared.kernel.keys import MAX_KEY_BYTES
from shared.kernel.table import MAX_OPERATIONS, Delete, LimitExceeded, Operation, Value

MAX_CELLS = 252
MAX_CELL_BYTES = 64 * 1024
MAX_ROW_BYTES = 1024 * 1024
MAX_TRANSACTION_BYTES = 4 * 1024 * 1024


def check_row(table: str, key: str, values: Mapping[str, Value]) -> int:
    """Return the size of a row in bytes. LimitExceeded naming the table, the row and what is too large."""
    if len(key.encode("utf-16-le")) > MAX_KEY_BYTES:
        raise LimitExceeded(f"{table}: the key {key[:60]!r}... is larger than {MAX_KEY_BYTES} bytes")
    if len(values) > MAX_CELLS:
        raise LimitExceeded(f"{table} row {key!r}: {len(values)} cells, at most {MAX_CELLS} are possible")
    total = 2 * len(key)
    for name, value in values.items():
        size = _size(value)
        if size > MAX_CELL_BYTES:
            raise LimitExceeded(f"{table} row {key!r}: cell {name} has {size} bytes, at most 64 KiB are possible")
        total += size + 2 * len(name) + 8
    if total > MAX_ROW_BYTES:
        raise LimitExceeded(f"{table} row {key!r}: {total} bytes, at most 1 MiB is possible")
    return total


def check_transaction(table: str, operations: Sequence[Operation]) -> None:
    """Refuse a transaction that Azure would refuse: LimitExceeded."""
    if not 0 < len(operations) <= MAX_OPERATIONS:
        raise LimitExceeded(f"{table}: a transaction has 1 to {MAX_OPERATIONS} operations, not {len(operations)}")
    if len({operation.key for operation in operations}) < len(operations):
        raise LimitExceeded(f"{table}: a transaction may touch each row once")
    total = sum(check_row(table, item.key, item.values) for item in operations if not isinstance(item, Delete))
    if total > MAX_TRANSACTION_BYTES:
        raise LimitExceeded(f"{table}: a transaction of {total} bytes, at most 4 MiB are possible")


def _size(value: Value) -> int:
    match value:
        case str():
            return len(value.encode("utf-16-le"))
        case bytes():
            return len(value)
        case datetime() | bool() | int():
            return 8
