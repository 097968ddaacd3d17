"""The table of policies says what the requirements say, and impossible policies are refused."""

from dataclasses import replace

import pytest

from shared.adapters.resilience.policies import (
    DEFAULTS,
    BreakerPolicy,
    BucketPolicy,
    RetryPolicy,
    policy_of,
)

RES_04 = [
    ("sales", 3, 1, 30, 2, 0.1),
    ("erp", 5, 2, 60, 2, 0.2),
    ("e-signature", 3, 1, 30, 2, 0.1),
    ("communication", 5, 0.5, 10, 2, 0.15),
]
RES_03 = [
    ("sales", 5, 2, 30, 60),
    ("erp", 3, 2, 45, 120),
    ("e-signature", 5, 3, 60, 300),
    ("communication", 10, 3, 15, 30),
]
RES_07 = [("sales", 100, 10), ("erp", 50, 5), ("e-signature", 20, 2), ("sms", 50, 10), ("e-mail", 100, 20)]


@pytest.mark.parametrize(("adapter", "retries", "first", "cap", "factor", "jitter"), RES_04)
def test_retries(adapter: str, retries: int, first: float, cap: float, factor: float, jitter: float) -> None:
    assert policy_of(adapter).retry == RetryPolicy(retries, first, cap, factor, jitter)


@pytest.mark.parametrize(("adapter", "failures", "successes", "call", "reset"), RES_03)
def test_breakers(adapter: str, failures: int, successes: int, call: float, reset: float) -> None:
    assert policy_of(adapter).breaker == BreakerPolicy(failures, successes, call, reset)


@pytest.mark.parametrize(("adapter", "capacity", "rate"), RES_07)
def test_buckets(adapter: str, capacity: int, rate: float) -> None:
    assert policy_of(adapter).bucket == BucketPolicy(capacity, rate)


def test_the_rest_follows_inc_70() -> None:
    policy = policy_of("payroll")
    assert policy is DEFAULTS["default"]
    assert [policy.retry.delay(retry, 0.7) for retry in (1, 2, 3)] == [2, 4, 8]
    assert (policy.breaker.failures, policy.breaker.reset_timeout) == (5, 30)


@pytest.mark.parametrize(
    "wrong",
    [{"retries": -1}, {"first_delay": -1}, {"cap": 0.5}, {"factor": 0.5}, {"jitter": 1.1}, {"max_retry_after": -1}],
    ids=lambda wrong: next(iter(wrong)),
)
def test_impossible_retry_policies(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        replace(RetryPolicy(3, 1, 30), **wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("field", ["failures", "successes", "call_timeout", "reset_timeout"])
def test_impossible_breaker_policies(field: str) -> None:
    with pytest.raises(ValueError, match=field):
        replace(BreakerPolicy(5, 2, 30, 60), **{field: 0})


@pytest.mark.parametrize(("capacity", "rate"), [(0, 1.0), (1, 0.0), (1, float("nan"))])
def test_impossible_buckets(capacity: int, rate: float) -> None:
    with pytest.raises(ValueError, match="BucketPolicy"):
        BucketPolicy(capacity, rate)
