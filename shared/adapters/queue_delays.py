"""How long a storage queue can hold a message back."""

import math

MAX_DELAY = 7 * 24 * 3600
"""Seconds (storage queues; Service Bus allows more, so the smaller one holds)."""


def check_delay(delay: float) -> int:
    """Return a delay in whole seconds, rounded up. ValueError when a storage queue cannot wait so long."""
    if not 0 <= delay <= MAX_DELAY:
        raise ValueError(f"a message can be delayed by 0 to {MAX_DELAY} seconds, not {delay}")
    return math.ceil(delay)
