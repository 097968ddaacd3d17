"""JSON that has one meaning."""

import json
from decimal import Decimal

import pytest
from pydantic import BaseModel, ValidationError

from shared.kernel.strict_json import (
    MAX_DEPTH,
    NotJson,
    Unreadable,
    read_json,
    read_json_item,
    read_json_items,
    read_model,
)

NO_JSON: dict[str, bytes] = {
    "nothing": b"",
    "torn": b'{"a": 1',
    "words": b"hello",
    "latin-1": '{"a": "\u00e4"}'.encode("latin-1"),
    "utf-16": '{"a": 1}'.encode("utf-16"),
    "surrogates as bytes": b'{"a": "\xed\xa0\x80"}',
    "deep beyond Python": b"[" * 100_000,
}
NO_ONE_MEANING: dict[str, tuple[str, str]] = {
    "a name twice": ('{"a": 1, "b": 2, "a": 1}', "gives 'a' more than once"),
    "a name twice, deep inside": ('{"a": [{"b": {"c": 1, "c": null}}]}', "gives 'c' more than once"),
    "NaN": ('{"a": NaN}', "has NaN, which is no number of JSON"),
    "infinity": ('{"a": -Infinity}', "has -Infinity, which is no number of JSON"),
    "5,000 digits": ('{"a": %s}' % ("9" * 5000), "has a number of 5000 digits"),
    "an exponent": ('{"a": 1e99999999}', "has a number that cannot be computed with: 1e99999999..."),
    "an exponent beyond Decimal": ('{"a": 1e-99999999999999999999}', "has a number that cannot be computed with"),
    "deep": ("[" * (MAX_DEPTH + 2) + "]" * (MAX_DEPTH + 2), "is nested too deeply"),
    "deep, objects": ('{"a":' * 500 + "1" + "}" * 500, "is nested too deeply"),
}


@pytest.mark.parametrize("content", NO_JSON.values(), ids=NO_JSON.keys())
def test_what_is_no_json_is_refused_by_every_reader(content: bytes) -> None:
    for read in (read_json, read_json_item, read_json_items):
        with pytest.raises(NotJson, match=r"is not valid JSON|is nested too deeply"):
            read(content)


@pytest.mark.parametrize(("content", "reason"), NO_ONE_MEANING.values(), ids=NO_ONE_MEANING.keys())
def test_what_has_no_one_meaning_is_refused_with_the_reason(content: str, reason: str) -> None:
    with pytest.raises(NotJson) as caught:
        read_json(content)
    assert str(caught.value).startswith(reason)
    item = read_json_item(content)
    assert isinstance(item, Unreadable)
    assert (item.reason, item.field) == (str(caught.value), caught.value.field)


def test_a_bad_item_costs_itself_alone_and_is_kept_as_it_was() -> None:
    good = '{"id": "3", "amount": 1.10}'
    twice = '{"id": "1", "amount": 100.00, "amount": 1.00}'
    inside = '{"id": "2", "of": [{"x": NaN}]}'
    found = read_json_items(f'{{"data": [{twice}, {inside}, {good}], "pagination": {{"page": 1}}}}')
    assert found["data"][2] == {"id": "3", "amount": Decimal("1.10")}
    assert [(one.text, one.field) for one in found["data"][:2]] == [(twice, "amount"), (inside, "")]
    with pytest.raises(NotJson, match="'page'"):
        read_json_items('{"data": [], "pagination": {"page": 1, "page": 2}}')


def test_numbers_stay_exact_and_a_byte_order_mark_is_ignored() -> None:
    found = read_json(b'\xef\xbb\xbf{"a": 0.1, "b": 12345678901234567890, "c": 1E+5, "d": "\\ud83d\\ude00"}')
    assert found == {"a": Decimal("0.1"), "b": 12345678901234567890, "c": Decimal("1E+5"), "d": "\U0001f600"}


def test_a_model_is_read_as_strictly() -> None:
    class Amount(BaseModel):
        amount: Decimal

    assert read_model(Amount, b'{"amount": "1.5"}').amount == Decimal("1.5")
    with pytest.raises(NotJson) as caught:
        read_model(Amount, b'{"amount": "1.5", "amount": "1.5"}')
    assert caught.value.field == "amount"
    with pytest.raises(ValidationError):
        read_model(Amount, b"[]")


def test_what_is_read_can_be_written_again() -> None:
    deep = json.loads('{"a":' * (MAX_DEPTH - 1) + "1" + "}" * (MAX_DEPTH - 1))
    assert read_json(json.dumps(deep)) == deep
