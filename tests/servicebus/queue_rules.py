"""How a queue treats its messages, and what has happened to it."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class QueueRules:
    """How a queue treats its messages; the same names and defaults as a queue of Azure Service Bus."""

    lock_seconds: float = 30
    max_delivery_count: int = 10
    duplicate_detection_seconds: float | None = None


@dataclass
class Counters:
    """What has happened to a queue since it was created."""

    sent: int = 0
    duplicates: int = 0
    received: int = 0
    completed: int = 0
    abandoned: int = 0
    released: int = 0
    dead_lettered: int = 0
    expired_locks: int = 0
    lost_locks: int = 0
    """Settlements and renewals that came too late."""


@dataclass
class DuplicateWindow:
    """The message IDs of the last seconds."""

    seconds: float
    _seen: dict[str, float] = field(default_factory=dict)

    def is_new(self, message_id: str, now: float) -> bool:
        """Say whether the ID is new, and remember it."""
        for old, at in list(self._seen.items()):
            if at > now - self.seconds:
                break
            del self._seen[old]
        if message_id in self._seen:
            return False
        self._seen[message_id] = now
        return True
