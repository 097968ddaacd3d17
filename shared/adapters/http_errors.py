"""What a status means, as one table (RES-05, INC-70): who must act follows from the error's type."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from shared.adapters.http_wire import WireAnswer
from shared.adapters.resilience.retry_after import retry_after_seconds
from shared.kernel.errors import (
    ContractBroken,
    PartnerError,
    PartnerRefused,
    PartnerTimeout,
    PartnerUnavailable,
    RateLimited,
    ServerFailure,
)


@dataclass(frozen=True)
class StatusRule:
    """From status `first` to `last` an answer is an error of this kind; `after` says what happens next."""

    first: int
    last: int
    error: type[PartnerError]
    after: str


STATUS_RULES = (
    StatusRule(300, 399, ContractBroken, "not retried; a redirect of a GET inside the origin is followed before"),
    StatusRule(401, 401, PartnerRefused, "not retried; with a token source, sent once more with a new token before"),
    StatusRule(408, 408, PartnerTimeout, "retried"),
    StatusRule(429, 429, RateLimited, "retried after Retry-After"),
    StatusRule(400, 499, PartnerRefused, "not retried"),
    StatusRule(500, 599, ServerFailure, "retried after Retry-After"),
)
"""The first rule that holds a status decides. 2xx is no error; anything else breaks the contract."""


def error_of(partner: str, label: str, answer: WireAnswer, clock: Callable[[], datetime]) -> PartnerError | None:
    """Return the error that an answer stands for, None for 2xx. Its text holds no part of the body."""
    status = answer.status
    if 200 <= status <= 299:
        return None
    kind = next((rule.error for rule in STATUS_RULES if rule.first <= status <= rule.last), ContractBroken)
    size = f"{len(answer.body)} bytes" + (f" of {answer.content_type}" if answer.content_type else "")
    text = f"{label} answered {status} ({size})"
    if issubclass(kind, PartnerUnavailable):
        return kind(partner, text, retry_after=retry_after_seconds(answer.headers.get("retry-after"), clock()))
    if issubclass(kind, PartnerRefused):
        return kind(partner, text, status=status)
    return kind(partner, text)
