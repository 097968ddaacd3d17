"""What Azure accepts as the name of a table."""

import re

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]{2,62}")


def check_table_name(name: str) -> None:
    """Refuse a name that is no table name. ValueError."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no table name: 3 to 63 letters and digits, a letter first")
