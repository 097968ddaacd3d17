"""How patient the hub is with each partner: retries, breaker, rate limit, as one table (RES-03/04/07, INC-70)."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


def _require(policy: str, problems: Mapping[str, bool]) -> None:
    wrong = [text for text, is_wrong in problems.items() if is_wrong]
    if wrong:
        raise ValueError(f"{policy}: {'; '.join(wrong)}")


@dataclass(frozen=True)
class RetryPolicy:
    """Exponential back-off; all times in seconds (RES-04).

    Retry n waits `first_delay * factor ** (n - 1)`, spread by +- `jitter` (a share), never above `cap`.
    A partner's own Retry-After wins, up to `max_retry_after`; above that the caller gets the error to wait elsewhere.
    """

    retries: int
    first_delay: float
    cap: float
    factor: float = 2.0
    jitter: float = 0.0
    max_retry_after: float = 60.0

    def __post_init__(self) -> None:
        """Refuse combinations that can never work. ValueError."""
        _require(
            "RetryPolicy",
            {
                "retries must be 0 or more": self.retries < 0,
                "first_delay must be 0 or more": not self.first_delay >= 0,
                "cap must not be below first_delay": not self.cap >= self.first_delay,
                "factor must be at least 1": not self.factor >= 1,
                "jitter must be a share from 0 to 1": not 0 <= self.jitter <= 1,
                "max_retry_after must be 0 or more": not self.max_retry_after >= 0,
            },
        )

    def delay(self, retry: int, chance: float) -> float:
        """Return the seconds before retry `retry` (from 1); `chance` is random, 0 <= chance < 1."""
        try:
            plain = min(self.cap, self.first_delay * self.factor ** (retry - 1))
        except OverflowError:
            plain = self.cap
        return min(self.cap, plain * (1 + self.jitter * (2 * chance - 1)))


@dataclass(frozen=True)
class BreakerPolicy:
    """When a circuit opens and closes; all times in seconds (RES-03).

    `failures` in a row open it for `reset_timeout`; then one probe at a time, until `successes` in a row close it.
    A call may take `call_timeout`, and for so long a probe holds the circuit for itself.
    """

    failures: int
    successes: int
    call_timeout: float
    reset_timeout: float

    def __post_init__(self) -> None:
        """Refuse combinations that can never work. ValueError."""
        _require(
            "BreakerPolicy",
            {
                "failures must be at least 1": self.failures < 1,
                "successes must be at least 1": self.successes < 1,
                "call_timeout must be above 0": not self.call_timeout > 0,
                "reset_timeout must be above 0": not self.reset_timeout > 0,
            },
        )


@dataclass(frozen=True)
class BucketPolicy:
    """A token bucket: `capacity` calls at once, refilled with `rate` per second (RES-07)."""

    capacity: int
    rate: float

    def __post_init__(self) -> None:
        """Refuse combinations that can never work. ValueError."""
        _require(
            "BucketPolicy",
            {"capacity must be at least 1": self.capacity < 1, "rate must be above 0": not self.rate > 0},
        )


@dataclass(frozen=True)
class AdapterPolicy:
    """All policies of one adapter; `bucket` is None where no rate limit is agreed."""

    retry: RetryPolicy
    breaker: BreakerPolicy
    bucket: BucketPolicy | None = None


_COMMUNICATION_RETRY = RetryPolicy(5, 0.5, 10, 2, 0.15)
_COMMUNICATION_BREAKER = BreakerPolicy(10, 3, 15, 30)

DEFAULTS: Mapping[str, AdapterPolicy] = MappingProxyType(
    {
        # retries, first delay, cap, factor, jitter · failures, successes, call timeout, reset timeout · capacity, rate
        "sales": AdapterPolicy(RetryPolicy(3, 1, 30, 2, 0.1), BreakerPolicy(5, 2, 30, 60), BucketPolicy(100, 10)),
        "erp": AdapterPolicy(RetryPolicy(5, 2, 60, 2, 0.2), BreakerPolicy(3, 2, 45, 120), BucketPolicy(50, 5)),
        "e-signature": AdapterPolicy(RetryPolicy(3, 1, 30, 2, 0.1), BreakerPolicy(5, 3, 60, 300), BucketPolicy(20, 2)),
        "communication": AdapterPolicy(_COMMUNICATION_RETRY, _COMMUNICATION_BREAKER),
        # SMS and e-mail are the gateways of communication: its patience, each with a limit of its own.
        "sms": AdapterPolicy(_COMMUNICATION_RETRY, _COMMUNICATION_BREAKER, BucketPolicy(50, 10)),
        "e-mail": AdapterPolicy(_COMMUNICATION_RETRY, _COMMUNICATION_BREAKER, BucketPolicy(100, 20)),
        # INC-70: 2, 4, 8 s exactly; 5 failures open for 30 s.
        "default": AdapterPolicy(RetryPolicy(3, 2, 8, 2, 0), BreakerPolicy(5, 1, 30, 30)),
    }
)


def policy_of(adapter_id: str) -> AdapterPolicy:
    """Return the defaults of an adapter ID, those of INC-70 when it has none of its own."""
    return DEFAULTS.get(adapter_id, DEFAULTS["default"])
