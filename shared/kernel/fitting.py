"""Outside text where only some of it fits: header values, message IDs, names of blobs. It is never refused for that."""

import re
from hashlib import sha256

MAX_MESSAGE_ID = 150
"""Characters: as a part of a table key, each of them may be written as three."""
MAX_HEADER_VALUE = 256
MAX_BLOB_NAME = 1024
_PRINTABLE = re.compile(r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?")
_DIGEST = 64


def fitting(text: str, most: int) -> str:
    """Return text of printable ASCII, of at most `most` characters (more than 64): the given one where it is.

    Else a readable beginning and the SHA-256 of all of it: other text is never the same afterwards.
    """
    if len(text) <= most and _PRINTABLE.fullmatch(text):
        return text
    return _with_digest(re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-"), text, most)


def shortened(text: str, most: int) -> str:
    """Return text of at most `most` characters (more than 64), whatever they are: the given one where it fits."""
    return text if len(text) <= most else _with_digest(text, text, most)


def _with_digest(beginning: str, text: str, most: int) -> str:
    digest = sha256(text.encode(errors="surrogatepass")).hexdigest()
    return f"{beginning[: most - _DIGEST - 1]}~{digest}"
