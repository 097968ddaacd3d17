"""The table port on Azure Tables."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from shared.adapters.storage_account import StorageAccount
from shared.adapters.table_batch import BOUNDARY, decode_batch, encode_batch, entity_path
from shared.adapters.table_entities import check_key, decode_values, encode_entity
from shared.adapters.table_filters import partition_filter
from shared.adapters.table_names import check_table_name
from shared.adapters.table_positions import read_position, write_position
from shared.adapters.table_requests import Answer, Failure, TableRequests, read_failure, unexpected
from shared.kernel.table import Delete, Operation, Page, Row, RowChanged, RowExists, Value

PAGE_SIZE = 1000
"""Rows that Azure returns at most in one answer."""

_NO_CONTENT = {"Prefer": "return-no-content"}
_Continuation = tuple[str, str]


class AzureTables:
    """All tables of an account."""

    def __init__(self, account: StorageAccount) -> None:
        """Keep the account; nothing is connected yet."""
        self._requests = TableRequests(account)

    def table(self, name: str) -> "AzureTable":
        """Return a table; it is created when first written to."""
        check_table_name(name)
        return AzureTable(self._requests, name)


class AzureTable:
    """One table. A table that is missing reads as empty and is created by the first write that needs it.

    It is never created, or asked for, in advance: every request is a storage transaction that is paid for.
    """

    def __init__(self, requests: TableRequests, name: str) -> None:
        """Keep the way to the service, and the name."""
        self._requests = requests
        self._name = name

    def get(self, partition: str, key: str) -> Row | None:
        """Return one row, or None."""
        check_key(partition)
        check_key(key)
        answer = self._requests.send("GET", entity_path(self._name, partition, key))
        if answer.status == 404:
            return None
        self._require(answer)
        entity = json.loads(answer.body)
        return Row(partition, key, decode_values(entity), answer.etag or _etag(entity))

    def insert(self, partition: str, key: str, values: Mapping[str, Value]) -> str:
        """Write a new row, return its ETag. RowExists when it is there."""
        content = encode_entity(self._name, partition, key, values)
        answer = self._write("POST", self._name, _NO_CONTENT, content)
        if answer.status == 409 and answer.failure.code in ("EntityAlreadyExists", ""):
            raise RowExists(self._where(partition, key))
        return self._require(answer).etag

    def put(self, partition: str, key: str, values: Mapping[str, Value]) -> str:
        """Write a row whatever stands there, return its ETag."""
        content = encode_entity(self._name, partition, key, values)
        return self._require(self._write("PUT", entity_path(self._name, partition, key), {}, content)).etag

    def replace(self, row: Row, values: Mapping[str, Value]) -> str:
        """Write over the row that was read, return the new ETag. RowChanged when it is not that any more."""
        content = encode_entity(self._name, row.partition, row.key, values)
        path = entity_path(self._name, row.partition, row.key)
        answer = self._requests.send("PUT", path, headers={"If-Match": row.etag}, content=content)
        if answer.status in (404, 412):
            raise RowChanged(self._where(row.partition, row.key))
        return self._require(answer).etag

    def delete(self, partition: str, key: str, etag: str | None = None) -> None:
        """Remove a row. RowChanged when an ETag is given and does not match."""
        check_key(partition)
        check_key(key)
        path = entity_path(self._name, partition, key)
        answer = self._requests.send("DELETE", path, headers={"If-Match": etag or "*"})
        if answer.status in (404, 412):
            if etag:
                raise RowChanged(self._where(partition, key))
            return
        self._require(answer)

    def transact(self, partition: str, operations: Sequence[Operation]) -> Sequence[str]:
        """Write up to 100 rows of one partition, all or none; return their new ETags in order ("" for a Delete).

        A plain Delete of a missing row fails the whole transaction in Azure: it is sent again without that Delete.
        """
        remaining = list(operations)
        while remaining:
            etags = self._transact(partition, remaining)
            if isinstance(etags, list):
                written = dict(zip((operation.key for operation in remaining), etags, strict=True))
                return [written.get(operation.key, "") for operation in operations]
            del remaining[etags]
        return [""] * len(operations)

    def query(
        self,
        partition: str,
        *,
        key_from: str | None = None,
        key_before: str | None = None,
        equal: Mapping[str, str | int | bool] | None = None,
        select: Sequence[str] | None = None,
    ) -> Iterator[Row]:
        """Read rows of one partition in key order."""
        query = {"$filter": partition_filter(partition, key_from, key_before, equal)}
        if select is not None:
            # The time stamp is the ETag where a listing does not give it.
            query["$select"] = ",".join(("PartitionKey", "RowKey", "Timestamp", *select))
        following: _Continuation | None = None
        while True:
            rows, following = self._read_page(query, following)
            yield from rows
            if following is None:
                return

    def page(
        self,
        partition: str,
        *,
        size: int,
        position: str | None = None,
        key_from: str | None = None,
        key_before: str | None = None,
        equal: Mapping[str, str | int | bool] | None = None,
    ) -> Page:
        """Read up to `size` rows from a position on. ValueError for a position that is none."""
        if not 1 <= size <= PAGE_SIZE:
            raise ValueError(f"a page has 1 to {PAGE_SIZE} rows, not {size}")
        start = None if position is None else read_position(position)
        query = {"$filter": partition_filter(partition, key_from, key_before, equal), "$top": str(size)}
        rows, following = self._read_page(query, start)
        return Page(rows, None if following is None else write_position(*following))

    def _read_page(
        self, query: Mapping[str, str], start: _Continuation | None
    ) -> tuple[list[Row], _Continuation | None]:
        if start:
            query = {**query, "NextPartitionKey": start[0], "NextRowKey": start[1]}
        answer = self._requests.send("GET", f"{self._name}()", query=query)
        if answer.status == 404:
            return [], None
        self._require(answer)
        rows = [_row(entity) for entity in json.loads(answer.body)["value"]]
        partition = answer.headers.get("x-ms-continuation-NextPartitionKey")
        if not partition:
            return rows, None
        return rows, (partition, answer.headers.get("x-ms-continuation-NextRowKey", ""))

    def _transact(self, partition: str, operations: Sequence[Operation]) -> list[str] | int:
        """Return the ETags, or the number of the plain Delete that found no row."""
        body = encode_batch(self._name, partition, operations, self._requests.endpoint)
        result = self._send_batch(body)
        if isinstance(result, Failure) and result.code == "TableNotFound":
            self._requests.create_table(self._name)
            result = self._send_batch(body)
        if not isinstance(result, Failure):
            return result
        failed = operations[min(result.index, len(operations) - 1)]
        if result.status == 404 and isinstance(failed, Delete) and failed.etag is None:
            return operations.index(failed)
        if result.status == 409 and result.code == "EntityAlreadyExists":
            raise RowExists(self._where(partition, failed.key))
        if result.status in (404, 412):
            raise RowChanged(self._where(partition, failed.key))
        raise unexpected(result)

    def _send_batch(self, body: bytes) -> list[str] | Failure:
        headers = {"Content-Type": f"multipart/mixed; boundary={BOUNDARY}"}
        answer = self._requests.send("POST", "$batch", headers=headers, content=body)
        if not answer.succeeded:
            return answer.failure
        result = decode_batch(answer.body)
        return result if isinstance(result, list) else read_failure(*result)

    def _write(self, method: str, path: str, headers: Mapping[str, str], content: bytes) -> Answer:
        answer = self._requests.send(method, path, headers=headers, content=content)
        if answer.status == 404 and answer.failure.code == "TableNotFound":
            self._requests.create_table(self._name)
            answer = self._requests.send(method, path, headers=headers, content=content)
        return answer

    def _require(self, answer: Answer) -> Answer:
        if not answer.succeeded:
            raise unexpected(answer.failure)
        return answer

    def _where(self, partition: str, key: str) -> str:
        return f"table {self._name}, key {partition!r} {key!r}"


def _row(entity: Mapping[str, Any]) -> Row:
    return Row(entity["PartitionKey"], entity["RowKey"], decode_values(entity), _etag(entity))


def _etag(entity: Mapping[str, Any]) -> str:
    """Return the ETag of a listed row: it is the time stamp, when it does not stand beside it."""
    return entity.get("odata.etag") or f"W/\"datetime'{quote(entity['Timestamp'])}'\""
