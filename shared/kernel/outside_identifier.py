"""Identifiers that others made: as they came, or not at all."""

from typing import Annotated

from pydantic import AfterValidator, Field

MAX_LENGTH = 128
_REPLACEMENT = "\ufffd"


def undamaged(identifier: str) -> str:
    """Return an identifier. ValueError where a conversion has put one sign in the place of others.

    Two identifiers that were different may be the same now. Half a character (a lone surrogate) is no text either.
    """
    if _REPLACEMENT in identifier:
        raise ValueError("holds U+FFFD: a conversion replaced characters that it could not read")
    try:
        identifier.encode()
    except UnicodeEncodeError:
        raise ValueError("holds half a character (a lone surrogate)") from None
    return identifier


OutsideIdentifier = Annotated[str, Field(min_length=1, max_length=MAX_LENGTH), AfterValidator(undamaged)]
