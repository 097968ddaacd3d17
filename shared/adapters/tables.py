"""The table port on Azure Tables."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from shared.adapters.storage_account import StorageAccount
from shared.adapters.table_limits import check_row, check_transaction
from shared.kernel.table import (
    Delete,
    Insert,
    Operation,
    Page,
    Replace,
    Row,
    RowChanged,
    RowExists,
    Value,
)

if TYPE_CHECKING:
    from azure.data.tables import TableClient

Result = TypeVar("Result")


class AzureTables:
    """All tables of an account."""

    def __init__(self, account: StorageAccount) -> None:
        """Keep the account; nothing is connected yet."""
        self._account = account
        self._tables: dict[str, AzureTable] = {}

    def table(self, name: str) -> "AzureTable":
        """Return a table; it is created when first written to."""
        return self._tables.setdefault(name, AzureTable(self._account, name))


class AzureTable:
    """One table. A table that is missing reads as empty and is created by the first write."""

    def __init__(self, account: StorageAccount, name: str) -> None:
        """Keep account and name."""
        self._account = account
        self.name = name

    @property
    def _client(self) -> "TableClient":
        return self._account.tables.get_table_client(self.name)

    def get(self, partition: str, key: str) -> Row | None:
        """Return one row, or None."""
        from azure.core.exceptions import ResourceNotFoundError

        try:
            return _row(self._client.get_entity(partition, key))
        except ResourceNotFoundError:
            return None

    def insert(self, partition: str, key: str, values: Mapping[str, Value]) -> str:
        """Write a new row, return its ETag. RowExists when it is there."""
        from azure.core.exceptions import ResourceExistsError

        check_row(self.name, key, values)
        try:
            return self._etag(lambda: self._client.create_entity(_entity(partition, key, values)))
        except ResourceExistsError:
            raise RowExists(f"{self.name} {partition} {key}") from None

    def put(self, partition: str, key: str, values: Mapping[str, Value]) -> str:
        """Write a row whatever stands there, return its ETag."""
        check_row(self.name, key, values)
        return self._etag(lambda: self._client.upsert_entity(_entity(partition, key, values), mode=_replace_mode()))

    def replace(self, row: Row, values: Mapping[str, Value]) -> str:
        """Write over the row that was read, return the new ETag. RowChanged when it is not that any more."""
        from azure.core import MatchConditions
        from azure.core.exceptions import ResourceModifiedError, ResourceNotFoundError

        check_row(self.name, row.key, values)
        entity = _entity(row.partition, row.key, values)
        try:
            return self._etag(
                lambda: self._client.update_entity(
                    entity, mode=_replace_mode(), etag=row.etag, match_condition=MatchConditions.IfNotModified
                ),
                create=False,
            )
        except (ResourceModifiedError, ResourceNotFoundError):
            raise RowChanged(f"{self.name} {row.partition} {row.key}") from None

    def delete(self, partition: str, key: str, etag: str | None = None) -> None:
        """Remove a row. RowChanged when an ETag is given and does not match."""
        from azure.core import MatchConditions
        from azure.core.exceptions import ResourceModifiedError, ResourceNotFoundError

        condition: dict[str, Any] = {"etag": etag, "match_condition": MatchConditions.IfNotModified} if etag else {}
        try:
            self._client.delete_entity(partition, key, **condition)
        except (ResourceModifiedError, ResourceNotFoundError):
            if etag:
                raise RowChanged(f"{self.name} {partition} {key}") from None

    def transact(self, partition: str, operations: Sequence[Operation]) -> Sequence[str]:
        """Write up to 100 rows of one partition, all or none; return their new ETags in order ("" for a Delete)."""
        from azure.core.exceptions import HttpResponseError

        check_transaction(self.name, operations)
        try:
            answers = self._create_when_missing(
                lambda: self._client.submit_transaction([_step(partition, item) for item in operations])
            )
        except HttpResponseError as error:
            # Which of the operations failed decides what the status means; the SDK names its index and code.
            code, status = _code(error), error.status_code
            if status == 409 or code == "EntityAlreadyExists":
                raise RowExists(f"{self.name} {partition}: {code}") from None
            if status in (404, 412) or code in ("ResourceNotFound", "UpdateConditionNotSatisfied"):
                if any(isinstance(item, Delete) and item.etag is None for item in operations) and status == 404:
                    return self._without_missing(partition, operations)
                raise RowChanged(f"{self.name} {partition}: {code}") from None
            raise
        return [str(answer.get("etag") or "") for answer in answers]

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
        from azure.core.exceptions import ResourceNotFoundError

        text, parameters = _filter(partition, key_from, key_before, equal)
        columns = ["PartitionKey", "RowKey", *select] if select is not None else None
        try:
            for entity in self._client.query_entities(text, parameters=parameters, select=columns):
                yield _row(entity)
        except ResourceNotFoundError:
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
        from azure.core.exceptions import ResourceNotFoundError

        text, parameters = _filter(partition, key_from, key_before, equal)
        start = _read_position(position) if position else None
        pages = self._client.query_entities(text, parameters=parameters, results_per_page=size).by_page(start)
        try:
            rows = [_row(entity) for entity in next(pages)]
        except (StopIteration, ResourceNotFoundError):
            return Page([], None)
        following = getattr(pages, "continuation_token", None)
        return Page(rows, _write_position(following) if following else None)

    def _without_missing(self, partition: str, operations: Sequence[Operation]) -> Sequence[str]:
        """Do a transaction again without the plain deletes of rows that are gone already."""
        kept = [
            item
            for item in operations
            if not (isinstance(item, Delete) and item.etag is None and self.get(partition, item.key) is None)
        ]
        if len(kept) == len(operations):
            raise RowChanged(f"{self.name} {partition}: a row is gone")
        etags = iter(self.transact(partition, kept) if kept else ())
        return [next(etags) if item in kept else "" for item in operations]

    def _etag(self, call: Callable[[], Mapping[str, Any]], *, create: bool = True) -> str:
        return str((self._create_when_missing(call) if create else call())["etag"])

    def _create_when_missing(self, call: Callable[[], Result]) -> Result:
        from azure.core.exceptions import HttpResponseError

        try:
            return call()
        except HttpResponseError as error:
            if _code(error) != "TableNotFound":
                raise
        self._account.tables.create_table_if_not_exists(self.name)
        return call()


def _code(error: Exception) -> str:
    code = getattr(error, "error_code", None)
    return str(getattr(code, "value", code) or "")


def _replace_mode() -> Any:  # noqa: ANN401 - an SDK enumeration that is loaded late
    from azure.data.tables import UpdateMode

    return UpdateMode.REPLACE


def _entity(partition: str, key: str, values: Mapping[str, Value]) -> dict[str, Any]:
    from azure.data.tables import EdmType, EntityProperty

    entity: dict[str, Any] = {"PartitionKey": partition, "RowKey": key}
    for name, value in values.items():
        is_integer = isinstance(value, int) and not isinstance(value, bool)
        entity[name] = EntityProperty(value, EdmType.INT64) if is_integer else value
    return entity


def _step(partition: str, operation: Operation) -> Any:  # noqa: ANN401 - a tuple of the SDK's own shapes
    from azure.core import MatchConditions

    unchanged = MatchConditions.IfNotModified
    match operation:
        case Insert(key, values):
            return "create", _entity(partition, key, values)
        case Replace(key, values, etag):
            options = {"mode": _replace_mode(), "etag": etag, "match_condition": unchanged}
            return "update", _entity(partition, key, values), options
        case Delete(key, etag):
            options = {"etag": etag, "match_condition": unchanged} if etag else {}
            return "delete", {"PartitionKey": partition, "RowKey": key}, options
        case _:
            return "upsert", _entity(partition, operation.key, operation.values), {"mode": _replace_mode()}


def _row(entity: Any) -> Row:  # noqa: ANN401 - an SDK entity
    values = {name: _value(value) for name, value in entity.items() if name not in ("PartitionKey", "RowKey")}
    return Row(entity["PartitionKey"], entity["RowKey"], values, entity.metadata.get("etag") or "")


def _value(value: Any) -> Value:  # noqa: ANN401 - whatever the SDK decodes
    if isinstance(value, tuple):  # an EntityProperty: a 64-bit integer with its type
        return int(value[0])
    if isinstance(value, datetime):
        return datetime.fromtimestamp(value.timestamp(), UTC)
    result: Value = value
    return result


def _filter(
    partition: str, key_from: str | None, key_before: str | None, equal: Mapping[str, str | int | bool] | None
) -> tuple[str, dict[str, Any]]:
    text, parameters = "PartitionKey eq @partition", {"partition": partition}
    if key_from is not None:
        text, parameters = f"{text} and RowKey ge @key_from", parameters | {"key_from": key_from}
    if key_before is not None:
        text, parameters = f"{text} and RowKey lt @key_before", parameters | {"key_before": key_before}
    given: dict[str, Any] = dict(parameters)
    for number, (name, value) in enumerate((equal or {}).items()):
        if isinstance(value, int) and not isinstance(value, bool):
            text += f" and {name} eq {value}L"  # a literal: the SDK would write a 32-bit integer
        else:
            text += f" and {name} eq @equal{number}"
            given[f"equal{number}"] = value
    return text, given


def _write_position(token: Mapping[str, str]) -> str:
    return urlsafe_b64encode(json.dumps(dict(token), sort_keys=True).encode()).decode()


def _read_position(position: str) -> Any:  # noqa: ANN401 - the SDK's continuation token
    try:
        token = json.loads(urlsafe_b64decode(position.encode()))
    except ValueError:
        raise ValueError("not a position in a table") from None
    if not isinstance(token, dict):
        raise ValueError("not a position in a table")  # noqa: TRY004 - malformed input, not a wrong type
    return token
