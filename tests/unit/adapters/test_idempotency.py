"""Idempotency: once per key across instances, one result for all, whatever crashes or comes in between."""

import threading
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.adapters.resilience.idempotency import Idempotency
from shared.kernel.errors import Busy, Conflict
from tests.fakes.hook import Hook
from tests.fakes.tables import MemoryTables
from tests.unit.adapters.manual_time import CountingHook, ManualTime

Call = Callable[[], Any]


class World:
    """Some instances on the same tables, and a call that counts."""

    def __init__(self, hook: Hook | None = None, instances: int = 3) -> None:
        self.time = ManualTime()
        self.tables = MemoryTables(hook)
        self.once = [self.make() for _ in range(instances)]
        self.calls = 0

    def make(self, **options: Any) -> Idempotency:
        return Idempotency(self.tables, "t", clock=self.time.clock, sleep=self.time.sleep, **options)

    def call(self) -> dict[str, int]:
        self.calls += 1
        return {"number": self.calls}


class Crash(BaseException):
    """The process dies."""


def test_the_call_runs_once_and_everybody_gets_its_result() -> None:
    world = World()
    answers = [once.run("export", "2025-01", world.call, {"a": 1}) for once in world.once * 2]
    assert answers == [{"number": 1}] * 6


def test_operations_keys_and_tenants_are_apart() -> None:
    world = World()
    other = Idempotency(world.tables, "u", clock=world.time.clock, sleep=world.time.sleep)
    assert world.once[0].run("a", "b|c", world.call) == {"number": 1}
    assert world.once[0].run("a|b", "c", world.call) == {"number": 2}
    assert world.once[0].run("a", "b/c", world.call) == {"number": 3}
    assert other.run("a", "b|c", world.call) == {"number": 4}


def test_a_first_run_costs_two_transactions_and_a_repeat_one() -> None:
    hook = CountingHook()
    world = World(hook)
    world.once[0].run("export", "k", world.call)
    assert hook.total == 2
    world.once[0].run("export", "k", world.call)
    assert hook.total == 3
    world.once[1].run("export", "k", world.call)
    assert hook.total == 5


def test_the_first_caller_sees_the_result_as_the_later_ones_do() -> None:
    world = World()
    assert (
        world.once[0].run("a", "k", lambda: {"x": (1, 2)}) == {"x": [1, 2]} == world.once[1].run("a", "k", world.call)
    )
    assert world.once[0].run("a", "none", lambda: None) is None
    assert world.once[1].run("a", "none", world.call) is None


@pytest.mark.parametrize("size", [0, 27_998, 27_999, 100_000, 1_000_000])
def test_long_results(size: int) -> None:
    world = World()
    world.once[0].run("a", "k", lambda: "x" * size)
    assert world.once[1].run("a", "k", world.call) == "x" * size


@pytest.mark.parametrize(
    ("result", "error"),
    [(Random(7).randbytes(1_000_000).hex(), ValueError), ({1, 2}, TypeError)],
    ids=["long", "no JSON"],
)
def test_a_result_that_cannot_be_kept_is_a_failure(result: object, error: type[Exception]) -> None:
    world = World()
    with pytest.raises(error):
        world.once[0].run("a", "k", lambda: result)
    assert world.once[1].run("a", "k", world.call) == {"number": 1}


@pytest.mark.parametrize("key", ["k" * 5000, "folder/" * 170 + "2025-01-15.csv", "\ud800" * 600])
def test_a_key_may_be_longer_than_a_row_s_and_is_told_from_others(key: str) -> None:
    world = World()
    assert world.once[0].run("a", key, world.call) == {"number": 1}
    assert world.once[1].run("a", key, world.call) == {"number": 1}
    assert world.once[1].run("a", f"{key}x", world.call) == {"number": 2}


def test_a_failed_call_frees_the_key() -> None:
    world = World()

    def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        world.once[0].run("a", "k", fail, "old")
    assert world.once[1].run("a", "k", world.call, "new") == {"number": 1}
    assert world.time.slept == []


def test_another_payload_under_the_same_key_is_a_conflict() -> None:
    world = World()
    world.once[0].run("a", "k", world.call, {"x": 1, "y": 2})
    world.once[1].run("a", "k", world.call, {"y": 2, "x": 1})
    for once in world.once:
        with pytest.raises(Conflict):
            once.run("a", "k", world.call, {"x": 2})
    assert world.calls == 1


def test_a_payload_without_a_stable_digest_is_refused() -> None:
    with pytest.raises(TypeError):
        World().once[0].run("a", "k", lambda: None, {1, 2})


def test_results_are_kept_for_a_day() -> None:
    world = World()
    world.once[0].run("a", "k", world.call, "p")
    world.time.advance(24 * 3600 - 1)
    assert world.once[1].run("a", "k", world.call, "p") == {"number": 1}
    world.time.advance(2)
    assert world.once[0].run("a", "k", world.call, "q") == {"number": 2}


def test_a_caller_waits_for_a_while_and_then_comes_back_later() -> None:
    world = World()

    def slow() -> str:
        with pytest.raises(Busy) as caught:
            world.once[1].run("a", "k", world.call)
        assert 0 < caught.value.retry_after <= 300
        assert 30 <= sum(world.time.slept) < 33
        return "slow"

    assert world.once[0].run("a", "k", slow) == "slow"
    assert world.calls == 0


def test_a_dead_holder_is_taken_over_after_its_lease() -> None:
    world = World()

    def die() -> None:
        raise Crash

    original = world.once[0]._rows.write
    world.once[0]._rows.write = raising_crash  # type: ignore[method-assign, assignment]
    with pytest.raises(Crash):
        world.once[0].run("a", "k", die, "p")
    world.once[0]._rows.write = original  # type: ignore[method-assign]
    with pytest.raises(Busy):
        world.once[1].run("a", "k", world.call, "p")
    world.time.advance(300)
    with pytest.raises(Conflict):
        world.once[1].run("a", "k", world.call, "other")
    assert world.once[1].run("a", "k", world.call, "p") == {"number": 1}


def raising_crash(*_: object) -> None:
    raise Crash


def test_a_late_holder_gets_the_result_of_the_one_that_took_over() -> None:
    world = World()

    def late() -> str:
        world.time.advance(301)
        assert world.once[1].run("a", "k", world.call) == {"number": 1}
        return "late"

    assert world.once[0].run("a", "k", late) == {"number": 1}
    assert world.once[2].run("a", "k", world.call) == {"number": 1}


def test_a_late_holder_stores_its_result_when_the_other_one_failed() -> None:
    world = World()
    computed: list[str] = []

    def fail() -> None:
        raise ZeroDivisionError

    def late() -> str:
        computed.append("late")
        world.time.advance(301)
        with pytest.raises(ZeroDivisionError):
            world.once[1].run("a", "k", fail)
        return "late"

    assert world.once[0].run("a", "k", late) == "late"
    assert world.once[2].run("a", "k", world.call) == "late"
    assert computed == ["late"]


@pytest.mark.parametrize("options", [{"lease": 0}, {"lease": 10, "keep": 5}, {"max_wait": -1}], ids=str)
def test_impossible_settings(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="idempotency needs"):
        World().make(**options)


def test_threads_of_several_instances_run_it_once() -> None:
    tables, done = MemoryTables(), threading.Event()
    calls: list[int] = []
    answers: list[object] = []
    start = threading.Barrier(8)

    def call() -> int:
        calls.append(1)
        done.wait(0.05)
        return len(calls)

    def pause(_: float) -> None:
        done.wait(0.002)

    def work() -> None:
        once = Idempotency(tables, "t", sleep=pause, max_wait=9999)
        start.wait()
        answers.append(once.run("a", "k", call))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert (len(calls), answers) == (1, [1] * 8)


class Interleaved(Hook):
    """At chosen storage operations another instance runs the same key, time jumps, or the process dies."""

    def __init__(self, moments: list[str]) -> None:
        self.moments = moments
        self.act: Callable[[str], None] = lambda _: None

    def before(self, operation: str, place: str, item: str) -> None:
        self._moment()

    def after(self, operation: str, place: str, item: str) -> None:
        self._moment()

    def _moment(self) -> None:
        if self.moments:
            self.act(self.moments.pop())


@given(
    st.lists(st.sampled_from(["go on", "go on", "go on", "other", "other fails", "late", "die"]), max_size=30),
    st.integers(1, 5),
)
def test_whatever_comes_in_between_all_get_one_result(moments: list[str], rounds: int) -> None:
    hook = Interleaved(moments)
    world = World(hook)
    results: list[Any] = []
    depth: list[int] = []

    def attempt(call: Call) -> None:
        depth.append(1)
        try:
            results.append(world.once[(len(depth) - 1) % 3].run("a", "k", call, "p"))
        except (Busy, Crash, ZeroDivisionError):
            pass
        finally:
            depth.pop()

    def fail() -> None:
        raise ZeroDivisionError

    def act(moment: str) -> None:
        if moment == "die":
            raise Crash
        if moment == "late":
            world.time.advance(301)
        elif moment.startswith("other") and len(depth) < 3:
            attempt(fail if moment == "other fails" else world.call)

    hook.act = act
    for _ in range(rounds):
        attempt(world.call)
    moments.clear()
    world.time.advance(301)
    attempt(world.call)
    assert results
    assert all(result == results[0] for result in results)
