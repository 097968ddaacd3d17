"""UUIDv7 identifiers, and the name of this process."""

import os
from threading import Lock

_one_at_a_time = Lock()


def new_uuid7() -> str:
    """Return a new UUIDv7 (RFC 9562) in lower case; later ones of one process sort after earlier ones."""
    from uuid6 import uuid7

    with _one_at_a_time:  # the package remembers the last millisecond, but not safely for threads
        return str(uuid7())


def instance_name() -> str:
    """Return a name of this process: Azure's instance ID where there is one."""
    return f"{os.environ.get('WEBSITE_INSTANCE_ID', '')[:16] or 'local'}-{os.getpid()}"
