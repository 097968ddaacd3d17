"""What every implementation of the table port does."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.kernel.keys import end_of_prefix, join_key, span_of, split_key, storage_order
from shared.kernel.table import (
    Delete,
    Insert,
    LimitExceeded,
    Operation,
    Put,
    Replace,
    Row,
    RowChanged,
    RowExists,
    Table,
    Value,
)
from tests.contract.conftest import Stores, Unique

STALE = "W/\"datetime'2001-01-01T00%3A00%3A00.0000000Z'\""


class Colour(StrEnum):
    """A cell may be a member of an enumeration of text."""

    RED = "red"


def row(table: Table, key: str = "k") -> Row:
    """Return a row that must be there."""
    found = table.get("p", key)
    assert found
    return found


def keys(table: Table, partition: str = "p", **condition: str) -> list[str]:
    """Return the keys of a partition as a query gives them."""
    return [found.key for found in table.query(partition, **condition)]  # type: ignore[arg-type]


def test_a_missing_table_reads_as_empty(table: Table) -> None:
    assert table.get("p", "k") is None
    assert list(table.query("p")) == []
    assert table.page("p", size=5) == table.page("p", size=5)
    assert table.page("p", size=5).next_position is None
    table.delete("p", "k")


def test_a_missing_table_has_no_row_to_replace_or_to_delete_conditionally(table: Table) -> None:
    with pytest.raises(RowChanged):
        table.replace(Row("p", "k", {}, STALE), {"n": 1})
    with pytest.raises(RowChanged):
        table.delete("p", "k", STALE)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "Grüße 😀 'quoted' \"twice\" \\ \r\n\t\x00 --batch",
        "HTTP/1.1 500 \r\n\r\n--changeset_hub--",
        "--changeset_hub\r\n",
        "--batch_hub",
        "\u2028 and \u2029",
        "{}}{",
        0,
        -1,
        2**31,
        2**63 - 1,
        -(2**63),
        True,
        False,
        b"",
        bytes(range(256)),
        datetime(2025, 1, 15, 1, 2, 3, 456789, UTC),
        datetime(2025, 1, 15, tzinfo=UTC),
        datetime(1601, 1, 1, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999999, UTC),
    ],
)
def test_a_value_comes_back_with_its_type(table: Table, value: Value) -> None:
    table.put("p", "single", {"cell": value})
    table.transact("p", [Put("many", {"cell": value})])
    for found in (row(table, "single"), row(table, "many"), *table.query("p")):
        assert found.values == {"cell": value}
        assert type(found.values["cell"]) is type(value)


def test_a_local_time_comes_back_in_utc_and_an_enumeration_as_text(table: Table) -> None:
    instant = datetime(2025, 7, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    table.put("p", "k", {"at": instant, "colour": Colour.RED})
    values = row(table).values
    assert values["at"] == instant
    assert isinstance(values["at"], datetime)
    assert values["at"].utcoffset() == timedelta(0)
    assert type(values["colour"]) is str


def test_insert_refuses_a_row_that_is_there(table: Table) -> None:
    etag = table.insert("p", "k", {"n": 1})
    with pytest.raises(RowExists):
        table.insert("p", "k", {"n": 2})
    assert row(table) == Row("p", "k", {"n": 1}, etag)


def test_put_writes_over_all_cells(table: Table) -> None:
    table.put("p", "k", {"old": 1})
    etag = table.put("p", "k", {"new": 2})
    assert row(table) == Row("p", "k", {"new": 2}, etag)


def test_etag_is_the_same_however_the_row_is_read(table: Table) -> None:
    etag = table.put("p", "k", {"n": 1, "m": 2})
    assert row(table).etag == etag
    assert [found.etag for found in table.query("p")] == [etag]
    assert [found.etag for found in table.query("p", select=["n"])] == [etag]
    assert [found.etag for found in table.page("p", size=1).rows] == [etag]


def test_replace_needs_the_row_as_it_was_read(table: Table) -> None:
    table.put("p", "k", {"n": 1})
    first = row(table)
    etag = table.replace(first, {"n": 2})
    assert row(table) == Row("p", "k", {"n": 2}, etag)
    with pytest.raises(RowChanged):
        table.replace(first, {"n": 3})
    table.delete("p", "k")
    with pytest.raises(RowChanged):
        table.replace(first, {"n": 3})
    assert table.get("p", "k") is None


def test_delete_with_etag_needs_the_row_as_it_was_read(table: Table) -> None:
    etag = table.put("p", "k", {"n": 1})
    table.put("p", "k", {"n": 2})
    with pytest.raises(RowChanged):
        table.delete("p", "k", etag)
    table.delete("p", "k", row(table).etag)
    assert table.get("p", "k") is None
    with pytest.raises(RowChanged):
        table.delete("p", "k", etag)
    table.delete("p", "k")


def test_a_transaction_returns_etags_in_order(table: Table) -> None:
    old = table.put("p", "replaced", {"n": 1})
    table.put("p", "deleted", {"n": 1})
    etags = table.transact(
        "p", [Insert("new", {"n": 2}), Delete("deleted"), Put("put", {"n": 3}), Replace("replaced", {"n": 4}, old)]
    )
    assert list(etags) == [row(table, "new").etag, "", row(table, "put").etag, row(table, "replaced").etag]
    assert [found.values["n"] for found in table.query("p")] == [2, 3, 4]


def test_an_empty_transaction_is_nothing(table: Table) -> None:
    assert list(table.transact("p", [])) == []


@pytest.mark.parametrize(
    ("operation", "error"),
    [
        (Insert("there", {"n": 9}), RowExists),
        (Replace("there", {"n": 9}, STALE), RowChanged),
        (Replace("missing", {"n": 9}, STALE), RowChanged),
        (Delete("there", STALE), RowChanged),
        (Delete("missing", STALE), RowChanged),
    ],
)
@pytest.mark.parametrize("place", [0, 2])
def test_a_transaction_is_all_or_nothing(
    table: Table, operation: Operation, error: type[Exception], place: int
) -> None:
    table.put("p", "there", {"n": 1})
    operations: list[Operation] = [Put("a", {"n": 2}), Insert("b", {"n": 3}), Delete("gone already")]
    operations.insert(place, operation)
    with pytest.raises(error):
        table.transact("p", operations)
    assert keys(table) == ["there"]
    assert row(table, "there").values == {"n": 1}


def test_a_plain_delete_of_a_missing_row_does_not_stop_a_transaction(table: Table) -> None:
    operations: list[Operation] = [Delete("x1"), Put("a", {"n": 1}), Delete("x2"), Put("b", {"n": 2}), Delete("x3")]
    etags = table.transact("p", operations)
    assert [bool(etag) for etag in etags] == [False, True, False, True, False]
    assert keys(table) == ["a", "b"]
    assert list(table.transact("p", [Delete("x1"), Delete("x2")])) == ["", ""]


def test_a_transaction_takes_100_rows(table: Table) -> None:
    etags = table.transact("p", [Insert(f"{number:03}", {"n": number}) for number in range(100)])
    assert len(set(etags)) >= 1
    assert keys(table) == [f"{number:03}" for number in range(100)]


def test_rows_come_in_key_order_of_utf16(table: Table) -> None:
    for key in ["b", "a", "Z", "é", "\uff5e", "😀", "10", "9", "a b", ""]:
        table.put("p", key, {})
    assert keys(table) == ["", "10", "9", "Z", "a", "a b", "b", "é", "😀", "\uff5e"]


def test_a_query_is_bounded_by_keys_and_partition(table: Table) -> None:
    table.transact("p", [Put(key, {}) for key in ["a", "b|1", "b|2", "b|2x", "c", "d'e"]])
    table.put("other", "b|1", {})
    assert keys(table, key_from="b|1", key_before="b|2") == ["b|1"]
    assert keys(table, key_from="b|", key_before=end_of_prefix("b|")) == ["b|1", "b|2", "b|2x"]
    assert keys(table, key_from="d'", key_before="d''") == []
    assert keys(table, key_from="d'") == ["d'e"]
    assert keys(table, "x' or PartitionKey ne 'x") == []


ODD_IDS = (
    "E",
    "E\ud7ff",
    "E\U0001f600",
    "E\U0010ffff",
    "E\ue000",
    "E\uff01",
    "E\uffff",
    "E\uffffx",
    "\uffff",
    "\U0001f600",
)


def test_a_range_ends_after_every_character_that_an_identifier_can_hold(table: Table) -> None:
    """Text in Python is sorted by code points, rows by UTF-16 units: U+1F600 lies before U+FF01."""
    table.transact("p", [Insert(join_key("run", name, "1"), {}) for name in ODD_IDS])
    table.insert("p", join_key("ruo"), {})
    every = sorted((join_key("run", name, "1") for name in ODD_IDS), key=storage_order)
    prefix = join_key("run", "")
    assert keys(table, key_from=prefix, key_before=end_of_prefix(prefix)) == every
    first, before = span_of(every)
    assert keys(table, key_from=first, key_before=before) == every
    for name in ODD_IDS:
        own = join_key("run", name, "")
        assert keys(table, key_from=own, key_before=end_of_prefix(own)) == [own + "1"]
        first, before = span_of([own + "1"])
        assert keys(table, key_from=first, key_before=before) == [own + "1"]
    prefix = join_key("run", "E")
    assert keys(table, key_from=prefix, key_before=end_of_prefix(prefix)) == every[:-2]


def test_a_query_selects_by_equal_cells(table: Table) -> None:
    table.put("p", "1", {"text": "it's", "number": 2**40, "flag": True})
    table.put("p", "2", {"text": "it", "number": 1, "flag": False})
    table.put("p", "3", {"other": 1})
    assert [found.key for found in table.query("p", equal={"text": "it's"})] == ["1"]
    assert [found.key for found in table.query("p", equal={"number": 2**40})] == ["1"]
    assert [found.key for found in table.query("p", equal={"flag": False, "number": 1})] == ["2"]
    assert list(table.query("p", equal={"missing": "x"})) == []


def test_select_returns_only_the_named_cells(table: Table) -> None:
    table.put("p", "1", {"a": 1, "b": "x"})
    table.put("p", "2", {"b": "y"})
    assert [found.values for found in table.query("p", select=["a"])] == [{"a": 1}, {}]
    assert [found.values for found in table.query("p", select=[])] == [{}, {}]


def test_a_query_goes_over_pages(table: Table) -> None:
    wanted = [f"{number:05}" for number in range(2100)]
    for start in range(0, 2100, 100):
        table.transact("p", [Put(key, {}) for key in wanted[start : start + 100]])
    assert keys(table) == wanted


def test_pages_continue_where_the_last_one_ended(table: Table) -> None:
    table.transact("p", [Put(f"{number:02}", {"even": number % 2 == 0}) for number in range(25)])
    table.put("q", "99", {})
    found, position, pages = [], None, 0
    while True:
        page = table.page("p", size=4, position=position, key_from="03", key_before="21", equal={"even": True})
        found += [one.key for one in page.rows]
        pages += 1
        position = page.next_position
        if position is None:
            break
        assert len(page.rows) <= 4
        assert position.isascii()
        assert not set(position) & set("+/=&?# ")
    assert found == [f"{number:02}" for number in range(4, 21, 2)]
    assert pages >= 3


def test_a_page_goes_on_after_its_first_row_was_deleted(table: Table) -> None:
    table.transact("p", [Put(key, {}) for key in "abcd"])
    position = table.page("p", size=2).next_position
    table.delete("p", "c")
    assert [found.key for found in table.page("p", size=2, position=position).rows] == ["d"]


@pytest.mark.parametrize("position", ["", "x", "bm9uZQ", "W10", "WzEsMl0", "eyJhIjoxfQ", "ü", "WyJhIl0", "a" * 5000])
def test_a_malformed_position_is_refused(table: Table, position: str) -> None:
    with pytest.raises(ValueError, match="position is malformed"):
        table.page("p", size=5, position=position)


@pytest.mark.parametrize("size", [0, -1, 1001])
def test_a_page_has_1_to_1000_rows(table: Table, size: int) -> None:
    with pytest.raises(ValueError, match="1 to 1000"):
        table.page("p", size=size)


TOO_MUCH: dict[str, tuple[dict[str, Value], str]] = {
    "cells": ({f"c{number}": 1 for number in range(253)}, "253 cells"),
    "text": ({"note": "x" * (32 * 1024 + 1)}, "note"),
    "text outside the basic plane": ({"note": "😀" * (16 * 1024 + 1)}, "note"),
    "bytes": ({"raw": b"x" * (64 * 1024 + 1)}, "raw"),
    "integer": ({"n": 2**63}, "64 bits"),
    "row": ({f"c{number}": "x" * 32 * 1024 for number in range(17)}, "at most 1048576"),
    "old time": ({"at": datetime(1600, 12, 31, tzinfo=UTC)}, "1601"),
    "naive time": ({"at": datetime(2025, 1, 1)}, "offset"),  # noqa: DTZ001 - what is refused
    "name": ({"a-b": 1}, "a-b"),
    "reserved name": ({"RowKey": "x"}, "RowKey"),
    "lone surrogate": ({"note": "\ud800"}, "Unicode"),
}


@pytest.mark.parametrize(("values", "what"), TOO_MUCH.values(), ids=TOO_MUCH)
def test_limits_are_enforced_before_anything_is_sent(
    stores: Stores, table: Table, unique: Unique, values: dict[str, Value], what: str
) -> None:
    writes: list[Callable[[], object]] = [
        lambda: table.insert("p", "the-key", values),
        lambda: table.put("p", "the-key", values),
        lambda: table.replace(Row("p", "the-key", {}, STALE), values),
        lambda: table.transact("p", [Put("first", {}), Put("the-key", values)]),
    ]
    for write in writes:
        with pytest.raises(LimitExceeded) as caught:
            write()
        assert unique("Contract") in str(caught.value)
        assert "the-key" in str(caught.value)
        assert what in str(caught.value)
    assert stores.account is None or stores.account.transactions.total == 0


def test_the_largest_row_is_accepted(table: Table) -> None:
    values: dict[str, Value] = {f"c{number}": "x" * (32 * 1024 - 100) for number in range(15)}
    values["raw"] = b"x" * 65536
    table.put("p", "k", values)
    assert row(table).values == values
    cells: dict[str, Value] = {f"c{number}": number for number in range(252)}
    table.put("p", "k", cells)
    assert row(table).values == cells


@pytest.mark.parametrize("key", ["a/b", "a\\b", "a#b", "a?b", "a\nb", "a\x7fb", "x" * 513])
def test_a_bad_key_is_refused(table: Table, key: str) -> None:
    for write in (
        lambda: table.get("p", key),
        lambda: table.get(key, "k"),
        lambda: table.put("p", key, {}),
        lambda: table.delete("p", key),
        lambda: table.transact("p", [Delete(key)]),
    ):
        with pytest.raises(LimitExceeded):
            write()


def test_a_transaction_is_limited(table: Table) -> None:
    with pytest.raises(LimitExceeded, match="101 operations"):
        table.transact("p", [Put(f"{number}", {}) for number in range(101)])
    with pytest.raises(LimitExceeded, match="two operations"):
        table.transact("p", [Put("k", {}), Delete("k")])
    large: dict[str, Value] = {f"c{number}": "x" * 32000 for number in range(15)}
    with pytest.raises(LimitExceeded, match="4 MiB"):
        table.transact("p", [Put(f"{number}", large) for number in range(9)])
    assert keys(table) == []


@pytest.mark.parametrize("value", [None, 1.5, ["a"], {"a": 1}])
def test_a_cell_has_a_storable_type(table: Table, value: Value) -> None:
    with pytest.raises(TypeError, match="cell bad"):
        table.put("p", "k", {"bad": value})


@pytest.mark.parametrize("name", ["", "ab", "1abc", "a-b-c", "x" * 64])
def test_a_bad_table_name_is_refused(stores: Stores, name: str) -> None:
    with pytest.raises(ValueError, match="table name"):
        stores.tables.table(name)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(parts=st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=40), min_size=1, max_size=3))
def test_any_identifier_can_be_a_key(table: Table, parts: list[str]) -> None:
    key = join_key(*parts)
    assert split_key(key) == parts
    etag = table.put(key, key, {"id": parts[0]})
    assert table.get(key, key) == Row(key, key, {"id": parts[0]}, etag)
    table.transact(key, [Replace(key, {"id": parts[-1]}, etag)])
    found = list(table.query(key, key_from=key, equal={"id": parts[-1]}))
    assert [(one.partition, one.key, one.values) for one in found] == [(key, key, {"id": parts[-1]})]
    table.delete(key, key, found[0].etag)
    assert table.get(key, key) is None
