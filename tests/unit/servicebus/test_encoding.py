"""Messages byte by byte, against the protocol library and the SDK's own encoder."""

from typing import Any
from uuid import UUID

import pytest
from azure.servicebus import ServiceBusMessage
from azure.servicebus._transport._pyamqp_transport import PyamqpTransport
from hypothesis import given
from hypothesis import strategies as st
from proton import Message, symbol, timestamp

from tests.servicebus.encoding import (
    DATA,
    Malformed,
    as_delivered,
    due_time_of,
    message_id_of,
    messages_of,
    sections_of,
)
from tests.servicebus.stored_message import MessageState, StoredMessage

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**31), 2**31 - 1) | st.text(max_size=300) | st.binary(max_size=300),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=10,
)
TEXTS = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=400)


def stored(content: bytes, **fields: Any) -> StoredMessage:
    return StoredMessage(7, content, None, 1_700_000_000.25, **fields)


def encoded(body: Any = b"x", **fields: Any) -> bytes:
    return bytes(Message(body=body, **fields).encode())


def decoded(content: bytes) -> Message:
    message = Message()
    message.decode(content)
    return message


@given(TEXTS.filter(bool), VALUES, st.dictionaries(TEXTS.filter(bool), TEXTS, max_size=3))
def test_what_the_sender_wrote_is_what_the_consumer_reads(
    message_id: str, body: Any, properties: dict[str, str]
) -> None:
    sent = encoded(body, id=message_id, properties=properties, subject="s", priority=7, ttl=60.0, durable=True)
    received = decoded(as_delivered(stored(sent, delivery_count=2)))
    assert received.body == decoded(sent).body
    assert (received.id, received.subject, received.priority, received.ttl) == (message_id, "s", 7, 60.0)
    assert received.durable
    assert (received.properties or {}) == properties
    assert received.delivery_count == 2
    assert message_id_of(sent) == message_id


def test_the_broker_annotates_and_keeps_what_others_annotated() -> None:
    sent = encoded(annotations={symbol("x-opt-partition-key"): "p", symbol("x-opt-sequence-number"): 1})
    token = UUID(int=1)
    lock = {"lock_token": token, "locked_until": 1_700_000_030.25, "state": MessageState.DEFERRED}
    assert decoded(as_delivered(stored(sent, **lock))).annotations == {
        "x-opt-partition-key": "p",
        "x-opt-sequence-number": 7,
        "x-opt-enqueued-time": 1_700_000_000_250,
        "x-opt-locked-until": 1_700_000_030_250,
        "x-opt-message-state": 1,
    }


def test_a_message_without_a_lock_has_no_end_of_it() -> None:
    annotations = decoded(as_delivered(stored(encoded()))).annotations
    assert annotations is not None
    assert "x-opt-locked-until" not in annotations


def test_a_dead_letter_says_why() -> None:
    content = encoded(properties={"kept": "yes"})
    why = {"dead_letter_reason": "r", "dead_letter_description": "d" * 300}
    assert decoded(as_delivered(stored(content, **why))).properties == {
        "kept": "yes",
        "DeadLetterReason": "r",
        "DeadLetterErrorDescription": "d" * 300,
    }


@pytest.mark.parametrize(
    ("message_id", "text"),
    [
        pytest.param(None, None, id="none"),
        pytest.param("m", "m", id="short"),
        pytest.param("m" * 300, "m" * 300, id="long"),
        pytest.param(UUID(int=5), "98" + "0" * 31 + "5", id="not-a-text"),
    ],
)
def test_the_message_id_is_found(message_id: str | UUID | None, text: str | None) -> None:
    assert message_id_of(encoded(id=message_id)) == text


def of_sdk(*messages: ServiceBusMessage) -> list[bytes]:
    outgoing = [PyamqpTransport.to_outgoing_amqp_message(one.raw_amqp_message) for one in messages]
    found = []
    for message in outgoing:
        carrier = ServiceBusMessage(b"")
        carrier._message = message
        found.append(bytes(PyamqpTransport.encode_message(carrier)))
    return found


def data_section(content: bytes) -> bytes:
    return bytes([0, 0x53, DATA, 0xB0]) + len(content).to_bytes(4) + content


def test_a_batch_is_taken_apart() -> None:
    messages = of_sdk(*(ServiceBusMessage(text, message_id=text) for text in "abc"))
    assert messages_of(b"".join(map(data_section, messages))) == messages


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"\x00Su", b"\x00Su\xa0\xff", bytes(range(256))],
    ids=["empty", "json", "cut-off", "too-short", "all"],
)
def test_a_payload_is_no_batch(body: bytes) -> None:
    (message,) = of_sdk(ServiceBusMessage(body))
    assert messages_of(message) == [message]


def test_the_schedule_is_found() -> None:
    scheduled = encoded(annotations={symbol("x-opt-scheduled-enqueue-time"): timestamp(1_700_000_000_500)})
    assert due_time_of(scheduled) == 1_700_000_000.5
    assert due_time_of(encoded()) is None


@given(st.binary(min_size=1, max_size=200))
def test_other_bytes_are_malformed_or_whole_sections(content: bytes) -> None:
    try:
        found = sections_of(content)
    except Malformed:
        return
    assert b"".join(section.whole for section in found) == content


@given(st.integers(min_value=1))
def test_a_message_that_is_cut_off_is_malformed(cut: int) -> None:
    content = encoded({"key": ["a" * 300, 5]}, id="m")
    whole = sections_of(content)
    cut %= len(whole[-1].whole) - 1
    with pytest.raises(Malformed):
        sections_of(content[: len(content) - cut - 1])
