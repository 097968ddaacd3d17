"""Table keys: parts joined by `|`, escaped so that any outside identifier can be one."""

import re
from collections.abc import Collection

# Azure forbids / \ # ? and control characters; the emulator misreads a comma in a conditional write of a transaction.
_FORBIDDEN = re.compile(r"[/\\#?%|,\x00-\x1f\x7f-\x9f+]")
MAX_KEY_BYTES = 1024
MAX_KEY_CHARACTERS = 512
"""Azure allows 1 KiB, the emulator 512 characters: the smaller one holds."""

_FIRST_ALLOWED = " "
"""The smallest character that a key may hold."""


def join_key(*parts: str) -> str:
    """Join parts into one key. ValueError when it becomes longer than Azure Tables allows."""
    key = "|".join(_FORBIDDEN.sub(_escape, part) for part in parts)
    if len(key) > MAX_KEY_CHARACTERS or len(key.encode()) > MAX_KEY_BYTES:
        raise ValueError(f"the key {key[:60]!r}... is longer than {MAX_KEY_CHARACTERS} characters")
    return key


def split_key(key: str) -> list[str]:
    """Return the parts of a key made by join_key."""
    return [re.sub(r"%([0-9A-F]{2})", lambda match: chr(int(match[1], 16)), part) for part in key.split("|")]


def storage_order(key: str) -> bytes:
    """Return what keys are sorted by in storage: their UTF-16 units. Text in Python is sorted by code points."""
    return key.encode("utf-16-be", "surrogatepass")


def end_of_prefix(prefix: str) -> str:
    """Return the bound of a prefix scan: after every key that begins with the prefix, after no other key that follows.

    ValueError for a prefix that nothing can follow: an empty one, or nothing but U+FFFF.
    """
    kept = prefix.rstrip("\uffff")
    if not kept:
        raise ValueError("a scan by prefix needs a prefix that something can follow")
    return kept[:-1] + _following(kept[-1])


def span_of(keys: Collection[str]) -> tuple[str, str]:
    """Return the narrowest range (from, before) that holds all of these keys, in the order of storage."""
    return min(keys, key=storage_order), max(keys, key=storage_order) + _FIRST_ALLOWED


def _following(character: str) -> str:
    """Return the character that comes next in the order of UTF-16: the supplementary planes lie before U+E000."""
    return {"\ud7ff": "\U00010000", "\U0010ffff": "\ue000"}.get(character) or chr(ord(character) + 1)


def _escape(match: re.Match[str]) -> str:
    return f"%{ord(match[0]):02X}"
