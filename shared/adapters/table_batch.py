"""The wire form of a transaction: one multipart request, written and read here because the SDK's own is slow.

The SDK sends every row through a pipeline of its own and parses each answer as an e-mail: 0.9 ms a row against
0.02 ms here. Form: https://learn.microsoft.com/rest/api/storageservices/performing-entity-group-transactions
"""

import re
from collections.abc import Sequence
from urllib.parse import quote

from shared.adapters.table_entities import check_key, encode_entity
from shared.kernel.table import MAX_OPERATIONS, Delete, Insert, LimitExceeded, Operation, Replace

MAX_BATCH_BYTES = 4 * 1024 * 1024
BOUNDARY = "batch_hub"
"""Fixed: an entity is JSON on one line, so no content can look like a boundary line."""

_CHANGES = "changeset_hub"
_OPEN = (
    f"--{BOUNDARY}\r\nContent-Type: multipart/mixed; boundary={_CHANGES}\r\n\r\n".encode(),
    f"\r\n--{_CHANGES}--\r\n--{BOUNDARY}--\r\n".encode(),
)
_PART = f"--{_CHANGES}\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n"
_ETAG = re.compile(rb"^ETag:[ ]*(.*?)\r?$", re.IGNORECASE | re.MULTILINE)
_JSON = "Content-Type: application/json\r\nAccept: application/json;odata=minimalmetadata\r\n"


def encode_batch(table: str, partition: str, operations: Sequence[Operation], endpoint: str) -> bytes:
    """Return the body of a transaction. LimitExceeded when Azure would refuse it."""
    if len(operations) > MAX_OPERATIONS:
        raise LimitExceeded(f"table {table}, {partition[:80]!r}: {len(operations)} operations (at most 100)")
    if len({operation.key for operation in operations}) < len(operations):
        raise LimitExceeded(f"table {table}, {partition[:80]!r}: two operations on one row in a transaction")
    parts = [_part(table, partition, operation, endpoint) for operation in operations]
    body = _OPEN[0] + b"\r\n".join(parts) + _OPEN[1]
    if len(body) > MAX_BATCH_BYTES:
        raise LimitExceeded(f"table {table}, {partition[:80]!r}: a transaction of {len(body)} bytes (at most 4 MiB)")
    return body


def decode_batch(body: bytes) -> list[str] | tuple[int, bytes]:
    """Return the ETags of a transaction's operations ("" for a Delete), or status and body of the one that failed."""
    etags = []
    for answer in body.split(b"HTTP/1.1 ")[1:]:
        status = int(answer[:3])
        head, _, content = answer.partition(b"\r\n\r\n")
        if not 200 <= status < 300:
            return status, content.partition(b"\r\n--")[0]
        etag = _ETAG.search(head)
        etags.append(etag[1].decode() if etag else "")
    return etags


def entity_path(table: str, partition: str, key: str) -> str:
    """Return the path of one row below the endpoint."""
    return f"{table}(PartitionKey='{_quoted(partition)}',RowKey='{_quoted(key)}')"


def _part(table: str, partition: str, operation: Operation, endpoint: str) -> bytes:
    if isinstance(operation, Insert):
        content = encode_entity(table, partition, operation.key, operation.values)
        head = f"POST {endpoint}/{table} HTTP/1.1\r\n{_JSON}Prefer: return-no-content\r\n"
        return f"{_PART}{head}\r\n".encode() + content + b"\r\n"
    path = f"{endpoint}/{entity_path(table, partition, operation.key)}"
    if isinstance(operation, Delete):
        check_key(operation.key)
        return f"{_PART}DELETE {path} HTTP/1.1\r\n{_JSON}If-Match: {operation.etag or '*'}\r\n\r\n".encode()
    content = encode_entity(table, partition, operation.key, operation.values)
    match = f"If-Match: {operation.etag}\r\n" if isinstance(operation, Replace) else ""
    return f"{_PART}PUT {path} HTTP/1.1\r\n{_JSON}{match}\r\n".encode() + content + b"\r\n"


def _quoted(key: str) -> str:
    return quote(key.replace("'", "''"), safe="")
