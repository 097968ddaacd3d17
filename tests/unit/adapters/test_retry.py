"""Retries: what is retried, when, and when no longer."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.adapters.resilience.policies import RetryPolicy
from shared.adapters.resilience.retry import Retry
from shared.adapters.resilience.retry_after import retry_after_seconds
from shared.adapters.resilience.retry_budget import RetryBudget
from shared.kernel.errors import (
    CircuitOpen,
    ContractBroken,
    HubError,
    MalformedResponse,
    NetworkFailure,
    PartnerRefused,
    PartnerTimeout,
    RateLimited,
    ServerFailure,
)
from tests.unit.adapters.manual_time import ManualTime

NOW = datetime(2025, 1, 15, 1, tzinfo=UTC)


class Failing:
    """Fails with the given errors, then answers."""

    def __init__(self, *errors: HubError) -> None:
        self.errors = list(errors)
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return "done"


def make(policy: RetryPolicy, time: ManualTime, budget: RetryBudget | None = None, chance: float = 0.5) -> Retry:
    return Retry(policy, budget or RetryBudget(time.clock), sleep=time.sleep, chance=lambda: chance)


@pytest.mark.parametrize("kind", [NetworkFailure, PartnerTimeout, ServerFailure, RateLimited, MalformedResponse])
def test_passing_failures_are_retried(kind: type[HubError]) -> None:
    time, call = ManualTime(), Failing(kind("erp", "x"), kind("erp", "x"))  # type: ignore[call-arg]
    assert make(RetryPolicy(3, 2, 8), time).call(call) == "done"
    assert time.slept == [2, 4]


@pytest.mark.parametrize(
    "error", [CircuitOpen("erp", 5), PartnerRefused("erp", "x", status=404), ContractBroken("erp", "x")], ids=repr
)
def test_everything_else_passes_through_at_once(error: HubError) -> None:
    time, call = ManualTime(), Failing(error)
    with pytest.raises(type(error)):
        make(RetryPolicy(3, 2, 8), time).call(call)
    assert (call.calls, time.slept) == (1, [])


def test_a_circuit_that_opens_meanwhile_ends_it_with_what_went_wrong() -> None:
    """RES-05: an open circuit is not retried, also when our own failures have opened it."""
    time, call = ManualTime(), Failing(ServerFailure("erp", "x"), CircuitOpen("erp", 30))
    with pytest.raises(ServerFailure) as caught:
        make(RetryPolicy(3, 2, 8), time).call(call)
    assert (call.calls, time.slept, caught.value.retry_after) == (2, [2], 30)


def test_the_last_error_comes_out() -> None:
    time, call = ManualTime(), Failing(*(ServerFailure("erp", str(number)) for number in range(9)))
    with pytest.raises(ServerFailure, match="erp: 3"):
        make(RetryPolicy(3, 2, 8), time).call(call)
    assert time.slept == [2, 4, 8]


def test_retry_after_wins() -> None:
    time, call = ManualTime(), Failing(RateLimited("erp", "x", retry_after=17))
    make(RetryPolicy(3, 2, 8), time).call(call)
    assert time.slept == [17]


def test_a_wish_that_is_too_long_goes_to_the_caller() -> None:
    time, call = ManualTime(), Failing(RateLimited("erp", "x", retry_after=61))
    with pytest.raises(RateLimited) as caught:
        make(RetryPolicy(3, 2, 8, max_retry_after=60), time).call(call)
    assert (caught.value.retry_after, time.slept) == (61, [])


def test_a_retry_storm_ends_with_the_budget() -> None:
    time = ManualTime()
    retry = make(RetryPolicy(3, 0, 0), time, RetryBudget(time.clock, share=0.2, floor=5))
    calls = [Failing(*[ServerFailure("erp", "down")] * 9) for _ in range(100)]
    for call in calls:
        with pytest.raises(ServerFailure):
            retry.call(call)
    assert sum(call.calls for call in calls) <= 100 + 5 + 20


def test_the_budget_comes_back_with_time() -> None:
    time = ManualTime()
    budget = RetryBudget(time.clock, share=0, floor=1, window=60)
    assert [budget.spend(), budget.spend()] == [True, False]
    time.advance(61)
    assert budget.spend()


@pytest.mark.parametrize("wrong", [{"share": 1.1}, {"floor": -1}, {"window": 0}], ids=str)
def test_impossible_budgets(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="retry budget"):
        RetryBudget(lambda: NOW, **wrong)


@given(
    st.integers(1, 3000),
    st.floats(0, 100),
    st.floats(1, 10),
    st.floats(0, 1),
    st.floats(0, 1, exclude_max=True),
    st.floats(0, 1000),
)
def test_every_delay_lies_inside_its_jitter_and_cap(
    retry: int, first: float, factor: float, jitter: float, chance: float, more: float
) -> None:
    policy = RetryPolicy(5, first, first + more, factor, jitter)
    delay = policy.delay(retry, chance)
    plain = policy.delay(retry, 0.5)
    assert 0 <= delay <= policy.cap
    assert plain * (1 - jitter) - 1e-9 <= delay <= plain * (1 + jitter) + 1e-9


@given(st.floats(0, 60), st.floats(0, 1), st.floats(0, 1, exclude_max=True))
def test_nobody_comes_back_before_the_partner_asked(wish: float, jitter: float, chance: float) -> None:
    time = ManualTime()
    make(RetryPolicy(1, 2, 8, 2, jitter), time, chance=chance).call(
        Failing(ServerFailure("erp", "x", retry_after=wish))
    )
    assert wish <= time.slept[0] <= wish + 1


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120),
        (" 0 ", 0),
        ("Wed, 15 Jan 2025 01:00:30 GMT", 30),
        ("Wednesday, 15-Jan-25 01:00:30 GMT", 30),
        ("Wed Jan 15 01:00:30 2025", 30),
        ("Wed, 15 Jan 2025 00:00:00 GMT", 0),
        ("9" * 5000, 10**9),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        (None, None),
        ("\u0661", None),
        ("Wed, 99 Jan 2025 01:00:30 GMT", None),
    ],
)
def test_retry_after(text: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(text, NOW) == seconds


@given(st.text(max_size=40))
def test_retry_after_reads_anything(text: str) -> None:
    found = retry_after_seconds(text, NOW)
    assert found is None or found >= 0
