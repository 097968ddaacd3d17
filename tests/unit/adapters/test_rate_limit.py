"""The shared token bucket: never above its limit, cheap, and alive without storage."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.adapters.resilience.policies import BucketPolicy
from shared.adapters.resilience.rate_limit import TokenBucket
from shared.kernel.errors import RateLimited
from tests.fakes.tables import MemoryTables
from tests.unit.adapters.manual_time import CountingHook, ManualTime

ERP = BucketPolicy(50, 5)


def make(tables: MemoryTables, time: ManualTime, policy: BucketPolicy = ERP, **options: object) -> TokenBucket:
    return TokenBucket(tables, "t", "erp", policy, clock=time.clock, sleep=time.sleep, **options)  # type: ignore[arg-type]


def test_ten_calls_cost_at_most_two_transactions() -> None:
    hook, time = CountingHook(), ManualTime()
    bucket = make(MemoryTables(hook), time)
    for _ in range(10):
        bucket.take()
    assert hook.total <= 2
    before = hook.total
    for _ in range(10):
        time.advance(4)
        bucket.take()
    assert hook.total - before <= 2


def test_a_used_up_bucket_is_waited_for_at_its_rate() -> None:
    hook, time = CountingHook(), ManualTime()
    bucket = make(MemoryTables(hook), time)
    begin = time.now
    for _ in range(150):
        bucket.take()
    assert (time.now - begin).total_seconds() == pytest.approx(20, abs=0.01)
    assert hook.total <= 30


def test_a_wait_that_is_too_long_is_refused() -> None:
    time = ManualTime()
    bucket = make(MemoryTables(), time, BucketPolicy(1, 0.1), max_wait=5)
    bucket.take()
    with pytest.raises(RateLimited) as caught:
        bucket.take()
    assert caught.value.retry_after == pytest.approx(10, abs=0.01)
    assert time.slept == []


def test_without_storage_each_instance_limits_itself() -> None:
    hook, time = CountingHook(), ManualTime()
    bucket = make(MemoryTables(hook), time, BucketPolicy(4, 1), max_wait=0)
    hook.broken = True
    for _ in range(4):
        bucket.take()
    with pytest.raises(RateLimited):
        bucket.take()
    assert hook.total == 1
    hook.broken = False
    time.advance(31)
    bucket.take()
    assert hook.counts["insert"] == 1


def test_a_wait_longer_than_a_token_lives_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="max_wait"):
        make(MemoryTables(), ManualTime(), max_wait=61)


class Interleaving(CountingHook):
    """Lets another instance take a token just before a write, where told."""

    def __init__(self, moments: list[bool]) -> None:
        super().__init__()
        self.moments = moments
        self.other: list[TokenBucket] = []
        self.uses: list[float] = []
        self._inside = False

    def before(self, operation: str, place: str, item: str) -> None:
        if operation in ("insert", "replace") and self.moments and not self._inside and self.moments.pop():
            self._inside = True
            take(self.other[0], self.uses)
            self._inside = False


def take(bucket: TokenBucket, uses: list[float]) -> None:
    """Take a token and note when it is used: waiting does not hold up the other instances."""
    marks: list[float] = []
    bucket._sleep = marks.append
    try:
        bucket.take()
    except RateLimited:
        return
    moment = bucket._clock() + timedelta(seconds=sum(marks))
    uses.append(moment.timestamp())


@given(
    capacity=st.integers(1, 40),
    rate=st.floats(0.2, 30),
    instances=st.integers(2, 4),
    max_wait=st.sampled_from([0.0, 1.0, 30.0]),
    schedule=st.lists(
        st.tuples(
            st.sampled_from([0.0, 0.05, 1.0, 20.0, 59.0, 61.0, 70.0]),
            st.integers(0, 3),
            st.sampled_from([1, 1, 2, 9, 40]),
        ),
        max_size=15,
    ),
    moments=st.lists(st.booleans(), max_size=30),
)
def test_no_window_ever_sees_more_than_the_limit(
    capacity: int,
    rate: float,
    instances: int,
    max_wait: float,
    schedule: list[tuple[float, int, int]],
    moments: list[bool],
) -> None:
    hook, time, policy = Interleaving(moments), ManualTime(), BucketPolicy(capacity, rate)
    tables = MemoryTables(hook)
    buckets = [make(tables, time, policy, max_wait=max_wait, holder=str(number)) for number in range(instances + 1)]
    hook.other = buckets[instances:]
    for pause, number, burst in schedule:
        time.advance(pause)
        for _ in range(burst):
            take(buckets[number % instances], hook.uses)
    holds_in_every_window(policy, hook.uses)


def holds_in_every_window(policy: BucketPolicy, moments: list[float]) -> None:
    uses = sorted(moments)
    # The window that begins at use i and ends at use j holds j - i + 1 uses: compare j's excess with the least before.
    least = float("inf")
    for number, moment in enumerate(uses):
        excess = number - policy.rate * moment
        least = min(least, excess)
        assert excess - least + 1 <= policy.capacity + 0.01


def test_tokens_held_by_one_are_not_refilled_for_another() -> None:
    time, tables, uses, policy = ManualTime(), MemoryTables(), list[float](), BucketPolicy(40, 5)
    one, two = (make(tables, time, policy, max_wait=0, holder=name) for name in "ab")
    take(one, uses)
    time.advance(59)
    for bucket in (one, two):
        for _ in range(50):
            take(bucket, uses)
    assert len(uses) <= 1 + 40
    holds_in_every_window(policy, uses)


def test_idle_holders_do_not_starve_the_others() -> None:
    time, tables = ManualTime(), MemoryTables()
    policy = BucketPolicy(20, 2)
    idle = [make(tables, time, policy, holder=str(number)) for number in range(6)]
    for bucket in idle:
        bucket.take()
    busy = make(tables, time, policy, max_wait=1)
    time.advance(10)
    for _ in range(10):
        busy.take()
