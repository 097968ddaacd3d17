"""The opaque position of a page: where Azure Tables goes on, as text for a URL."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode


def write_position(partition: str, key: str) -> str:
    """Return the position text of a continuation."""
    return urlsafe_b64encode(json.dumps([partition, key]).encode()).decode().rstrip("=")


def read_position(position: str) -> tuple[str, str]:
    """Return the continuation of a position text. ValueError when it is none."""
    try:
        padded = position + "=" * (-len(position) % 4)
        partition, key = json.loads(urlsafe_b64decode(padded.encode("ascii")))
        return str.__str__(partition), str.__str__(key)
    except (ValueError, TypeError, RecursionError):
        raise ValueError("the position is malformed") from None
