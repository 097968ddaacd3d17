"""Table keys: parts joined by `|`, escaped so that any outside identifier can be one."""

import re

# Azure forbids / \ # ? and control characters; the emulator misreads a comma in a conditional write of a transaction.
_FORBIDDEN = re.compile(r"[/\\#?%|,\x00-\x1f\x7f-\x9f+]")
MAX_KEY_BYTES = 1024
MAX_KEY_CHARACTERS = 512
"""Azure allows 1 KiB, the emulator 512 characters: the smaller one holds."""

AFTER = "\uffff"
"""Sorts after every character that a key part can hold: `key_before=prefix + AFTER` ends a prefix scan."""


def join_key(*parts: str) -> str:
    """Join parts into one key. ValueError when it becomes longer than Azure Tables allows."""
    key = "|".join(_FORBIDDEN.sub(_escape, part) for part in parts)
    if len(key) > MAX_KEY_CHARACTERS or len(key.encode()) > MAX_KEY_BYTES:
        raise ValueError(f"the key {key[:60]!r}... is longer than {MAX_KEY_CHARACTERS} characters")
    return key


def split_key(key: str) -> list[str]:
    """Return the parts of a key made by join_key."""
    return [re.sub(r"%([0-9A-F]{2})", lambda match: chr(int(match[1], 16)), part) for part in key.split("|")]


def _escape(match: re.Match[str]) -> str:
    return f"%{ord(match[0]):02X}"
