"""The shared circuit breaker: what opens and closes it, who may probe, what it costs."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.adapters.resilience.circuit_breaker import CircuitBreaker
from shared.adapters.resilience.policies import BreakerPolicy
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
from tests.fakes.tables import MemoryTables
from tests.unit.adapters.manual_time import CountingHook, ManualTime

POLICY = BreakerPolicy(failures=3, successes=2, call_timeout=45, reset_timeout=120)
DOWN = ServerFailure("erp", "down")


class World:
    """Some instances on the same tables."""

    def __init__(self, policy: BreakerPolicy = POLICY, instances: int = 2) -> None:
        self.time, self.hook = ManualTime(), CountingHook()
        self.changes: list[tuple[str, str, str]] = []
        tables = MemoryTables(self.hook)
        self.breakers = [
            CircuitBreaker(
                tables, "t", "erp", policy, clock=self.time.clock, on_change=lambda *change: self.changes.append(change)
            )
            for _ in range(instances)
        ]

    def ok(self, number: int = 0) -> None:
        assert self.breakers[number].call(lambda: "ok") == "ok"

    def fail(self, number: int = 0, error: BaseException = DOWN) -> None:
        with pytest.raises(type(error)):
            self.breakers[number].call(raising(error))

    def held_back(self, number: int = 0) -> float:
        def never() -> None:
            raise AssertionError("the call went through")

        with pytest.raises(CircuitOpen) as caught:
            self.breakers[number].call(never)
        return caught.value.retry_after

    def open(self) -> None:
        for _ in range(POLICY.failures):
            self.fail()


def raising(error: BaseException) -> Callable[[], None]:
    def call() -> None:
        raise error

    return call


@pytest.mark.parametrize("kind", [NetworkFailure, PartnerTimeout, ServerFailure, MalformedResponse])
def test_failures_of_the_partner_open_it_for_all_instances(kind: type[HubError]) -> None:
    world = World()
    error = kind("erp", "x")  # type: ignore[call-arg]
    world.fail(0, error)
    world.time.advance(3)
    world.fail(1, error)
    world.time.advance(3)
    world.fail(0, error)
    assert world.breakers[0].metric() == 2
    assert world.held_back(0) == 120
    world.time.advance(3)
    assert world.held_back(1) == 117
    assert world.changes == [("erp", "closed", "open")]


@pytest.mark.parametrize(
    "error",
    [
        PartnerRefused("erp", "x", status=404),
        RateLimited("erp", "x"),
        ContractBroken("erp", "x"),
        KeyboardInterrupt(),
        ValueError("ours"),
    ],
    ids=repr,
)
def test_what_says_something_about_us_does_not_count(error: BaseException) -> None:
    world = World()
    for _ in range(10):
        world.fail(0, error)
    assert world.breakers[0].state() == "closed"


def test_a_success_ends_the_row_of_failures() -> None:
    world = World()
    for _ in range(5):
        world.fail()
        world.fail()
        world.ok()
    assert world.breakers[0].state() == "closed"


def test_successful_probes_close_it() -> None:
    world = World()
    world.open()
    world.time.advance(120)
    world.ok(1)
    assert world.breakers[1].state() == "half-open"
    world.ok(0)
    assert world.breakers[0].state() == "closed"
    assert [change[2] for change in world.changes] == ["open", "half-open", "closed"]
    world.fail()
    world.fail()
    assert world.breakers[0].state() == "closed"


def test_without_traffic_it_is_open_for_no_longer_than_its_reset_timeout() -> None:
    world = World()
    world.open()
    world.time.advance(119)
    assert [(one.state(), one.metric()) for one in world.breakers] == [("open", 2)] * 2
    world.time.advance(1)
    assert [(one.state(), one.metric()) for one in world.breakers] == [("half-open", 1)] * 2
    assert world.changes == [("erp", "closed", "open")], "to look changes nothing"


def test_a_failed_probe_opens_it_again() -> None:
    world = World()
    world.open()
    world.time.advance(120)
    world.ok()
    world.fail()
    assert world.held_back() == 120


def test_one_probe_at_a_time_across_instances() -> None:
    world = World(instances=3)
    world.open()
    world.time.advance(120)

    def probe() -> str:
        assert world.held_back(1) == 45
        assert world.held_back(2) == 45
        return "ok"

    assert world.breakers[0].call(probe) == "ok"
    world.time.advance(3)
    world.ok(1)


def test_two_instances_that_see_it_elapse_at_once() -> None:
    world = World()
    world.open()
    world.time.advance(120)
    inside: list[float] = []
    original = world.hook.before

    def race(operation: str, place: str, item: str) -> None:
        original(operation, place, item)
        if operation == "replace" and not inside:
            inside.append(0)
            world.ok(1)

    world.hook.before = race  # type: ignore[method-assign]
    world.ok(0)
    assert world.breakers[0].state() == "closed"


def test_a_crashed_probe_blocks_no_longer_than_the_call_timeout() -> None:
    world = World()
    world.open()
    world.time.advance(120)
    assert world.breakers[0]._admit() >= 0  # the process dies here
    assert world.held_back(1) == 45
    world.time.advance(45)
    world.ok(1)


def test_a_probe_that_says_nothing_makes_room() -> None:
    world = World()
    world.open()
    world.time.advance(120)
    world.fail(0, RateLimited("erp", "ours"))
    world.ok(1)


def test_a_late_outcome_of_an_earlier_time_is_ignored() -> None:
    world = World()

    def slow() -> None:
        world.open()
        world.time.advance(120)
        world.ok(1)
        world.ok(1)
        world.ok(1)
        raise DOWN

    with pytest.raises(ServerFailure):
        world.breakers[1].call(slow)
    assert world.breakers[0]._store.newest().failures == 0


def test_reset_by_hand() -> None:
    world = World()
    world.open()
    world.breakers[1].reset()
    world.time.advance(3)
    world.ok(0)
    assert world.breakers[0].state() == "closed"


@pytest.mark.parametrize("pause", [0.0, 0.3, 5.0])
def test_ten_healthy_calls_cost_at_most_two_transactions(pause: float) -> None:
    world = World()
    for _ in range(10):
        world.ok()
        world.time.advance(pause)
    assert world.hook.total <= 2


def test_an_open_circuit_is_read_every_two_seconds_at_most() -> None:
    world = World()
    world.open()
    before = world.hook.total
    for _ in range(20):
        world.held_back()
        world.time.advance(0.3)
    assert world.hook.total - before <= 3


def test_without_storage_it_goes_by_its_own_count() -> None:
    world = World()
    world.hook.broken = True
    world.ok()
    world.open()
    assert world.held_back() == 120
    asked = world.hook.total
    assert asked == 1
    world.hook.broken = False
    world.time.advance(31)
    world.ok()


def test_storage_that_breaks_at_a_write_changes_nothing_for_the_call() -> None:
    world = World()
    world.ok()
    world.hook.broken = True
    world.open()
    assert world.held_back() == 120


class Model:
    """The requirement in a few lines, for one instance."""

    def __init__(self, policy: BreakerPolicy) -> None:
        self.policy, self.state, self.failures, self.successes, self.age = policy, "closed", 0, 0, 0.0

    def let_through(self) -> bool:
        if self.state == "open" and self.age >= self.policy.reset_timeout:
            self.state, self.successes = "half-open", 0
        return self.state != "open"

    def outcome(self, *, failed: bool) -> None:
        self.failures = self.failures + 1 if failed else 0
        if failed and (self.state == "half-open" or self.failures >= self.policy.failures):
            self.state, self.age = "open", 0.0
        elif not failed and self.state == "half-open":
            self.successes += 1
            if self.successes >= self.policy.successes:
                self.state = "closed"


@given(
    st.integers(1, 4),
    st.integers(1, 3),
    st.lists(st.one_of(st.booleans(), st.sampled_from([0.5, 3.0, 60.0, 119.0, 121.0])), max_size=60),
)
def test_one_instance_behaves_as_required(failures: int, successes: int, steps: list[bool | float]) -> None:
    policy = BreakerPolicy(failures, successes, 45, 120)
    world, model = World(policy, 1), Model(policy)
    for step in steps:
        if not isinstance(step, bool):
            world.time.advance(step)
            model.age += step
        elif not model.let_through():
            assert world.held_back() > 0
        else:
            if step:
                world.ok()
            else:
                world.fail()
            model.outcome(failed=not step)
        assert world.breakers[0]._store.newest().state in (model.state, "open")
