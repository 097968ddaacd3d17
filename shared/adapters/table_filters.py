"""OData filters for one partition, with every value quoted."""

from collections.abc import Mapping


def partition_filter(
    partition: str,
    key_from: str | None,
    key_before: str | None,
    equal: Mapping[str, str | int | bool] | None,
) -> str:
    """Return the filter for `key_from` <= row key < `key_before` whose cells equal `equal`."""
    terms = [f"PartitionKey eq {_literal(partition)}"]
    if key_from is not None:
        terms.append(f"RowKey ge {_literal(key_from)}")
    if key_before is not None:
        terms.append(f"RowKey lt {_literal(key_before)}")
    for name, value in (equal or {}).items():
        if not name.isidentifier():
            raise ValueError(f"{name!r} is no name for a cell")
        terms.append(f"{name} eq {_literal(value)}")
    return " and ".join(terms)


def _literal(value: str | int | bool) -> str:  # noqa: FBT001 - it is the value itself
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return f"{value}L"  # all integers are stored with 64 bits
    return "'" + value.replace("'", "''") + "'"
