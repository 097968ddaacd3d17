"""Probes of the storage that the hub lives on (INC-72)."""

from collections.abc import Iterable

from shared.kernel.blob import Blobs
from shared.kernel.message import Queues
from shared.kernel.table import Tables

MAX_QUEUE_DEPTH = 1000
"""Waiting messages above which health warns (INC-73)."""


def probe_storage(tables: Tables, blobs: Blobs, tenant: str) -> None:
    """Read a row and look at a blob; neither need be there. Raises what storage raises."""
    tables.table("DeadLetters").get(tenant, "health")
    blobs.container("dead-letters").info("health")


def probe_queues(queues: Queues, names: Iterable[str]) -> str | None:
    """Return which queues are long, None when none is. Raises what storage raises."""
    depths = {name: queues.depth(name) for name in names}
    long = [f"{name}: {depth} messages wait" for name, depth in depths.items() if depth > MAX_QUEUE_DEPTH]
    return "; ".join(long) or None
