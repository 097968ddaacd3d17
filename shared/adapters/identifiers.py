"""UUIDv7 identifiers."""


def new_uuid7() -> str:
    """Return a new UUIDv7 (RFC 9562) in lower case; later ones of one process sort after earlier ones."""
    from uuid6 import uuid7

    return str(uuid7())
