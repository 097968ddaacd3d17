"""Encoded AMQP messages, read and changed section by section (AMQP 1.0, part 1 section 1.6 and part 3 section 3.2).

The sections that a broker does not touch stay as the bytes that the client sent, so that nothing of them can change.
"""

import struct
from collections.abc import Iterable
from dataclasses import dataclass

from tests.servicebus.stored_message import StoredMessage

HEADER, DELIVERY_ANNOTATIONS, ANNOTATIONS, PROPERTIES, APPLICATION_PROPERTIES, DATA = range(0x70, 0x76)
FOOTER = 0x78

_NULL = b"\x40"
_FIXED_WIDTHS = {0x4: 0, 0x5: 1, 0x6: 2, 0x7: 4, 0x8: 8, 0x9: 16}
_SCHEDULED = b"\xa3\x1cx-opt-scheduled-enqueue-time"


class Malformed(ValueError):
    """The bytes are no AMQP message."""


@dataclass(frozen=True, slots=True)
class Section:
    """A section of a message: what it is, all its bytes, and those of its value."""

    code: int
    whole: bytes
    value: bytes


def sections_of(message: bytes) -> list[Section]:
    """Split a message. Malformed."""
    found = []
    at = 0
    try:
        while at < len(message):
            if message[at : at + 2] != b"\x00\x53" or not HEADER <= message[at + 2] <= FOOTER:
                raise Malformed(f"no section begins at byte {at}")
            end = _end_of(message, at + 3)
            found.append(Section(message[at + 2], message[at:end], message[at + 3 : end]))
            at = end
    except (IndexError, struct.error) as error:
        raise Malformed("a section ends beyond the message") from error
    return found


def messages_of(transfer: bytes) -> list[bytes]:
    """Return the messages of a transfer: each data section of a batch is a whole message. Malformed.

    Around them a batch has the properties of its first message. What marks it as one, its message format, is not
    shown by the protocol library; no payload of ours looks like an encoded message.
    """
    body = [section for section in sections_of(transfer) if section.code > APPLICATION_PROPERTIES]
    parts = [content_of_data(section) for section in body]
    if body and all(section.code == DATA for section in body) and all(map(_is_message, parts)):
        return parts
    return [transfer]


def content_of_data(section: Section) -> bytes:
    """Return the bytes that a data section carries."""
    return section.value[2 if section.value[:1] == b"\xa0" else 5 :]


def message_id_of(message: bytes) -> str | None:
    """Return the message ID as text, or None."""
    for section in sections_of(message):
        if section.code == PROPERTIES:
            first = next(iter(_items_of(section.value)), _NULL)
            return None if first == _NULL else _text_of(first)
    return None


def due_time_of(message: bytes) -> float | None:
    """Return when the sender wants the message to become active, in seconds since 1970, or None."""
    for section in sections_of(message):
        if section.code == ANNOTATIONS:
            value = _pairs_of(section.value).get(_SCHEDULED)
            if value is not None and value[0] == 0x83:
                return float(struct.unpack(">q", value[1:])[0]) / 1000
    return None


def as_delivered(message: StoredMessage) -> bytes:
    """Return the message as a consumer gets it: with the broker's header, annotations and dead-letter properties."""
    sections = sections_of(message.content)
    own = {section.code: section for section in sections}
    result = bytearray(_header(own.get(HEADER), message.delivery_count))
    result += _map(ANNOTATIONS, _pairs(own.get(ANNOTATIONS)) | _annotations(message))
    if PROPERTIES in own:
        result += own[PROPERTIES].whole
    properties = _pairs(own.get(APPLICATION_PROPERTIES)) | _dead_letter_properties(message)
    if properties:
        result += _map(APPLICATION_PROPERTIES, properties)
    for section in sections:
        if section.code > APPLICATION_PROPERTIES:
            result += section.whole
    return bytes(result)


def _is_message(part: bytes) -> bool:
    try:
        return bool(sections_of(part))
    except Malformed:
        return False


def _end_of(data: bytes, at: int) -> int:
    """Return where the value that begins at `at` ends."""
    code = data[at]
    if code == 0:
        return _end_of(data, _end_of(data, at + 1))
    kind = code >> 4
    if kind in _FIXED_WIDTHS:
        end = at + 1 + _FIXED_WIDTHS[kind]
    elif kind in (0xA, 0xC, 0xE):
        end = at + 2 + data[at + 1]
    elif kind in (0xB, 0xD, 0xF):
        end = at + 5 + int(struct.unpack_from(">I", data, at + 1)[0])
    else:
        raise Malformed(f"no type has the code {code:#x}")
    if end > len(data):
        raise Malformed("a value ends beyond the message")
    return end


def _items_of(compound: bytes) -> list[bytes]:
    """Return the encoded members of an encoded list or map."""
    if compound == b"\x45":
        return []
    at = 3 if compound[0] >> 4 == 0xC else 9
    items = []
    while at < len(compound):
        end = _end_of(compound, at)
        items.append(compound[at:end])
        at = end
    return items


def _pairs_of(encoded_map: bytes) -> dict[bytes, bytes]:
    items = _items_of(encoded_map)
    return dict(zip(items[::2], items[1::2], strict=True))


def _pairs(section: Section | None) -> dict[bytes, bytes]:
    return {} if section is None else _pairs_of(section.value)


def _text_of(value: bytes) -> str:
    if value[0] == 0xA1:
        return value[2:].decode()
    if value[0] == 0xB1:
        return value[5:].decode()
    return value.hex()


def _header(section: Section | None, delivery_count: int) -> bytes:
    """Return the header section with the sender's durability, priority and time to live."""
    items = _items_of(section.value)[:4] if section is not None else []
    items += [_NULL] * (4 - len(items))
    items.append(b"\x70" + struct.pack(">I", delivery_count))
    body = b"".join(items)
    return b"\x00\x53\x70\xc0" + bytes([len(body) + 1, len(items)]) + body


def _map(code: int, pairs: dict[bytes, bytes]) -> bytes:
    body = b"".join(_flat(pairs.items()))
    return bytes([0, 0x53, code, 0xD1]) + struct.pack(">II", len(body) + 4, 2 * len(pairs)) + body


def _flat(pairs: Iterable[tuple[bytes, bytes]]) -> Iterable[bytes]:
    return (one for pair in pairs for one in pair)


def _annotations(message: StoredMessage) -> dict[bytes, bytes]:
    found = {
        _symbol("x-opt-enqueued-time"): _timestamp(message.enqueued_at),
        _symbol("x-opt-sequence-number"): b"\x81" + struct.pack(">q", message.sequence_number),
        _symbol("x-opt-message-state"): b"\x71" + struct.pack(">i", message.state),
    }
    if message.lock_token is not None:
        found[_symbol("x-opt-locked-until")] = _timestamp(message.locked_until)
    return found


def _dead_letter_properties(message: StoredMessage) -> dict[bytes, bytes]:
    values = {
        "DeadLetterReason": message.dead_letter_reason,
        "DeadLetterErrorDescription": message.dead_letter_description,
    }
    return {_string(name): _string(value) for name, value in values.items() if value is not None}


def _symbol(text: str) -> bytes:
    return b"\xa3" + bytes([len(text)]) + text.encode()


def _string(text: str) -> bytes:
    encoded = text.encode()
    if len(encoded) < 256:
        return b"\xa1" + bytes([len(encoded)]) + encoded
    return b"\xb1" + struct.pack(">I", len(encoded)) + encoded


def _timestamp(seconds: float) -> bytes:
    return b"\x83" + struct.pack(">q", round(seconds * 1000))
