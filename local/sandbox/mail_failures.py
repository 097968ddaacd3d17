"""Which recipients the mailbox refuses, and how often."""

from dataclasses import dataclass
from threading import Lock


@dataclass
class _Failure:
    recipient: str
    code: int
    times: int


class MailFailures:
    """Failures that are still to come. Thread-safe."""

    def __init__(self) -> None:
        """Begin with none."""
        self._left: list[_Failure] = []
        self._lock = Lock()

    def add(self, recipient: str, code: int, times: int) -> None:
        """Refuse a recipient with a code, so many times. ValueError when the code is no refusal."""
        if not 400 <= code <= 599:
            raise ValueError(f"{code} is no refusal: 400 to 599")
        with self._lock:
            self._left.append(_Failure(recipient.lower(), code, times))

    def take(self, recipient: str) -> int | None:
        """Return the code with which a recipient is refused now, and count it; None when it is not."""
        with self._lock:
            for failure in self._left:
                if failure.recipient == recipient.lower() and failure.times > 0:
                    failure.times -= 1
                    return failure.code
        return None
