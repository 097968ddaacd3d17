"""The port to idempotency (RES-02)."""

from collections.abc import Callable
from typing import Any, Protocol


class RunOnce(Protocol):
    """Runs a call once per key; everybody who asks for it gets its result."""

    def run(self, operation: str, key: str, call: Callable[[], Any], payload: object = None) -> Any:  # noqa: ANN401 - JSON
        """Return the call's result (JSON), computed now or before."""
        ...
