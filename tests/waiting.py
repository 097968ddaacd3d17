"""Waiting for what another thread or process does."""

import time
from collections.abc import Callable
from typing import Any


def until(condition: Callable[[], Any], seconds: float = 30) -> Any:
    """Return what the condition gives once it is true. AssertionError when that takes too long."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "this did not happen in time"
        time.sleep(0.02)
    return found
