"""What every adapter to a partner system offers (RES-01).

Retries, breaker, rate limit and telemetry are the client's beneath it; an adapter says what is particular to its
partner. `docs/adapters.md` shows how one is added.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol, TypeVar

RequestT = TypeVar("RequestT", contravariant=True)
ResultT = TypeVar("ResultT", covariant=True)

_SEMANTIC = re.compile(
    r"(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)"
    r"(-(0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)(\.(0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*))*)?"
    r"(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?"
)


class Health(StrEnum):
    """Of an adapter, and of the hub as a whole."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"


@dataclass(frozen=True)
class CallContext:
    """For whom and in what course of events an adapter is called. `retry_count`: how often it was tried before."""

    correlation_id: str
    tenant_id: str
    user_id: str
    timestamp: datetime
    retry_count: int = 0
    metadata: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse a time without its offset and a negative count. ValueError."""
        if self.timestamp.tzinfo is None:
            raise ValueError("the timestamp must be aware")
        if self.retry_count < 0:
            raise ValueError("retry_count must be 0 or more")


@dataclass(frozen=True)
class AdapterHealth:
    """How a partner is; latency in milliseconds. The reason names no address and no secret."""

    status: Health
    latency: float
    reason: str = ""


class Adapter(Protocol[RequestT, ResultT]):
    """An integration with one partner system."""

    @property
    def adapter_id(self) -> str:
        """The name under which its policies, metrics and circuit go."""
        ...

    @property
    def version(self) -> str:
        """The version of this adapter's contract: semantic."""
        ...

    def validate(self, request: RequestT, /) -> None:
        """Look at a request without calling anybody. InvalidRequest names each wrong field."""
        ...

    def transform(self, request: RequestT, /) -> Mapping[str, object]:
        """Return the partner's body. Pure: the same request gives the same body, and is not changed."""
        ...

    def execute(self, request: RequestT, context: CallContext, /) -> ResultT:
        """Do it once, however often it is asked for. InvalidRequest, Conflict, Busy, partner errors."""
        ...

    def health_check(self) -> AdapterHealth:
        """Ask the partner how it is. Never raises a HubError."""
        ...


def semantic_version(text: str) -> str:
    """Return a version that follows Semantic Versioning 2.0.0. ValueError when it does not."""
    if not _SEMANTIC.fullmatch(text):
        raise ValueError(f"{text!r} is no semantic version such as 1.0.0")
    return text
