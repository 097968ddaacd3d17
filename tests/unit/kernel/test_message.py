"""The envelope: what is written reads back, and what is not ours is refused without a crash."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.kernel.errors import DataRefused
from shared.kernel.message import Message, new_message, parse_message

NOW = datetime(2025, 1, 15, 1, tzinfo=UTC)
GOOD: dict[str, Any] = {"specversion": "1.0", "id": "1", "type": "T", "time": "2025-01-15T01:00:00.000Z", "tenant": "t"}
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner)
    ),
    max_leaves=10,
)


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), JSON, max_size=5))
def test_a_message_reads_back(data: dict[str, Any]) -> None:
    sent = new_message(message_id="m1", message_type="SalesImport", tenant="t1", now=NOW, subject="s", data=data)
    assert parse_message(sent.to_json()) == sent
    assert parse_message(sent.to_json().encode()) == sent


def test_the_envelope_is_cloudevents() -> None:
    sent = new_message(message_id="m1", message_type="T", tenant="t1", now=NOW, data={"n": 1})
    assert (
        json.loads(sent.to_json()).items()
        >= {
            "specversion": "1.0",
            "id": "m1",
            "source": "/integration-hub",
            "type": "T",
            "data": {"n": 1},
            "time": "2025-01-15T01:00:00.000Z",
            "datacontenttype": "application/json",
            "correlationid": "m1",
        }.items()
    )


def test_the_next_attempt_is_the_same_message() -> None:
    first = Message.model_validate(GOOD)
    assert first.next_attempt() == first.model_copy(update={"attempt": 1})
    assert first.attempt == 0


def test_fields_of_a_newer_sender_are_ignored() -> None:
    assert parse_message(json.dumps(GOOD | {"specversion": "1.1", "traceid": "x"})).id == "1"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ("", "body"),
        ("null", "body"),
        ("[]", "body"),
        ("{", "body"),
        ("[" * 5000, "body"),
        (b"\xff\xfe", "body"),
        ("{}", "id, tenant, time, type"),
        (json.dumps(GOOD | {"id": ""}), "id"),
        (json.dumps(GOOD | {"id": 7}), "id"),
        (json.dumps(GOOD | {"tenant": None}), "tenant"),
        (json.dumps(GOOD | {"attempt": -1}), "attempt"),
        (json.dumps(GOOD | {"attempt": "many"}), "attempt"),
        (json.dumps(GOOD | {"specversion": "2.0"}), "specversion"),
        (json.dumps(GOOD | {"schemaversion": 99}), "schemaversion"),
        (json.dumps(GOOD | {"data": [1]}), "data"),
        (json.dumps(GOOD | {"data": "secret"}), "data"),
    ],
)
def test_a_body_that_is_not_ours_is_refused_by_field(body: str | bytes, field: str) -> None:
    with pytest.raises(DataRefused) as caught:
        parse_message(body)
    assert caught.value.message.endswith(f": {field}")
    assert "secret" not in caught.value.message


@given(st.binary(max_size=200) | st.text(max_size=200))
def test_no_body_crashes_the_reader(body: bytes | str) -> None:
    with pytest.raises(DataRefused):
        parse_message(body)


def test_a_message_that_says_something_twice_is_refused_by_name() -> None:
    with pytest.raises(DataRefused, match="gives 'tenant' more than once"):
        parse_message(json.dumps(GOOD)[:-1] + ', "tenant": "other"}')


@pytest.mark.parametrize("text", ["\u00e4 2.csv", "b" * 2000, "%2F", "a/b", "\U0001f600"])
def test_an_id_from_outside_fits_and_is_the_same_each_time(text: str) -> None:
    def made(message_id: str) -> Message:
        return new_message(message_id=message_id, message_type="t", tenant="t1", now=datetime(2025, 1, 15, tzinfo=UTC))

    found = made(f"file-{text}")
    assert found.id.isascii()
    assert len(found.id) <= 150
    assert found.correlationid == found.id == made(f"file-{text}").id != made(f"file-{text}x").id


def test_an_attribute_that_is_null_is_absent() -> None:
    """CloudEvents 1.0, JSON format, 2.2."""
    absent = dict.fromkeys(("subject", "correlationid", "traceparent", "dataref", "data", "attempt", "source"))
    assert parse_message(json.dumps(GOOD | absent)) == parse_message(json.dumps(GOOD))
